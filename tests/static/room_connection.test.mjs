/** The tab's live connection: what it promises about wishes, tokens and coming back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection } from "../../static/js/live/connection.js";
import { FakeSocket, settled, StillClock } from "./room_socket.fake.mjs";

function aConnection({ token = async () => "token" } = {}) {
  const clock = new StillClock();
  const seen = { statuses: [], signedOut: 0, tokens: [] };
  let socket;
  let id = 0;
  const connection = new Connection({
    open: (auth) => (socket = new FakeSocket(auth)),
    token: (options) => {
      seen.tokens.push(options.fresh);
      return token(options);
    },
    signedOut: () => (seen.signedOut += 1),
    onStatus: (status) => seen.statuses.push(status),
    after: (seconds, act) => clock.after(seconds, act),
    newId: () => `id-${(id += 1)}`,
  });
  connection.start();
  return { connection, clock, seen, socket };
}

const handshake = (socket) => new Promise((resolve) => socket.auth(resolve));

test("the token is asked for at every connect, with the newest notification once there is one", async () => {
  const { connection, socket } = aConnection();
  assert.deepEqual(await handshake(socket), { token: "token" });
  socket.accept();
  socket.hear("notification", { id: 7 });
  assert.deepEqual(await handshake(socket), { token: "token", notifications_after: 7 });
  assert.equal(connection.status, "online");
});

test("a notification that comes again after a reconnect is told once", () => {
  const { connection, socket } = aConnection();
  const heard = [];
  connection.on("notification", ({ id }) => heard.push(id));
  socket.accept();
  for (const id of [4, 5, 4, 5, 6]) socket.hear("notification", { id });
  assert.deepEqual(heard, [4, 5, 6]);
});

test("a chat line keeps its client_id when the connection breaks before the answer", async () => {
  const { connection, socket } = aConnection();
  socket.accept();
  const answered = connection.wish("chat_send", { live_session_id: 1, text: "Hi" });
  assert.equal(socket.sent.length, 1);
  socket.drop();
  await settled();
  assert.equal(socket.sent.length, 1);
  socket.accept();
  await settled();
  assert.deepEqual(socket.sent.map((wish) => wish.payload.client_id), ["id-1", "id-1"]);
  socket.open()[0].ack({ ok: true, seq: 9 });
  assert.equal((await answered).seq, 9);
});

test("a chat line whose answer does not come in time is sent again with the same client_id", async () => {
  const { connection, socket } = aConnection();
  socket.accept();
  connection.wish("chat_send", { live_session_id: 1, text: "Hi" });
  socket.sent[0].timeOut();
  await settled();
  assert.deepEqual(socket.sent.map((wish) => wish.payload.client_id), ["id-1", "id-1"]);
});

test("lines written offline go out one by one in their order; a hand does not wait for them", async () => {
  const { connection, socket } = aConnection();
  for (const text of ["one", "two", "three"]) connection.wish("chat_send", { live_session_id: 1, text });
  socket.accept();
  await settled();
  connection.wish("hand_raise", { live_session_id: 1 });
  assert.deepEqual(socket.open().map((wish) => wish.payload.text ?? wish.event), ["one", "hand_raise"]);
  for (const text of ["one", "two", "three"]) {
    const line = socket.open().find((wish) => wish.event === "chat_send");
    assert.equal(line.payload.text, text);
    line.ack({ ok: true });
    await settled();
  }
});

test("a room's wishes wait until the page is in the room again", async () => {
  const { connection, socket } = aConnection();
  socket.accept();
  connection.outbox.hold(1);
  connection.wish("chat_send", { live_session_id: 1, text: "later" });
  connection.wish("chat_send", { live_session_id: 2, text: "now" });
  assert.deepEqual(socket.sent.map((wish) => wish.payload.text), ["now"]);
  connection.outbox.release(1);
  assert.deepEqual(socket.sent.map((wish) => wish.payload.text), ["now", "later"]);
});

test("a wish refused for its speed is sent again after the pause the server names", async () => {
  const { connection, socket, clock } = aConnection();
  socket.accept();
  const answered = connection.wish("chat_send", { live_session_id: 1, text: "fast" });
  socket.sent[0].ack({ ok: false, error: { code: "rate_limited", status: 429, retry_after: 3 } });
  await settled();
  assert.deepEqual(clock.waiting.map(({ seconds }) => seconds), [3]);
  clock.pass();
  await settled();
  socket.open()[0].ack({ ok: true, seq: 2 });
  assert.equal((await answered).seq, 2);
});

test("a refusal is told to the one who wished, with the server's code and sentence", async () => {
  const { connection, socket } = aConnection();
  socket.accept();
  const refused = connection.wish("hand_raise", { live_session_id: 1 });
  socket.sent[0].ack({ ok: false, error: { code: "hands_closed", detail: "Hands are closed.", status: 403 } });
  await assert.rejects(refused, { code: "hands_closed", message: "Hands are closed." });
});

test("a wish that is not durable carries no client_id and fails at once without a connection", async () => {
  const { connection, socket } = aConnection();
  await assert.rejects(connection.wish("join", { live_session_id: 1 }), { code: "offline" });
  socket.accept();
  connection.wish("join", { live_session_id: 1 });
  assert.deepEqual(socket.sent[0].payload, { live_session_id: 1 });
});

test("an expired token is renewed and the connection tried again; nobody is signed out", async () => {
  const { socket, seen } = aConnection();
  await handshake(socket);
  socket.refuse("token_expired");
  await handshake(socket);
  assert.equal(socket.connects, 2);
  assert.deepEqual(seen.tokens, [false, true]);
  socket.accept();
  assert.equal(seen.signedOut, 0);
});

test("who is unauthenticated even with a fresh token is asked to sign in", () => {
  const { socket, seen, connection } = aConnection();
  socket.refuse("unauthenticated");
  assert.equal(seen.signedOut, 0);
  socket.refuse("unauthenticated");
  assert.equal(seen.signedOut, 1);
  assert.equal(connection.status, "offline");
});

test("a token that cannot be had because the server is away signs nobody out; one refused for good does", async () => {
  const away = aConnection({ token: async () => Promise.reject(Object.assign(new Error(), { status: 0 })) });
  away.socket.auth(() => {});
  await settled();
  away.clock.pass();
  assert.deepEqual([away.seen.signedOut, away.socket.connects], [0, 2]);
  const over = aConnection({ token: async () => Promise.reject(Object.assign(new Error(), { status: 401 })) });
  over.socket.auth(() => {});
  await settled();
  assert.equal(over.seen.signedOut, 1);
});

test("an expiring token is renewed on the open connection", async () => {
  const { socket } = aConnection({ token: async ({ fresh }) => (fresh ? "fresh" : "old") });
  socket.accept();
  socket.hear("auth_expiring", { expires_at: "2026-11-23T16:00:00Z" });
  await settled();
  assert.deepEqual(socket.sent.map(({ event, payload }) => [event, payload]), [["auth_refresh", { token: "fresh" }]]);
});

test("a draining server is given the time it asks for, and the usual haste returns afterwards", () => {
  const { socket } = aConnection();
  socket.accept();
  socket.hear("draining", { retry_after: 2 });
  assert.deepEqual([socket.delays.at(-1), socket.longest.at(-1)], [2000, 2000]); // the longest pause must not cut it short
  socket.drop();
  socket.attempted(); // should the first attempt fail, the next ones come as fast as ever
  assert.deepEqual([socket.delays.at(-1), socket.longest.at(-1)], [250, 1000]);
  socket.accept();
  socket.hear("draining", { retry_after: 0.02 });
  assert.deepEqual([socket.delays.at(-1), socket.longest.at(-1)], [250, 1000]);
});

test("a full server is asked again later and a closed namespace is returned to", () => {
  const { socket, clock, seen } = aConnection();
  socket.refuse("too_many_connections");
  assert.equal(seen.statuses.at(-1), "offline");
  clock.pass();
  assert.equal(socket.connects, 2);
  socket.accept();
  socket.drop("io server disconnect");
  clock.pass();
  assert.equal(socket.connects, 3);
});

test("one listener that fails does not keep the fact from the others", (t) => {
  t.mock.method(console, "error", () => {});
  const { connection, socket } = aConnection();
  const heard = [];
  connection.on("live_session", () => {
    throw new Error("broken part");
  });
  connection.on("live_session", (payload) => heard.push(payload.id));
  socket.accept();
  socket.hear("live_session", { id: 3 });
  assert.deepEqual(heard, [3]);
});
