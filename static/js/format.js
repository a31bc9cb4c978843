/**
 * Numbers and moments as people read them: local times, durations, sizes, initials.
 *
 * The server speaks UTC, seconds and bytes; nothing of that reaches a page. Pure: the time and the language are arguments
 * with the browser's as default.
 */

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** @param {string | null | undefined} at RFC 3339 @returns {Date | null} null for what is no moment */
const moment = (at) => {
  const date = at ? new Date(at) : null;
  return date && !Number.isNaN(date.getTime()) ? date : null;
};

/** @param {Date} a @param {Date} b @returns {boolean} the same local day */
const sameDay = (a, b) => a.toDateString() === b.toDateString();

/** "Today at 14:30", "Tomorrow at 9:00", "Fri 4 Dec at 14:30"; the year only when it is another.
 * @param {string | null | undefined} at @param {{now?: Date, locale?: string}} [options] @returns {string} */
export const whenText = (at, { now = new Date(), locale } = {}) => {
  const date = moment(at);
  if (!date) return "";
  const time = clockText(at, { locale });
  if (sameDay(date, now)) return `Today at ${time}`;
  if (sameDay(date, new Date(now.getTime() + DAY * 1000))) return `Tomorrow at ${time}`;
  if (sameDay(date, new Date(now.getTime() - DAY * 1000))) return `Yesterday at ${time}`;
  return `${dayText(at, { now, locale })} at ${time}`;
};

/** @param {string | null | undefined} at @param {{now?: Date, locale?: string}} [options] @returns {string} "Fri, 4 Dec" */
export const dayText = (at, { now = new Date(), locale } = {}) => {
  const date = moment(at);
  if (!date) return "";
  const year = date.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short", year }).format(date);
};

/** @param {string | null | undefined} at @param {{locale?: string}} [options] @returns {string} "14:30" */
export const clockText = (at, { locale } = {}) => {
  const date = moment(at);
  return date ? new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" }).format(date) : "";
};

/** @param {string | null | undefined} at @param {{now?: Date, locale?: string}} [options] "3 minutes ago", "in 2 hours" */
export const agoText = (at, { now = new Date(), locale } = {}) => {
  const date = moment(at);
  if (!date) return "";
  const seconds = (date.getTime() - now.getTime()) / 1000;
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const size = Math.abs(seconds);
  if (size < 45) return seconds > 0 ? "in a moment" : "just now";
  if (size < 45 * MINUTE) return relative.format(Math.round(seconds / MINUTE), "minute");
  if (size < 22 * HOUR) return relative.format(Math.round(seconds / HOUR), "hour");
  if (size < 7 * DAY) return relative.format(Math.round(seconds / DAY), "day");
  return dayText(at, { now, locale });
};

/** A place in a recording, "4:05" or "1:02:09". @param {number | null | undefined} seconds @returns {string} */
export const playText = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds ?? 0));
  const [h, m, s] = [Math.floor(whole / HOUR), Math.floor((whole % HOUR) / MINUTE), whole % MINUTE];
  const pad = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
};

/** How long something takes or took, "45 s", "12 min", "1 h 5 min". @param {number | null | undefined} seconds @returns {string} */
export const durationText = (seconds) => {
  const whole = Math.max(0, Math.round(seconds ?? 0));
  if (whole < MINUTE) return `${whole}\u00a0s`;
  const minutes = Math.round(whole / MINUTE);
  if (minutes < 60) return `${minutes}\u00a0min`;
  return minutes % 60 === 0 ? `${Math.floor(minutes / 60)}\u00a0h` : `${Math.floor(minutes / 60)}\u00a0h ${minutes % 60}\u00a0min`;
};

/** A file's size in the units of the upload limits (1 MB = 1,048,576 bytes). @param {number} bytes @param {{locale?: string}} [options] */
export const sizeText = (bytes, { locale } = {}) => {
  if (bytes === 1) return "1\u00a0byte";
  const units = ["bytes", "kB", "MB", "GB"];
  const step = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const amount = bytes / 1024 ** step;
  const digits = step === 0 || amount >= 100 ? 0 : 1;
  return `${new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(amount)}\u00a0${units[step]}`;
};

/** @param {number} count @param {string} one @param {string} [many] "1 lesson", "2 lessons" @param {{locale?: string}} [options] */
export const countText = (count, one, many = `${one}s`, { locale } = {}) =>
  `${new Intl.NumberFormat(locale).format(count)} ${count === 1 ? one : many}`;

/** @param {string | null | undefined} name @returns {string} one or two letters for an avatar */
export const initials = (name) => {
  const words = (name ?? "").trim().split(/\s+/).filter(Boolean);
  const ends = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return ends.map((word) => [...word][0].toLocaleUpperCase()).join("") || "?";
};

/** @param {"student" | "expert" | "admin" | string | undefined} role @returns {string} the word people use for it */
export const roleText = (role) => ({ expert: "Instructor", admin: "Administrator" })[role ?? ""] ?? "Student";
