// Official Socket.IO clients, driven by JSON lines on stdin, telling what they hear as JSON lines on stdout.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const clients = new Map();
const tell = (client, on, more = {}) => process.stdout.write(JSON.stringify({ client, on, ...more }) + "\n");
const revive = (value) => (value && value.$binary ? Buffer.from(value.$binary) : value);

const commands = {
  connect({ client, url, options }) {
    const socket = io(url, { forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 50, ...options });
    clients.set(client, socket);
    socket.io.on("open", () =>
      socket.io.engine.once("upgrade", (transport) => tell(client, "upgrade", { transport: transport.name })));
    socket.on("connect", () => tell(client, "connect", { id: socket.id }));
    socket.on("connect_error", (error) =>
      tell(client, "connect_error", { message: error.message, data: error.data ?? null, active: socket.active }));
    socket.on("disconnect", (reason) => tell(client, "disconnect", { reason }));
    socket.onAny((event, ...args) => tell(client, "event", { event, args }));
  },
  emit({ client, event, args, ack }) {
    const socket = clients.get(client);
    const values = (args ?? []).map(revive);
    if (ack === undefined) socket.emit(event, ...values);
    else socket.emit(event, ...values, (...answers) => tell(client, "ack", { ack, answers }));
  },
  packet({ client, packet }) { // a packet the official client would not make by itself
    clients.get(client).packet(packet);
  },
  disconnect({ client }) {
    clients.get(client).disconnect();
  },
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
  })
  .on("close", () => process.exit(0));
