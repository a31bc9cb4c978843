// The peer: socket.io on Node with its defaults, one namespace, one room, driven over standard input.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { pingInterval: 3_600_000, pingTimeout: 3_600_000 });
const live = io.of("/live");
live.on("connection", (socket) => socket.join("class"));
const told = JSON.parse(process.argv[2]);
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** @param {{times: number, burst: number, gap: number}} order `times` turns of `burst` events, `gap` milliseconds apart */
const broadcast = ({ times, burst, gap }) => {
  const tick = () => {
    for (let event = 0; event < burst; event++) live.to("class").emit("timeline", told);
    if (--times > 0) setTimeout(tick, gap);
    else say({ done: true });
  };
  tick();
};
createInterface({ input: process.stdin })
  .on("line", (line) => broadcast(JSON.parse(line)))
  .on("close", () => process.exit(0));
http.listen(0, "127.0.0.1", 4096, () => say({ port: http.address().port, version: process.version }));
