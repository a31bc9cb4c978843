/**
 * A whole class inside one page: stands in for static/js/socket.js, so that the room page is tested without a server.
 *
 * The connection and its outbox are the real ones; behind them answer a timeline and two real peer connections. Tests move
 * it through `window.world`: `say(type, actor, payload)`, `down()`, `up()`, `close(reason)`, `people`, `answers`.
 */
import { signal } from "../vendor/vendor.js";
import { Connection } from "./live/connection.js";
import { testPicture, testTone } from "./media/test_source.js";
import { evolve, initial, snapshotOf } from "./store/room.js";

const ROOM = 9;
const POLICY = { chat: "all", microphones: "instructor", cameras: "instructor", screens: "instructor", hands: "all", peers: "instructor" };
const { me, people, waiting = false, events = [], refusal = null } = window.scene;

const shown = ({ id, name, avatar_url = null }) => ({ id, name, avatar_url });
const host = people.find((one) => one.role === "instructor");
const status = signal("offline");
let socket = null;
let isDown = false;

const world = {
  room: initial({
    status: "live", host: shown(host),
    participants: people.filter((one) => one.in_room).map((one) => ({ user_id: one.id, name: one.name, avatar_url: null, role: one.role, in_room: true })),
    hands: [], floor: [], muted: [], policy: POLICY, polls: [], questions: [], tracks: [], chat: { lines: [], earlier: false },
  }),
  log: [], wishes: [], answers: {}, waiting, refusal, publishing: null,
  say(type, actor_id, payload = {}, client_id = null) {
    const event = { seq: world.room.seq + 1, at: new Date().toISOString(), type, actor_id, client_id, payload };
    world.room = evolve(world.room, event);
    world.log.push(event);
    tell("timeline", { live_session_id: ROOM, epoch: "e1", events: [event] });
    if (type.startsWith("track_")) media.rebind();
    return event.seq;
  },
  down() {
    isDown = true;
    socket?.drop("transport close");
  },
  up() {
    isDown = false;
    socket?.connect();
  },
  open() {
    world.waiting = false;
    tell("room_opened", { live_session_id: ROOM, ...joined() });
  },
  close: (reason) => tell("room_closed", { live_session_id: ROOM, reason }),
  present(user_id, in_room) {
    Object.assign(people.find((one) => one.id === user_id), { in_room, online: true });
    tell("presence", { live_session_id: ROOM, changes: [{ user_id, online: true, in_room, connections: 1 }] });
  },
  loseMedia: () => media.lose(),
  aside: (event, payload) => tell(event, { live_session_id: ROOM, ...payload }),
};
window.world = world;

const tell = (event, payload) => socket?.connected && socket.any.forEach((hear) => hear(event, payload));
const role = people.find((one) => one.id === me).role;
const joined = () => ({
  ok: true, epoch: "e1", seq: world.room.seq, snapshot: snapshotOf(world.room), you: { user_id: me, role, may: [] }, ice_servers: [],
  roster: people.map((one) => ({ user: shown(one), role: one.role, online: Boolean(one.online), in_room: Boolean(one.in_room) })),
});

/** Descriptions of this side name all ways to it, as those of a server with one port do. */
async function gathered(pc) {
  if (pc.iceGatheringState !== "complete")
    await new Promise((resolve) => pc.addEventListener("icegatheringstatechange", () => pc.iceGatheringState === "complete" && resolve()));
  return pc.localDescription.sdp;
}

const media = {
  revision: 0, up: null, down: null, pool: [],
  pictures: new Map(),
  others: () => world.room.tracks.filter((track) => track.user_id !== me),
  async publish({ sdp, tracks }) {
    media.up ??= new RTCPeerConnection();
    const { up } = media;
    await up.setRemoteDescription({ type: "offer", sdp });
    await up.setLocalDescription(await up.createAnswer());
    for (const { source } of tracks)
      if (!world.room.tracks.some((track) => track.user_id === me && track.source === source)) world.say("track_published", me, { user_id: me, source });
    return { sdp: await gathered(up) };
  },
  async subscribe() {
    media.down?.close();
    const pc = (media.down = new RTCPeerConnection());
    media.pool = [];
    for (let slot = 0; slot < 3; slot += 1)
      for (const kind of ["audio", "video"]) media.pool.push({ kind, slot, line: pc.addTransceiver(kind, { direction: "sendonly" }) });
    await pc.setLocalDescription(await pc.createOffer());
    const sdp = await gathered(pc);
    return { revision: (media.revision += 1), sdp, bindings: media.bind() };
  },
  bind() {
    const users = [...new Set(media.others().map((track) => track.user_id))];
    const bindings = {};
    for (const { kind, slot, line } of media.pool) {
      const source = kind === "audio" ? "microphone" : "camera";
      const track = media.others().find((one) => one.user_id === users[slot] && one.source === source);
      line.sender.replaceTrack(track ? media.picture(track) : null);
      bindings[line.mid] = track ? { user_id: track.user_id, source } : null;
    }
    return bindings;
  },
  picture({ user_id, source }) {
    const key = `${user_id}-${source}`;
    const name = people.find((one) => one.id === user_id).name;
    if (!media.pictures.has(key)) media.pictures.set(key, source === "camera" ? testPicture(name) : testTone());
    return media.pictures.get(key);
  },
  rebind() {
    if (media.pool.length) tell("media_bindings", { live_session_id: ROOM, revision: (media.revision += 1), bindings: media.bind() });
  },
  lose() {
    media.up?.close();
    media.down?.close();
    Object.assign(media, { up: null, down: null, pool: [] });
    for (const { user_id, source } of world.room.tracks.filter((track) => track.user_id === me)) world.say("track_unpublished", null, { user_id, source });
    for (const side of ["publish", "subscribe"]) tell("media_closed", { live_session_id: ROOM, side, reason: "worker_lost" });
  },
};

