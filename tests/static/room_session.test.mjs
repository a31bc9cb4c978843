/** A tab in a live session: whatever the network does, it shows the timeline whole, once and in order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RoomSession } from "../../static/js/live/room_session.js";
import { LiveProblem, lost } from "../../static/js/live/problem.js";
import { settled, StillClock } from "./room_socket.fake.mjs";

const POLICY = { chat: "all", microphones: "instructor", cameras: "instructor", screens: "instructor", hands: "all", peers: "instructor" };
const SNAPSHOT = {
  status: "live", host: { id: 1, name: "Ana" },
  participants: [{ user_id: 1, name: "Ana", avatar_url: null, role: "instructor", in_room: true }],
  hands: [], floor: [], muted: [], policy: POLICY, polls: [], questions: [], tracks: [], chat: { lines: [], earlier: false },
};
const YOU = { user_id: 2, role: "student", may: [] };
const entry = (id, name, in_room = false) => ({ user: { id, name, avatar_url: null }, role: "student", online: in_room, in_room });
const JOINED = { ok: true, you: YOU, roster: [entry(2, "Bo", true), entry(3, "Cleo")], ice_servers: [] };
const line = (seq) => ({ seq, at: "2026-11-23T16:00:00Z", type: "chat_posted", actor_id: 3, client_id: null, payload: { text: `Line ${seq}` } });

/** The tab's connection with a server of one room behind it: `log` is the whole timeline from the first event. */
function aServer({ log = [], epoch = "e1", page = 100 } = {}) {
  const listeners = new Map();
  const server = {
    log, epoch, page, isUp: true, wishes: [], held: new Set(), dropped: [], refusal: null, roster: JOINED.roster, relays: [],
    outbox: {
      hold: (room) => server.held.add(room),
      release: (room) => server.held.delete(room),
      drop: (room, why) => server.dropped.push(why.code),
    },
    on(event, listener) {
      listeners.set(event, listener);
      return () => listeners.delete(event);
    },
    tell: (event, payload = {}) => listeners.get(event)?.(payload),
    say: (events, of = server.epoch) => server.tell("timeline", { live_session_id: 9, epoch: of, events }),
    async wish(event, payload) {
      server.wishes.push({ event, payload });
      if (!server.isUp) throw lost("offline");
      if (server.refusal) throw new LiveProblem(server.refusal);
      if (event === "join") return { ...JOINED, roster: server.roster, ice_servers: server.relays, ...server.answer(payload.after) };
      if (event === "sync") return { ok: true, ...server.answer({ epoch: payload.epoch, seq: payload.after }) };
      return { ok: true };
    },
    answer(after) {
      const top = server.log.at(-1)?.seq ?? 0;
      if (!after || after.epoch !== server.epoch || after.seq > top)
        return { epoch: server.epoch, seq: top, snapshot: { ...SNAPSHOT, chat: { lines: [], earlier: top > 0 } } };
      const missed = server.log.filter((event) => event.seq > after.seq);
      const events = missed.slice(0, server.page);
      return { epoch: server.epoch, seq: events.at(-1)?.seq ?? after.seq, events, more: missed.length > events.length };
    },
    down() {
      server.isUp = false;
      server.tell("down");
    },
    up() {
      server.isUp = true;
      server.tell("up");
    },
  };
  return server;
}

async function inTheRoom(server, { open = true } = {}) {
  const clock = new StillClock();
  const seen = { entered: 0, renewed: [], shown: [] };
  const session = new RoomSession({
    live: server, liveSessionId: 9, courseId: () => 5,
    onChange: (view) => seen.shown.push(view),
    onEntered: () => (seen.entered += 1),
    onRenewed: () => seen.renewed.push(session.view.iceServers),
    after: (seconds, act) => clock.after(seconds, act),
  });
  if (open) session.open();
  await settled();
  return { session, seen, clock, seqs: () => session.view.room.chat.lines.map((one) => one.seq) };
}

