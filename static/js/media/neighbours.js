/**
 * Whether another tab of this browser is in a live room too: then this one starts without sound.
 *
 * Two tabs on one machine hear each other through the loudspeaker and howl; nobody who tries the product with three
 * people in one browser should meet that first.
 */
import { newId } from "../client_id.js";

/** Milliseconds within which another tab has answered, even a hidden one on a busy machine; usually it takes five. */
const ANSWER_MS = 2000;

export class Neighbours {
  /** @param {BroadcastChannel} channel */
  constructor(channel = new BroadcastChannel("lectern-room")) {
    this.channel = channel;
    this.me = newId();
    channel.addEventListener("message", ({ data }) => {
      if (data.ask && data.ask !== this.me) channel.postMessage({ here: this.me, to: data.ask });
    });
  }

  /** @returns {Promise<boolean>} */
  any() {
    return new Promise((resolve) => {
      const heard = (/** @type {MessageEvent} */ { data }) => data.to === this.me && done(true);
      const done = (/** @type {boolean} */ is) => {
        this.channel.removeEventListener("message", heard);
        resolve(is);
      };
      this.channel.addEventListener("message", heard);
      this.channel.postMessage({ ask: this.me });
      setTimeout(() => done(false), ANSWER_MS);
    });
  }

  close() {
    this.channel.close();
  }
}