const refuse = (code, detail) => ({ ok: false, error: { code, detail, status: 403 } });
const durable = (type, actor, payload, client_id) => ({ ok: true, seq: world.say(type, actor, payload, client_id), at: new Date().toISOString() });

const ANSWERS = {
  join: () => (world.refusal ? { ok: false, error: world.refusal }
    : world.waiting ? { ok: true, waiting: true, live_session: window.scene.about } : joined()),
  leave: () => ({ ok: true }),
  sync: () => ({ ok: true, epoch: "e1", seq: world.room.seq, snapshot: snapshotOf(world.room) }),
  chat_send: ({ text, client_id }) => durable("chat_posted", me, { text, reply_to: null }, client_id),
  chat_edit: ({ seq, text, client_id }) => durable("chat_edited", me, { seq, text }, client_id),
  chat_delete: ({ seq, client_id }) => durable("chat_deleted", me, { seq }, client_id),
  chat_react: ({ seq, emoji, on, client_id }) => durable("chat_reacted", me, { seq, emoji, on }, client_id),
  typing: () => ({ ok: true }),
  participant_mute: ({ user_id, sources, muted, client_id }) => durable("participant_muted", me, { user_id, sources, muted }, client_id),
  participant_remove: ({ user_id, client_id }) => durable("participant_removed", me, { user_id }, client_id),
  policy_set: ({ live_session_id, client_id, ...changes }) => durable("policy_changed", me, { ...world.room.policy, ...changes }, client_id),
  poll_open: ({ question, options, multiple, hidden, client_id }) => durable("poll_opened", me, { question, options, multiple, hidden }, client_id),
  poll_answer: () => ({ ok: true, seq: world.room.seq, at: new Date().toISOString() }),
  poll_close: ({ poll, client_id }) => durable("poll_closed", me, { poll, tally: [2, 1] }, client_id),
  question_ask: ({ text, client_id }) => durable("question_asked", me, { text }, client_id),
  question_vote: ({ question, on }) => durable("question_voted", null, { question, votes: on ? 1 : 0 }, null),
  question_resolve: ({ question, client_id }) => durable("question_resolved", me, { question }, client_id),
  hand_raise: ({ client_id }) => durable("hand_raised", me, { user_id: me }, client_id),
  hand_lower: ({ user_id = me, client_id }) => durable("hand_lowered", me, { user_id }, client_id),
  floor_give: ({ user_id, client_id }) => durable("floor_given", me, { user_id }, client_id),
  floor_take: ({ user_id, client_id }) => durable("floor_taken", me, { user_id }, client_id),
  session_start: () => (world.open(), { ok: true, seq: world.room.seq }),
  session_end: ({ client_id }) => {
    const answer = durable("session_ended", me, { reason: "ended" }, client_id);
    world.close("ended");
    return answer;
  },
  media_publish: (wish) => media.publish(wish),
  media_subscribe: () => media.subscribe(),
  media_answer: async ({ sdp }) => (await media.down?.setRemoteDescription({ type: "answer", sdp }), {}),
  media_unpublish: ({ sources }) => {
    for (const source of sources) world.say("track_unpublished", me, { user_id: me, source });
    return {};
  },
  media_prefer: () => ({ ok: true }),
  media_restart: () => refuse("invalid", "No such connection."),
};

class WorldSocket {
  constructor(auth) {
    Object.assign(this, { auth, connected: false, active: true, handlers: {}, any: [], io: {} });
    socket = this;
  }
  on(event, handler) {
    this.handlers[event] = handler;
  }
  onAny(handler) {
    this.any.push(handler);
  }
  connect() {
    if (!isDown && !this.connected)
      this.auth(() => {
        this.connected = true;
        this.handlers.connect();
      });
    return this;
  }
  disconnect() {
    return this;
  }
  drop(reason) {
    this.connected = false;
    this.handlers.disconnect(reason);
  }
  timeout() {
    return {
      emit: async (event, payload, callback) => {
        world.wishes.push({ event, payload });
        const answer = await (world.answers[event] ?? ANSWERS[event] ?? (() => refuse("unknown_event", "Unknown.")))(payload);
        if (answer === null) return; // a server that never answers
        if (this.connected) callback(null, { ok: true, ...answer });
        else callback(new Error("gone"));
      },
    };
  }
}

const connection = new Connection({
  open: (auth) => new WorldSocket(auth), token: async () => "token", signedOut: () => {}, onStatus: (now) => (status.value = now),
});
for (const [type, actor, payload] of events) world.say(type, actor, payload);

export const connectLive = () => connection.start();
export const disconnectLive = () => connection.stop();
export const live = {
  status, on: connection.on.bind(connection), wish: connection.wish.bind(connection), outbox: connection.outbox,
  get isUp() {
    return connection.isUp;
  },
  notificationsAfter() {},
};
