/**
 * Which parts of a recording were really played: ranges grown by the passing of time, never by jumping over it.
 *
 * Pure: the player says where it is and how fast it plays; every clock is outside.
 */

/** @typedef {[number, number]} Range seconds, from and to */

const TOUCH_SECONDS = 0.5; // ranges this near are one
const MOST_RANGES = 200; // of one report; more are joined where the gaps are smallest

/** @param {Range[]} ranges @returns {Range[]} in order, not overlapping */
export const merged = (ranges) => {
  /** @type {Range[]} */ const result = [];
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = result[result.length - 1];
    if (last && from <= last[1] + TOUCH_SECONDS) last[1] = Math.max(last[1], to);
    else result.push([from, to]);
  }
  return result;
};

/** @param {Range[]} ranges @param {number} duration @returns {number} 0 to 100 */
export const percentOf = (ranges, duration) =>
  duration > 0 ? Math.min(100, (100 * merged(ranges).reduce((sum, [from, to]) => sum + to - from, 0)) / duration) : 0;

export class Watching {
  /** @type {Range[]} */ #ranges = [];
  /** @type {Range | null} */ #open = null;

  /** The player plays and is here now. @param {number} position @param {number} rate */
  played(position, rate) {
    const step = this.#open ? position - this.#open[1] : 0;
    // Players report about four times a second; a larger step than a second's worth of playing was a jump.
    if (this.#open && step >= 0 && step <= Math.max(1, rate) * 1.5) this.#open[1] = position;
    else this.cut(position);
  }

  /** A jump or a pause: what follows is another range. @param {number} [position] */
  cut(position) {
    if (this.#open && this.#open[1] > this.#open[0]) this.#ranges.push(this.#open);
    this.#ranges = merged(this.#ranges).slice(-MOST_RANGES);
    this.#open = position === undefined ? null : [position, position];
  }

  /** @returns {Range[]} everything played since the last take, rounded to tenths; the open range goes on from its end */
  take() {
    const end = this.#open?.[1];
    this.cut(end);
    const taken = this.#ranges;
    this.#ranges = [];
    return taken.map(([from, to]) => [Math.round(from * 10) / 10, Math.round(to * 10) / 10]);
  }

  /** Put back what could not be told, for the next time. @param {Range[]} ranges */
  giveBack(ranges) {
    this.#ranges = merged([...ranges, ...this.#ranges]).slice(-MOST_RANGES);
  }
}