test("a first join shows the snapshot and lets the room's wishes go", async () => {
  const server = aServer();
  const { session, seen } = await inTheRoom(server);
  assert.equal(session.view.phase, "in");
  assert.equal(session.view.isCurrent, true);
  assert.equal(server.held.has(9), false);
  assert.equal(seen.entered, 1);
  assert.deepEqual(server.wishes[0].payload, { live_session_id: 9 });
});

test("after a restart the tab asks from where it was and gets each missed line once, over several pages", async () => {
  const server = aServer({ page: 2 });
  const { session, seen, seqs } = await inTheRoom(server);
  server.say([line(1)]);
  server.down();
  assert.equal(session.view.isCurrent, false);
  assert.equal(server.held.has(9), true);
  server.log = [1, 2, 3, 4, 5, 6].map(line);
  server.up();
  await settled();
  assert.deepEqual(server.wishes.slice(1).map(({ event, payload }) => [event, payload.after.seq ?? payload.after]), [["join", 1], ["sync", 3], ["sync", 5]]);
  assert.deepEqual(seqs(), [1, 2, 3, 4, 5, 6]);
  assert.equal(seen.entered, 2);
});

test("live lines that come while catching up wait for their turn", async () => {
  const server = aServer({ page: 2 });
  const { seqs } = await inTheRoom(server);
  server.down();
  server.log = [1, 2, 3].map(line);
  server.up();
  server.say([line(4)]);
  server.say([line(5)]);
  await settled();
  assert.deepEqual(seqs(), [1, 2, 3, 4, 5]);
});

test("a line told twice is shown once", async () => {
  const server = aServer();
  const { seqs } = await inTheRoom(server);
  server.say([line(1), line(2)]);
  server.say([line(2), line(3)]);
  assert.deepEqual(seqs(), [1, 2, 3]);
});

test("a gap is closed by asking the server", async () => {
  const server = aServer();
  const { session, seqs } = await inTheRoom(server);
  server.say([line(1)]);
  server.log = [1, 2, 3].map(line);
  server.say([line(3)]);
  await settled();
  assert.deepEqual(seqs(), [1, 2, 3]);
  assert.equal(session.view.isCurrent, true);
  assert.equal(server.wishes.at(-1).event, "sync");
});

test("a restored server has another epoch, and its snapshot replaces what the tab believed", async () => {
  const server = aServer();
  const { session, seqs } = await inTheRoom(server);
  server.say([line(1), line(2)]);
  server.down();
  server.epoch = "e2";
  server.log = [line(1)];
  server.up();
  await settled();
  assert.deepEqual(seqs(), []);
  assert.equal(session.view.room.seq, 1);
  server.say([line(2)]);
  assert.deepEqual(seqs(), [2]);
});

test("a waiting page flips by itself when the class starts", async () => {
  const server = aServer();
  server.answer = () => ({ waiting: true, live_session: { id: 9, title: "Algebra" } });
  const { session, seen } = await inTheRoom(server);
  assert.equal(session.view.phase, "waiting");
  assert.equal(session.view.liveSession.title, "Algebra");
  assert.equal(seen.entered, 0);
  assert.equal(server.held.has(9), false, "the wish to start the class may go out");
  server.tell("room_opened", { live_session_id: 9, ...JOINED, epoch: "e1", seq: 0, snapshot: SNAPSHOT });
  await settled();
  assert.equal(session.view.phase, "in");
  assert.equal(seen.entered, 1);
});

test("a closed room stays closed, whatever the connection does, and says why", async () => {
  const server = aServer();
  const { session } = await inTheRoom(server);
  server.tell("room_closed", { live_session_id: 9, reason: "removed" });
  server.down();
  server.up();
  await settled();
  assert.deepEqual([session.view.phase, session.view.reason], ["closed", "removed"]);
  assert.equal(server.wishes.filter(({ event }) => event === "join").length, 1);
  assert.deepEqual(server.dropped, ["room_closed"]);
});

