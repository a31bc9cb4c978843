/**
 * The list of uploads as a page shows it, and what may become of one. Pure but for its one signal; nothing here talks.
 *
 * waiting -> sending -> checking -> processing -> ready; `paused` by the person, `reconnecting` by the network, `interrupted`
 * when the page was left and the file has to be chosen once more; refused and cancelled are ends.
 */
import { computed, signal } from "../../vendor/vendor.js";
import { isHolding } from "../router.js";

/** @typedef {"waiting" | "sending" | "paused" | "reconnecting" | "interrupted" | "checking" | "processing" | "ready" | "refused" | "cancelled"} Phase */
/** @typedef {{key: number, courseId: number, kind: "video" | "audio", title: string, fileName: string, total: number, sent: number,
 *   speed: number | null, left: number | null, phase: Phase, reason: string, isPassing: boolean, contentId: number | null}} Upload */

const MOST_SHOWN = 50; // ended ones beyond this leave the list, oldest first
/** @type {readonly Phase[]} */ const ENDED = ["ready", "refused", "cancelled"];
/** @type {readonly Phase[]} */ const MOVING = ["sending", "reconnecting", "checking"];

/** @type {{value: Upload[]}} in the order they were chosen */
export const uploads = signal(/** @type {Upload[]} */ ([]));
export const activeUploads = computed(() => uploads.value.filter(({ phase }) => phase === "waiting" || MOVING.includes(phase)));
let nextKey = 1;

/** @param {Omit<Upload, "key" | "speed" | "left" | "reason" | "isPassing">} what @returns {number} its key */
export const add = (what) => {
  const key = nextKey++;
  const all = [...uploads.value, { ...what, key, speed: null, left: null, reason: "", isPassing: false }];
  const ended = all.filter(({ phase }) => ENDED.includes(phase)).map((each) => each.key);
  const dropped = ended.slice(0, Math.max(0, all.length - MOST_SHOWN));
  set(all.filter((each) => !dropped.includes(each.key)));
  return key;
};

/** @param {number} key @returns {Upload | undefined} */
export const find = (key) => uploads.value.find((each) => each.key === key);

/** @param {number} key @param {Partial<Upload>} what */
export const change = (key, what) => set(uploads.value.map((each) => (each.key === key ? { ...each, ...what } : each)));

/** @param {number} key */
export const drop = (key) => set(uploads.value.filter((each) => each.key !== key));

/** What the server says became of it; one that was cancelled stays so. @param {number} contentId @param {Partial<Upload>} how @returns {Upload | undefined} */
export const settle = (contentId, how) => {
  const found = uploads.value.find((each) => each.contentId === contentId && each.phase !== "cancelled");
  if (found) change(found.key, how);
  return found;
};

/** Whose turn it is: one at a time, the one chosen first. @returns {Upload | undefined} */
export const next = () => (uploads.value.some(({ phase }) => MOVING.includes(phase)) ? undefined : uploads.value.find(({ phase }) => phase === "waiting"));

/** @param {Upload[]} list */
const set = (list) => {
  uploads.value = list;
  isHolding.value = activeUploads.value.length > 0;
};
