/** Hears what a room tells beside its timeline, and tells it that this person is writing, not more often than needed. */
import { NOTHING, WRITES_SECONDS, answered, entered, settled, tallied, voted, wrote } from "../store/asides.js";

/** Seconds after which a person still writing says so again. */
const AGAIN_SECONDS = 3;

export class RoomAsides {
  /** @param {{live: any, liveSessionId: number, onChange: (asides: import("../store/asides.js").Asides) => void}} ports */
  constructor({ live, liveSessionId, onChange }) {
    this.live = live;
    this.id = liveSessionId;
    this.onChange = onChange;
    this.now = NOTHING;
    this.saidAt = 0;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.timer = undefined;
    const mine = (/** @type {(fact: any) => void} */ act) => (/** @type {any} */ fact) =>
      fact.live_session_id === this.id && act(fact);
    this.stops = [
      live.on("poll_tally", mine((fact) => this.#show(tallied(this.now, fact)))),
      live.on("typing", mine(({ user_id, on }) => this.#heardWriting(user_id, on))),
    ];
  }

  close() {
    for (const stop of this.stops.splice(0)) stop();
    clearTimeout(this.timer);
  }

  /** @param {Record<string, any>} you As the answer to `join` has it. */
  entered(you) {
    this.#show(entered(this.now, you));
  }

  /** @param {number} poll @param {number[]} choices */
  answered(poll, choices) {
    this.#show(answered(this.now, poll, choices));
  }

  /** @param {number} question @param {boolean} on */
  voted(question, on) {
    this.#show(voted(this.now, question, on));
  }

  /** This person writes, or has sent or emptied what they wrote. @param {boolean} on */
  write(on) {
    const now = Date.now();
    if (on ? now - this.saidAt < AGAIN_SECONDS * 1000 : !this.saidAt) return;
    this.saidAt = on ? now : 0;
    this.live.wish("typing", { live_session_id: this.id, on }).catch(() => {}); // nobody misses it
  }

  /** @param {number} user @param {boolean} on */
  #heardWriting(user, on) {
    this.#show(wrote(this.now, user, on, Date.now()));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#show(settled(this.now, Date.now())), WRITES_SECONDS * 1000 + 100);
  }

  /** @param {import("../store/asides.js").Asides} asides */
  #show(asides) {
    this.now = asides;
    this.onChange(asides);
  }
}