test("the facts of another room change nothing", async () => {
  const server = aServer();
  const { session } = await inTheRoom(server);
  server.tell("room_closed", { live_session_id: 10, reason: "ended" });
  server.tell("timeline", { live_session_id: 10, epoch: "x", events: [line(50)] });
  server.tell("presence", { live_session_id: 10, changes: [{ user_id: 3, online: true, in_room: true }] });
  assert.equal(session.view.phase, "in");
  assert.equal(session.view.roster[1].in_room, false);
});

test("a refusal is shown with the server's sentence, and asking again is possible", async () => {
  const server = aServer();
  server.refusal = { code: "not_enrolled", detail: "You are not enrolled in this course.", status: 403 };
  const { session } = await inTheRoom(server);
  assert.equal(session.view.phase, "refused");
  assert.equal(session.view.problem.message, "You are not enrolled in this course.");
  server.refusal = null;
  session.again();
  await settled();
  assert.equal(session.view.phase, "in");
});

test("one who was removed, or comes after the end, is told so instead of an error", async () => {
  for (const [code, reason] of [["removed_from_session", "removed"], ["session_not_live", "ended"]]) {
    const server = aServer();
    server.refusal = { code, status: 403 };
    const { session } = await inTheRoom(server);
    assert.deepEqual([session.view.phase, session.view.reason], ["closed", reason]);
  }
});

test("a busy server is asked again after the time it names", async () => {
  const server = aServer();
  server.refusal = { code: "rate_limited", status: 429, retry_after: 4 };
  const { session, clock } = await inTheRoom(server);
  assert.deepEqual(clock.waiting.map(({ seconds }) => seconds), [4]);
  server.refusal = null;
  clock.pass();
  await settled();
  assert.equal(session.view.phase, "in");
});

test("presence moves the roster, and somebody new on it makes the tab ask for it again", async () => {
  const server = aServer();
  const { session, clock, seen } = await inTheRoom(server);
  server.tell("presence", { live_session_id: 9, changes: [{ user_id: 3, online: true, in_room: true }] });
  assert.equal(session.view.roster[1].in_room, true);
  server.tell("presence", { live_session_id: 9, changes: [{ user_id: 4, online: true, in_room: true }] });
  server.roster = [...server.roster, entry(4, "Dai", true)];
  server.log = [line(1)];
  clock.pass();
  await settled();
  assert.equal(session.view.roster.at(-1).user.name, "Dai");
  assert.equal(session.view.room.seq, 1);
  assert.equal(seen.entered, 1);
});

test("leaving tells the server and stops listening", async () => {
  const server = aServer();
  const { session, seqs } = await inTheRoom(server);
  session.close();
  session.close();
  server.say([line(1)]);
  assert.deepEqual(seqs(), []);
  assert.deepEqual(server.wishes.map(({ event }) => event), ["join", "leave"]);
});

test("credentials for a relay are renewed within the hour, without entering anew and without losing a line", async () => {
  const server = aServer();
  server.relays = [{ urls: ["turn:a"], username: "1", credential: "x" }];
  const { session, seen, clock, seqs } = await inTheRoom(server);
  assert.deepEqual(session.view.iceServers, server.relays);
  server.relays = [{ urls: ["turn:a"], username: "2", credential: "y" }];
  server.log = [line(1)];
  assert.ok(clock.waiting[0].seconds >= 2400 && clock.waiting[0].seconds <= 3000);
  clock.pass();
  await settled();
  assert.deepEqual(seen.renewed, [server.relays]);
  assert.deepEqual([seen.entered, session.view.isCurrent, seqs()], [1, true, [1]]);
  server.down();
  server.up();
  await settled();
  assert.deepEqual([seen.entered, seen.renewed.length], [2, 1]);
});

test("without a relay nothing is renewed", async () => {
  const server = aServer();
  const { clock } = await inTheRoom(server);
  clock.pass();
  await settled();
  assert.equal(server.wishes.length, 1);
});
