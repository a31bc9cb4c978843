/** How fast bytes go lately, and how long the rest will take. Pure: moments come from outside, in milliseconds. */

const WINDOW_MS = 6000; // long enough to be calm, short enough to notice a change
const MOST_SAMPLES = 64;

export class TransferRate {
  /** @type {{at: number, bytes: number}[]} */ #samples = [];

  /** @param {number} bytes sent so far @param {number} at */
  add(bytes, at) {
    this.#samples = [...this.#samples.filter((each) => at - each.at <= WINDOW_MS), { at, bytes }].slice(-MOST_SAMPLES);
  }

  /** @returns {number | null} bytes per second; null while it is too early to say */
  get perSecond() {
    const first = this.#samples[0];
    const last = this.#samples[this.#samples.length - 1];
    if (!first || last.at - first.at < 400) return null;
    return ((last.bytes - first.bytes) * 1000) / (last.at - first.at);
  }

  /** @param {number} total @returns {number | null} seconds */
  left(total) {
    const speed = this.perSecond;
    const last = this.#samples[this.#samples.length - 1];
    return speed && speed > 0 ? Math.max(0, (total - last.bytes) / speed) : null;
  }
}
