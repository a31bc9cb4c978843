/** The two media connections and the devices, with peer connections that connect when told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LiveProblem, lost } from "../../static/js/live/problem.js";
import { Capture, faultOf } from "../../static/js/media/capture.js";
import { encodings } from "../../static/js/media/encodings.js";
import { Looking } from "../../static/js/media/looking.js";
import { Publisher } from "../../static/js/media/publisher.js";
import { Speakers } from "../../static/js/media/speakers.js";
import { Subscriber } from "../../static/js/media/subscriber.js";
import { tiles } from "../../static/js/store/tiles.js";
import { settled, StillClock } from "./room_socket.fake.mjs";

class FakePeer extends EventTarget {
  connectionState = "new";
  signalingState = "stable";
  lines = [];
  restarts = 0;

  addTransceiver(track, { direction }) {
    const line = { mid: null, direction, sender: { track, replaceTrack: async (next) => (line.sender.track = next) } };
    this.lines.push(line);
    return line;
  }
  async createOffer() {
    return { type: "offer", sdp: `offer of ${this.lines.map((line) => line.sender.track)}` };
  }
  async createAnswer() {
    return { type: "answer", sdp: "answer" };
  }
  async setLocalDescription(description) {
    this.localDescription = description;
    this.lines.forEach((line, at) => (line.mid ??= String(at)));
  }
  async setRemoteDescription(description) {
    this.remoteDescription = description;
  }
  restartIce() {
    this.restarts += 1;
  }
  close() {
    this.connectionState = "closed";
  }
  become(state) {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
  }
  offerTrack(mid, track) {
    this.dispatchEvent(Object.assign(new Event("track"), { transceiver: { mid }, track }));
  }
}

function aSide(Side, answers) {
  const clock = new StillClock();
  const seen = { wishes: [], peers: [], states: [], slots: [] };
  const side = new Side({
    wish: async (event, payload) => {
      seen.wishes.push([event, payload]);
      const answer = answers[event]?.(payload, seen.wishes.length) ?? {};
      if (answer instanceof Error) throw answer;
      return answer;
    },
    newPeer: () => seen.peers[seen.peers.push(new FakePeer()) - 1],
    onState: (state) => seen.states.push(state),
    onSlots: (slots) => (seen.slots = slots),
    after: (seconds, act) => clock.after(seconds, act),
  });
  return { side, seen, clock, events: () => seen.wishes.map(([event]) => event) };
}

const BOTH = new Map([["microphone", "mic-1"], ["camera", "cam-1"]]);
const PUBLISHES = { media_publish: () => ({ sdp: "answer" }), media_restart: () => ({ sdp: "answer" }) };

test("publisher: what is wanted goes out in one offer once in the room", async () => {
  const { side, seen } = aSide(Publisher, PUBLISHES);
  side.want(BOTH);
  await settled();
  assert.deepEqual(seen.wishes, []);
  side.enter();
  await settled();
  assert.deepEqual(seen.wishes, [["media_publish", {
    sdp: "offer of mic-1,cam-1", tracks: [{ mid: "0", source: "microphone" }, { mid: "1", source: "camera" }],
  }]]);
  seen.peers[0].become("connected");
  assert.equal(seen.states.at(-1), "on");
});

test("publisher: another device takes the line of the first without a negotiation", async () => {
  const { side, seen, events } = aSide(Publisher, PUBLISHES);
  side.want(BOTH);
  side.enter();
  await settled();
  side.want(new Map([["microphone", "mic-1"], ["camera", "cam-2"]]));
  await settled();
  assert.deepEqual(events(), ["media_publish"]);
  assert.equal(seen.peers[0].lines[1].sender.track, "cam-2");
});

test("publisher: a camera turned off is unpublished and comes back on its own line", async () => {
  const { side, seen, events } = aSide(Publisher, PUBLISHES);
  side.want(BOTH);
  side.enter();
  await settled();
  side.want(new Map([["microphone", "mic-1"]]));
  await settled();
  assert.deepEqual(seen.wishes[1], ["media_unpublish", { sources: ["camera"] }]);
  side.want(new Map([["microphone", "mic-1"], ["camera", "cam-2"]]));
  await settled();
  assert.deepEqual(events(), ["media_publish", "media_unpublish", "media_publish"]);
  assert.equal(seen.peers.length, 1);
  assert.equal(seen.peers[0].lines.length, 2);
});

test("publisher: with nothing left to send the connection is closed", async () => {
  const { side, seen } = aSide(Publisher, PUBLISHES);
  side.want(BOTH);
  side.enter();
  await settled();
  side.want(new Map());
  await settled();
  assert.equal(seen.peers[0].connectionState, "closed");
  assert.deepEqual(seen.wishes.at(-1), ["media_unpublish", { sources: ["microphone", "camera"] }]);
  assert.equal(seen.states.at(-1), "idle");
});

test("publisher: entering again publishes the same tracks on a new connection and closes the old one", async () => {
  const { side, seen, events } = aSide(Publisher, PUBLISHES);
  side.want(BOTH);
  side.enter();
  await settled();
  side.enter();
  await settled();
  assert.deepEqual(events(), ["media_publish", "media_publish"]);
  assert.deepEqual(seen.peers.map((pc) => pc.connectionState), ["closed", "new"]);
});

test("publisher: while the media worker is away it is asked again, sooner first", async () => {
  let isAway = true;
  const { side, seen, clock } = aSide(Publisher, {
    media_publish: () => (isAway ? new LiveProblem({ code: "media_away", status: 503 }) : { sdp: "answer" }),
  });
  side.want(BOTH);
  side.enter();
  await settled();
  const waits = [];
  for (let turn = 0; turn < 4; turn += 1) {
    waits.push(Math.min(...clock.waiting.map(({ seconds }) => seconds)));
    clock.pass();
    await settled();
  }
  assert.deepEqual(waits, [0.5, 1, 2, 2]);
  isAway = false;
  clock.pass();
  await settled();
  assert.equal(seen.peers.at(-1).remoteDescription.sdp, "answer");
});

test("publisher: a refusal is final, a broken connection waits for the next entry", async () => {
  for (const [error, state] of [[new LiveProblem({ code: "not_allowed", status: 403 }), "refused"], [lost("interrupted"), "connecting"]]) {
    const { side, seen, clock } = aSide(Publisher, { media_publish: () => error });
    side.want(BOTH);
    side.enter();
    await settled();
    clock.pass();
    await settled();
    assert.equal(seen.wishes.length, 1);
    assert.equal(seen.states.at(-1), state);
  }
});

test("publisher: replaced by another tab it stops instead of fighting", async () => {
  const { side, seen, events } = aSide(Publisher, PUBLISHES);
  side.want(BOTH);
  side.enter();
  await settled();
  side.closed("replaced");
  await settled();
  assert.deepEqual(events(), ["media_publish"]);
  assert.equal(seen.states.at(-1), "elsewhere");
});

test("both: a connection that this page closed itself is not made anew, one that was lost is", async () => {
  const publishing = aSide(Publisher, PUBLISHES);
  publishing.side.want(BOTH);
  publishing.side.enter();
  const subscribing = await subscribed();
  for (const { side, seen } of [publishing, subscribing]) {
    await settled();
    side.closed("gone");
    await settled();
    assert.equal(seen.peers.length, 1);
    side.closed("worker_lost");
    await settled();
    assert.equal(seen.peers.length, 2);
  }
});

test("publisher: a failed path is restarted, and a restart nobody knows becomes a new connection", async () => {
  let knows = true;
  const { side, seen, events } = aSide(Publisher, {
    ...PUBLISHES, media_restart: () => (knows ? { sdp: "answer" } : new LiveProblem({ code: "invalid" })),
  });
  side.want(BOTH);
  side.enter();
  await settled();
  seen.peers[0].become("connected");
  seen.peers[0].become("failed");
  await settled();
  assert.deepEqual([seen.peers[0].restarts, events()], [1, ["media_publish", "media_restart"]]);
  seen.peers[0].become("connected");
  knows = false;
  seen.peers[0].become("failed");
  await settled();
  assert.deepEqual(events(), ["media_publish", "media_restart", "media_restart", "media_publish"]);
  assert.equal(seen.peers.length, 2);
});

test("publisher: a handshake that was disturbed is tried anew on another connection, after a moment", async () => {
  const { side, seen, events, clock } = aSide(Publisher, PUBLISHES);
  side.want(BOTH);
  side.enter();
  await settled();
  seen.peers[0].iceConnectionState = "connected";
  seen.peers[0].become("failed");
  await settled();
  assert.deepEqual(events(), ["media_publish"]);
  clock.pass();
  await settled();
  assert.deepEqual(events(), ["media_publish", "media_publish"]);
  assert.equal(seen.peers.length, 2);
});

test("publisher: a path that is only shaky recovers by itself", async () => {
  const { side, seen, clock, events } = aSide(Publisher, PUBLISHES);
  side.want(BOTH);
  side.enter();
  await settled();
  seen.peers[0].become("connected");
  seen.peers[0].become("disconnected");
  seen.peers[0].become("connected");
  clock.pass();
  await settled();
  assert.deepEqual(events(), ["media_publish"]);
});

const ANA = { user_id: 1, source: "camera" };
const BO = { user_id: 2, source: "camera" };
const offerOf = (revision, bindings) => ({ revision, sdp: `offer ${revision}`, bindings });

async function subscribed(bindings = { 0: ANA }) {
  const all = aSide(Subscriber, { media_subscribe: () => offerOf(1, bindings), media_restart: () => offerOf(9, bindings) });
  all.side.enter();
  await settled();
  all.seen.peers[0].offerTrack("0", { kind: "video" });
  all.seen.peers[0].become("connected");
  return all;
}

test("subscriber: it answers the pool it is offered, and the bindings say who is in a picture", async () => {
  const { seen } = await subscribed();
  assert.deepEqual(seen.wishes.at(-1), ["media_answer", { revision: 1, sdp: "answer" }]);
  assert.deepEqual(seen.slots.map(({ mid, kind, binding }) => [mid, kind, binding]), [["0", "video", ANA]]);
});

test("subscriber: a line that changes hands hides its picture, one that does not keeps it", async () => {
  const { side, seen } = await subscribed({ 0: ANA, 2: BO });
  seen.peers[0].offerTrack("2", { kind: "video" });
  const since = () => seen.slots.map((slot) => slot.since);
  const before = since();
  side.heard({ revision: 2, bindings: { 0: BO, 2: BO } });
  await settled();
  assert.notEqual(since()[0], before[0]);
  assert.equal(since()[1], before[1]);
  side.heard({ revision: 3, bindings: { 2: BO } });
  await settled();
  assert.equal(seen.slots[0].binding, null);
});

test("subscriber: a picture this browser cannot play is known as such, and nobody has changed hands by it", async () => {
  const { side, seen } = await subscribed();
  const before = seen.slots[0].since;
  side.heard({ revision: 2, bindings: { 0: { ...ANA, refused: "codec_unsupported" } } });
  await settled();
  assert.equal(seen.slots[0].binding.refused, "codec_unsupported");
  assert.equal(seen.slots[0].since, before);
  const people = [{ user_id: ANA.user_id, name: "Ana", is_you: false, in_room: true, role: "instructor" }];
  const room = { host: ANA.user_id, floor: [], tracks: [ANA], status: "live" };
  const [tile] = tiles(room, people, { slots: seen.slots, tracks: new Map(), isMuted: false, isTest: false });
  assert.equal(tile.isUnplayable, true);
  assert.equal(tile.track, null);
});

test("subscriber: an older revision that arrives late changes nothing", async () => {
  const { side, seen } = await subscribed();
  side.heard({ revision: 3, bindings: { 0: BO } });
  side.heard({ revision: 2, bindings: { 0: ANA } });
  await settled();
  assert.deepEqual(seen.slots[0].binding, BO);
});

test("subscriber: bindings that overtake the subscription's answer count after it", async () => {
  let answer;
  const { side, seen } = aSide(Subscriber, { media_subscribe: () => new Promise((go) => (answer = go)) });
  side.enter();
  side.heard({ revision: 7, bindings: { 0: null } }); // of a former subscription, on its way when this one was asked for
  side.heard({ revision: 9, bindings: { 0: BO } });
  answer(offerOf(8, { 0: ANA }));
  await settled();
  seen.peers[0].offerTrack("0", { kind: "video" });
  await settled();
  assert.deepEqual(seen.slots[0].binding, BO);
});

test("subscriber: a new worker counts from one again, and all is asked for anew", async () => {
  const { side, seen, events } = await subscribed();
  side.heard({ revision: 40, bindings: { 0: BO } });
  await settled();
  side.rebuild();
  assert.deepEqual(seen.slots, []);
  await settled();
  seen.peers[1].offerTrack("0", { kind: "video" });
  assert.deepEqual(events(), ["media_subscribe", "media_answer", "media_subscribe", "media_answer"]);
  assert.deepEqual(seen.slots[0].binding, ANA);
  assert.equal(seen.peers[0].connectionState, "closed");
});

test("subscriber: a lost path asks the server for a restart on the same connection", async () => {
  const { seen, events, clock } = await subscribed();
  seen.peers[0].become("disconnected");
  clock.pass();
  await settled();
  assert.deepEqual(events().slice(2), ["media_restart", "media_answer"]);
  assert.equal(seen.peers.length, 1);
});

const OFF = { audio: null, video: null };

function devicesOf(failures = OFF) {
  const asked = [];
  const track = (kind) => Object.assign(new EventTarget(), {
    kind, enabled: true, readyState: "live", stop() { this.readyState = "ended"; }, getSettings: () => ({ deviceId: `${kind}-device` }),
  });
  const devices = {
    asked,
    async getUserMedia({ audio, video }) {
      asked.push([audio && "audio", video && "video"].filter(Boolean).join("+"));
      const failure = (audio && failures.audio) || (video && failures.video);
      if (failure) throw Object.assign(new Error(), { name: failure });
      return { getAudioTracks: () => (audio ? [track("audio")] : []), getVideoTracks: () => (video ? [track("video")] : []) };
    },
  };
  const views = [];
  const capture = new Capture({ devices, name: () => "Ana", onChange: (view) => views.push(view) });
  return { capture, asked, views, failures };
}

test("capture: both devices are asked for at once and told together", async () => {
  const { capture, asked, views } = devicesOf();
  await capture.open(["microphone", "camera"]);
  assert.deepEqual(asked, ["audio+video"]);
  assert.deepEqual([capture.view.microphone.state, capture.view.camera.state], ["on", "on"]);
  assert.ok(!views.some((view) => (view.microphone.state === "on") !== (view.camera.state === "on")));
});

test("capture: where one device is missing the other works", async () => {
  const { capture } = devicesOf({ audio: null, video: "NotFoundError" });
  await capture.open(["microphone", "camera"]);
  assert.equal(capture.view.microphone.state, "on");
  assert.deepEqual([capture.view.camera.state, capture.view.camera.fault], ["fault", "missing"]);
});

test("capture: a refused question is not asked a second time by itself", async () => {
  const { capture, asked } = devicesOf({ audio: "NotAllowedError", video: "NotAllowedError" });
  await capture.open(["microphone", "camera"]);
  assert.deepEqual(asked, ["audio+video"]);
  assert.deepEqual([capture.view.microphone.fault, capture.view.camera.fault], ["refused", "refused"]);
});

test("capture: what browsers call it, and what it is", () => {
  const names = { NotAllowedError: "refused", NotFoundError: "missing", OverconstrainedError: "missing", NotReadableError: "busy", TypeError: "failed" };
  for (const [name, fault] of Object.entries(names)) assert.equal(faultOf({ name }), fault);
});

test("capture: a page that is not secure has no devices, and that is said", async () => {
  const capture = new Capture({ devices: undefined, name: () => "Ana", onChange: () => {} });
  await capture.open(["camera"]);
  assert.equal(capture.view.camera.fault, "insecure");
});

test("capture: a muted microphone keeps its track, also across a change of device", async () => {
  const { capture } = devicesOf();
  await capture.open(["microphone"]);
  capture.mute(true);
  const first = capture.tracks.get("microphone");
  assert.equal(first.enabled, false);
  await capture.choose("microphone", "other");
  assert.equal(first.readyState, "ended");
  assert.equal(capture.tracks.get("microphone").enabled, false);
});

test("capture: an unplugged camera becomes a fault, and trying again brings it back", async () => {
  const { capture } = devicesOf();
  await capture.open(["camera"]);
  capture.tracks.get("camera").dispatchEvent(new Event("ended"));
  assert.equal(capture.view.camera.fault, "missing");
  await capture.open(["camera"]);
  assert.equal(capture.view.camera.state, "on");
});

test("capture: a camera that answers after it was given up is let go of", async () => {
  const { capture } = devicesOf();
  const opening = capture.open(["camera"]);
  capture.close("camera");
  await opening;
  assert.equal(capture.view.camera.state, "off");
  assert.equal(capture.tracks.size, 0);
});

test("speakers: sound the browser holds back is a state, and a click lets it out", async () => {
  globalThis.MediaStream ??= class {};
  let isHeldBack = true;
  const views = [];
  const speakers = new Speakers({
    newPlayer: () => ({ play: async () => { if (isHeldBack) throw Object.assign(new Error(), { name: "NotAllowedError" }); } }),
    onChange: (view) => views.push(view),
  });
  speakers.play(["a", "b"]);
  await settled();
  assert.equal(views.at(-1).isBlocked, true);
  isHeldBack = false;
  speakers.unblock();
  await settled();
  assert.equal(views.at(-1).isBlocked, false);
  speakers.turn(false);
  assert.deepEqual([...speakers.players.values()].map((player) => player.muted), [true, true]);
});

function aLook() {
  const clock = new StillClock();
  const seen = { wishes: [], refusal: null, isHidden: false };
  const looking = new Looking({
    wish: async (event, { sources }) => {
      seen.wishes.push(`${event} ${sources.map(({ user_id, source, paused, width }) => `${user_id}-${source}${width ? ` at ${width}` : ""}${paused ? " paused" : ""}`)}`);
      if (seen.refusal) throw seen.refusal;
    },
    isHidden: () => seen.isHidden,
    after: (seconds, act) => clock.after(seconds, act),
  });
  const slot = (user_id, source) => ({ kind: source === "microphone" ? "audio" : "video", binding: { user_id, source } });
  looking.carry([slot(1, "camera"), slot(1, "microphone"), slot(2, "camera"), { kind: "video", binding: null }]);
  return { looking, seen, clock, slot };
}

test("pictures out of sight are paused after a moment and come back at once; sound stays", async () => {
  const { looking, seen, clock } = aLook();
  looking.saw(2, "camera", false);
  looking.saw(2, "camera", true);
  clock.pass();
  assert.deepEqual(seen.wishes, []);
  looking.saw(2, "camera", false);
  clock.pass();
  await settled();
  seen.isHidden = true;
  looking.look();
  clock.pass();
  await settled();
  seen.isHidden = false;
  looking.look();
  await settled();
  looking.saw(2, "camera", true);
  await settled();
  assert.deepEqual(seen.wishes, [
    "media_prefer 1-camera,2-camera paused", "media_prefer 1-camera paused,2-camera paused",
    "media_prefer 1-camera,2-camera paused", "media_prefer 1-camera,2-camera",
  ]);
});

test("what a hidden tab wants is said anew to a new connection, and to whoever could not hear it", async () => {
  const { looking, seen, clock, slot } = aLook();
  seen.isHidden = true;
  looking.look();
  seen.refusal = lost("interrupted");
  clock.pass();
  await settled();
  seen.refusal = null;
  clock.pass();
  await settled();
  looking.carry([]);
  looking.carry([slot(3, "screen")]);
  clock.pass();
  await settled();
  assert.deepEqual(seen.wishes, [
    "media_prefer 1-camera paused,2-camera paused", "media_prefer 1-camera paused,2-camera paused", "media_prefer 3-screen paused",
  ]);
});

test("a tile's width is told when it has kept it for a moment, in steps", async () => {
  const { looking, seen, clock } = aLook();
  for (const width of [640, 500, 410, 399]) looking.sized(1, "camera", width);
  clock.pass();
  await settled();
  looking.sized(1, "camera", 390);
  clock.pass();
  await settled();
  looking.sized(1, "camera", 401);
  looking.sized(2, "camera", 0);
  clock.pass();
  await settled();
  assert.deepEqual(seen.wishes, ["media_prefer 1-camera at 400,2-camera", "media_prefer 1-camera at 440,2-camera"]);
});

test("the instructor's camera goes out in layers by its size, everything else once", () => {
  const rids = (source, width, isLayered) => encodings(source, width, isLayered).map(({ rid }) => rid ?? "");
  assert.deepEqual(rids("camera", 1280, true), ["l", "m", "h"]);
  assert.deepEqual(rids("camera", 640, true), ["l", "h"]);
  assert.deepEqual(rids("camera", 320, true), [""]);
  assert.deepEqual(rids("camera", undefined, true), [""]);
  assert.deepEqual(rids("camera", 1280, false), [""]);
  assert.deepEqual(rids("screen", 1920, true), [""]);
  const all = encodings("camera", 1280, true).reduce((sum, { maxBitrate = 0 }) => sum + maxBitrate, 0);
  assert.equal(all, 1_770_000); // below what the server lets a camera in layers send
});
