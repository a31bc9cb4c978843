/**
 * The connection on which this tab sees and hears: the server offers a pool of lines and says who is on which.
 *
 * Lines change hands without a new description, `track` fires once per line and `mute` never does: the bindings are
 * the only truth about who is in a picture. Each slot remembers since which revision its picture is somebody's, so that a
 * tile shows nothing until the first frame after it.
 */
import { isPatience, isUnanswered } from "../live/problem.js";
import { BackOff } from "./back_off.js";
import { OURS, watch } from "./watch.js";

/** @typedef {{user_id: number, source: string, after?: number, refused?: string}|null} Binding */
/** @typedef {{mid: string, kind: "audio"|"video", track: MediaStreamTrack, binding: Binding, since: number}} Slot */
/** @typedef {"idle"|"connecting"|"on"|"refused"} ReceiveState */

/** Server facts kept while the first answer is on its way; more cannot be of that subscription. */
const EARLY = 50;

const FINAL = new Set(["unknown_event", "room_closed", "session_not_live", "removed_from_session", "not_allowed"]);

export class Subscriber {
  /**
   * @param {{wish: (event: string, payload: object) => Promise<any>, newPeer: () => RTCPeerConnection,
   *   onState: (state: ReceiveState) => void, onSlots: (slots: Slot[]) => void,
   *   after: (seconds: number, act: () => void) => unknown}} ports
   */
  constructor({ wish, newPeer, onState, onSlots, after }) {
    this.wish = wish;
    this.newPeer = newPeer;
    this.onState = onState;
    this.onSlots = onSlots;
    this.after = after;
    this.backOff = new BackOff(after);
    /** @type {RTCPeerConnection|null} */
    this.pc = null;
    /** Counts connections, so that what belongs to an older one is recognized. */
    this.life = 0;
    this.revision = 0;
    /** Raised with every change of hands, also across connections; what tiles compare. */
    this.changes = 0;
    /** @type {Map<string, {binding: Binding, since: number}>} */
    this.hands = new Map();
    /** @type {Map<string, MediaStreamTrack>} */
    this.tracks = new Map();
    /** @type {any[]|null} Facts that came before the subscription's own answer. */
    this.early = null;
    /** Offers are answered one after the other. */
    this.turn = Promise.resolve();
    this.isInRoom = false;
  }

  /** In the room, anew after every return. */
  enter() {
    this.isInRoom = true;
    this.rebuild();
  }

  close() {
    this.isInRoom = false;
    this.#drop();
    this.onState("idle");
  }

  /** The server closed our side. @param {string} reason */
  closed(reason) {
    if (reason !== OURS) this.rebuild();
  }

  /** Ask for everything anew on a new connection. */
  async rebuild() {
    this.#drop();
    if (!this.isInRoom) return;
    const life = this.life;
    this.early = [];
    this.onState("connecting");
    try {
      const offer = await this.wish("media_subscribe", {});
      if (life !== this.life) return;
      this.pc = this.#connect(life);
      this.revision = -1;
      const early = this.early ?? [];
      this.early = null;
      await this.#take(offer, life);
      for (const fact of early) if (fact.revision > offer.revision) this.heard(fact);
      this.backOff.succeeded();
    } catch (error) {
      this.#failed(/** @type {any} */ (error), life);
    }
  }

  /** A `media_offer` (with sdp) or `media_bindings` (without). @param {any} fact */
  heard(fact) {
    if (this.early) {
      this.early.push(fact);
      if (this.early.length > EARLY) this.early.shift();
      return;
    }
    if (!this.pc) return;
    const life = this.life;
    this.turn = this.turn
      .then(() => this.#take(fact, life))
      .catch((error) => this.#failed(error, life));
  }

  /** @param {{revision: number, sdp?: string, bindings: Record<string, Binding>}} fact @param {number} life */
  async #take(fact, life) {
    const pc = this.pc;
    if (life !== this.life || !pc || fact.revision <= this.revision) return;
    this.revision = fact.revision;
    if (fact.bindings) this.#bind(fact.bindings);
    if (!fact.sdp) return this.#tell();
    await pc.setRemoteDescription({ type: "offer", sdp: fact.sdp });
    await pc.setLocalDescription(await pc.createAnswer());
    if (life !== this.life) return;
    this.#tell();
    await this.wish("media_answer", { revision: fact.revision, sdp: pc.localDescription?.sdp });
  }

  /** @param {Record<string, Binding>} bindings The whole truth: a line that is not in it is nobody's. */
  #bind(bindings) {
    this.changes += 1;
    for (const mid of new Set([...this.hands.keys(), ...Object.keys(bindings)])) {
      const before = this.hands.get(mid)?.binding ?? null;
      const now = bindings[mid] ?? null;
      const isSame = before?.user_id === now?.user_id && before?.source === now?.source && this.hands.has(mid);
      if (isSame && before?.refused !== now?.refused) this.hands.set(mid, { binding: now, since: this.hands.get(mid)?.since ?? 0 });
      if (!isSame) this.hands.set(mid, { binding: now, since: this.changes });
    }
  }

  #tell() {
    /** @type {Slot[]} */
    const slots = [];
    for (const [mid, track] of this.tracks) {
      const { binding = null, since = 0 } = this.hands.get(mid) ?? {};
      slots.push({ mid, kind: /** @type {"audio"|"video"} */ (track.kind), track, binding, since });
    }
    this.onSlots(slots);
  }

  /** @param {number} life */
  #connect(life) {
    const pc = this.newPeer();
    const current = (/** @type {() => void} */ act) => () => void (life === this.life && act());
    pc.addEventListener("track", ({ transceiver, track }) => {
      if (life !== this.life || transceiver.mid === null) return;
      this.tracks.set(transceiver.mid, track);
      this.#tell();
    });
    watch(pc, {
      connected: current(() => this.onState("on")),
      restart: current(() => this.#restart(life)),
      rebuild: current(() => this.rebuild()),
      after: this.after,
    });
    return pc;
  }

  /** @param {number} life */
  async #restart(life) {
    this.onState("connecting");
    try {
      this.heard(await this.wish("media_restart", { side: "subscribe" }));
    } catch {
      if (life === this.life) this.rebuild(); // whoever answered does not know this connection any more
    }
  }

  #drop() {
    this.life += 1;
    this.backOff.cancel();
    this.early = null;
    const pc = this.pc;
    this.pc = null;
    this.hands.clear();
    this.tracks.clear();
    pc?.close();
    this.onSlots([]);
  }

  /** @param {Error & {code?: string}} error @param {number} life */
  #failed(error, life) {
    if (life !== this.life) return;
    this.#drop();
    if (error.code === "offline" || error.code === "interrupted") return; // entering again starts over
    if (error.code && FINAL.has(error.code)) return this.onState("refused");
    this.onState("connecting");
    if (!isPatience(error) && !isUnanswered(error)) console.warn("Receiving failed; trying again", error);
    this.backOff.again(() => this.rebuild());
  }
}
