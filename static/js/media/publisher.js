/**
 * The connection on which this tab sends: the browser offers, the server answers.
 *
 * It is told what should be sent and works until that is so; one negotiation at a time. A source added later gets a line
 * of its own; one taken away leaves its line for the next. Whatever breaks (network, media worker, web server), the same
 * tracks go out again on a new connection without anybody's click.
 */
import { isPatience, isUnanswered } from "../live/problem.js";
import { BackOff } from "./back_off.js";
import { encodings } from "./encodings.js";
import { OURS, watch } from "./watch.js";

/** @typedef {"microphone"|"camera"|"screen"|"screen_audio"} Source */
/** @typedef {"idle"|"connecting"|"on"|"refused"|"elsewhere"} SendState */

/** Refusals that no other try changes. */
const FINAL = new Set(["not_allowed", "unknown_event", "room_closed", "session_not_live", "removed_from_session"]);

export class Publisher {
  /**
   * @param {{wish: (event: string, payload: object) => Promise<any>, newPeer: () => RTCPeerConnection,
   *   onState: (state: SendState) => void, after: (seconds: number, act: () => void) => unknown}} ports
   */
  constructor({ wish, newPeer, onState, after }) {
    this.wish = wish;
    this.newPeer = newPeer;
    this.onState = onState;
    this.after = after;
    this.backOff = new BackOff(after);
    /** What should be sent. @type {Map<Source, MediaStreamTrack>} */
    this.wanted = new Map();
    /** What the server has accepted on this connection. @type {Set<Source>} */
    this.sending = new Set();
    /** @type {Map<Source, RTCRtpTransceiver>} */
    this.lines = new Map();
    /** @type {RTCPeerConnection|null} */
    this.pc = null;
    /** Counts connections, so that the failure of an older one is recognized. */
    this.life = 0;
    this.isInRoom = false;
    this.isLayered = false;
    this.isWorking = false;
    this.isDirty = false;
  }

  /** In the room, anew after every return: the server knows nothing of an older connection. @param {boolean} [isLayered] */
  enter(isLayered = false) {
    this.isInRoom = true;
    this.isLayered = isLayered;
    this.rebuild();
  }

  /** Send these and nothing else. @param {Map<Source, MediaStreamTrack>} wanted */
  want(wanted) {
    const same = wanted.size === this.wanted.size && [...wanted].every(([source, track]) => this.wanted.get(source) === track);
    if (same) return;
    this.wanted = new Map(wanted);
    this.#work();
  }

  /** The server closed our side. @param {string} reason */
  closed(reason) {
    if (reason === "replaced") {
      this.wanted.clear();
      this.#drop();
      this.onState("elsewhere");
    } else if (reason !== OURS) this.rebuild();
  }

  /** A new connection with the same tracks. */
  rebuild() {
    this.#drop();
    this.#work();
  }

  close() {
    this.isInRoom = false;
    this.wanted.clear();
    this.backOff.cancel();
    this.#drop();
    this.onState("idle");
  }

  #drop() {
    this.life += 1;
    const pc = this.pc;
    this.pc = null;
    this.lines.clear();
    this.sending.clear();
    this.backOff.cancel();
    pc?.close();
  }

  async #work() {
    this.isDirty = true;
    if (this.isWorking) return;
    this.isWorking = true;
    while (this.isDirty && this.isInRoom) {
      this.isDirty = false;
      const life = this.life;
      try {
        await this.#negotiate();
        if (life === this.life) this.backOff.succeeded();
      } catch (error) {
        if (life === this.life) this.#failed(/** @type {any} */ (error));
      }
    }
    this.isWorking = false;
  }

  async #negotiate() {
    if (!this.wanted.size) {
      const gone = [...this.sending];
      this.#drop();
      this.onState("idle");
      if (gone.length) await this.wish("media_unpublish", { sources: gone });
      return;
    }
    const pc = (this.pc ??= this.#connect());
    const wanted = new Map(this.wanted); // what is wanted meanwhile is the next round's
    for (const [source, track] of wanted) await this.#line(pc, source, track);
    const gone = [...this.sending].filter((source) => !wanted.has(source));
    for (const source of gone) {
      await this.lines.get(source)?.sender.replaceTrack(null);
      this.sending.delete(source);
    }
    if (gone.length) await this.wish("media_unpublish", { sources: gone });
    if ([...wanted.keys()].some((source) => !this.sending.has(source))) await this.#publish(pc, [...wanted.keys()]);
  }

  /** @param {RTCPeerConnection} pc @param {Source} source @param {MediaStreamTrack} track */
  async #line(pc, source, track) {
    const line = this.lines.get(source);
    if (!line) {
      const sendEncodings = encodings(source, track.getSettings?.().width, this.isLayered);
      this.lines.set(source, pc.addTransceiver(track, { direction: "sendonly", sendEncodings }));
    } else if (line.sender.track !== track) await line.sender.replaceTrack(track);
  }

  /** @param {RTCPeerConnection} pc @param {Source[]} sources */
  async #publish(pc, sources) {
    await pc.setLocalDescription(await pc.createOffer());
    const tracks = sources.map((source) => ({ mid: this.lines.get(source)?.mid, source }));
    const { sdp } = await this.wish("media_publish", { sdp: pc.localDescription?.sdp, tracks });
    if (pc !== this.pc) return;
    await pc.setRemoteDescription({ type: "answer", sdp });
    this.sending = new Set(sources);
  }

  #connect() {
    const pc = this.newPeer();
    const current = (/** @type {() => void} */ act) => () => void (pc === this.pc && act());
    this.onState("connecting");
    watch(pc, {
      connected: current(() => this.onState("on")),
      restart: current(() => this.#restart(pc)),
      rebuild: current(() => this.rebuild()),
      after: this.after,
    });
    return pc;
  }

  /** @param {RTCPeerConnection} pc */
  async #restart(pc) {
    this.onState("connecting");
    try {
      pc.restartIce();
      await pc.setLocalDescription(await pc.createOffer());
      const { sdp } = await this.wish("media_restart", { side: "publish", sdp: pc.localDescription?.sdp });
      if (pc === this.pc) await pc.setRemoteDescription({ type: "answer", sdp });
    } catch {
      if (pc === this.pc) this.rebuild(); // whoever answered does not know this connection any more
    }
  }

  /** @param {Error & {code?: string}} error */
  #failed(error) {
    this.#drop();
    if (error.code === "offline" || error.code === "interrupted") return; // entering again starts over
    if (error.code && FINAL.has(error.code)) return this.onState("refused");
    this.onState("connecting");
    if (!isPatience(error) && !isUnanswered(error)) console.warn("Publishing failed; trying again", error);
    this.backOff.again(() => this.#work());
  }
}
