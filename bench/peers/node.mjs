// The peer: socket.io on Node with its defaults, one namespace, rooms of a size, driven over standard input.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { pingInterval: 3_600_000, pingTimeout: 3_600_000 });
const live = io.of("/live");
const told = JSON.parse(process.argv[2]);
const size = Number(process.argv[3]);
let came = 0;
live.on("connection", (socket) => socket.join(`class ${Math.floor(came++ / size)}`));
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/**
 * `times` turns of `burst` events, each to the next room, `gap` milliseconds apart.
 * @param {{times: number, burst: number, gap: number, rooms: number}} order
 */
const broadcast = ({ times, burst, gap, rooms }) => {
  let event = 0;
  const tick = () => {
    for (let left = burst; left > 0; left--) live.to(`class ${event++ % rooms}`).emit("timeline", told);
    if (--times > 0) setTimeout(tick, gap);
    else say({ done: true });
  };
  tick();
};
createInterface({ input: process.stdin })
  .on("line", (line) => broadcast(JSON.parse(line)))
  .on("close", () => process.exit(0));
http.listen(0, "127.0.0.1", 4096, () => say({ port: http.address().port, version: process.version }));
