/**
 * What keys mean to somebody watching, as people know them from elsewhere. Pure: a key in, a wish out.
 *
 * A focused control keeps its own meaning for space, Enter and arrows; text being written keeps every key.
 */

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

/** @typedef {{what: "toggle" | "mute" | "captions" | "full" | "help"} | {what: "skip" | "faster" | "louder", by: number} | {what: "to", part: number}} Wish */

/** @type {Record<string, Wish>} */
const ANYWHERE = {
  k: { what: "toggle" }, j: { what: "skip", by: -10 }, l: { what: "skip", by: 10 }, m: { what: "mute" }, f: { what: "full" }, c: { what: "captions" },
  "<": { what: "faster", by: -1 }, ">": { what: "faster", by: 1 }, "?": { what: "help" },
};
/** @type {Record<string, Wish>} */
const OFF_CONTROLS = {
  " ": { what: "toggle" }, ArrowLeft: { what: "skip", by: -5 }, ArrowRight: { what: "skip", by: 5 }, ArrowUp: { what: "louder", by: 0.1 }, ArrowDown: { what: "louder", by: -0.1 },
};

/** What the help says. @type {[string[], string][]} */
export const HELP = [
  [["Space", "K"], "Play or pause"],
  [["←", "→"], "5 seconds back or on"],
  [["J", "L"], "10 seconds back or on"],
  [["0", "…", "9"], "Go to that tenth"],
  [["<", ">"], "Slower or faster"],
  [["↑", "↓"], "Louder or quieter"],
  [["M"], "Sound off or on"],
  [["C"], "Captions off or on"],
  [["F"], "Fill the screen"],
  [["?"], "This help"],
];

/** @param {string} key as `KeyboardEvent.key` @param {boolean} isOnControl @returns {Wish | null} */
export const wishOf = (key, isOnControl) => {
  if (/^\d$/.test(key)) return { what: "to", part: Number(key) / 10 };
  const name = key.length === 1 ? key.toLowerCase() : key;
  return ANYWHERE[name] ?? (isOnControl ? null : OFF_CONTROLS[name] ?? null);
};

/** The next speed up or down. @param {number} rate @param {number} by -1 or 1 */
export const speedFrom = (rate, by) => {
  const place = SPEEDS.findIndex((each) => each >= rate);
  return SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, (place < 0 ? SPEEDS.length - 1 : place) + by))];
};
