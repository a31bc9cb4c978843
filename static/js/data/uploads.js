/**
 * Files on their way to the server, whichever page is open meanwhile: one after the other, in slices, over any interruption.
 *
 * All sent is not done: the server still looks at the file ("checking"), then makes it playable ("processing"), and says so
 * over the live connection. What was under way when the page was left is offered again (upload_memory.js).
 */
import { effect, untracked } from "../../vendor/vendor.js";
import { ApiError, api, asApiError, session } from "../api.js";
import { newId } from "../client_id.js";
import { live } from "../socket.js";
import { TransferRate } from "../transfer_rate.js";
import { Aborted, begin, giveUp, received, sendSlice } from "../tus.js";
import { ALIVE_MS, forget, keep, kept, markOf } from "../upload_memory.js";
import { failureText } from "./content.js";
import { renew } from "./resource.js";
import { tell } from "./toasts.js";
import { add, change, drop, find, next, settle, uploads } from "./upload_queue.js";

export { activeUploads, uploads } from "./upload_queue.js";

/** @typedef {{courseId: number, kind: "video" | "audio", title: string, description: string, accessLevel: string, isPreview: boolean}} About */
/**
 * @typedef {{file: File, about: About, mark: string, beginning: string, creation: Promise<any> | null, canceller: AbortController}} Source
 * beginning: by which a creation whose answer was lost is known again; creation: it is under way
 */

const PAUSES_MS = [500, 1000, 2000, 4000, 8000, 15_000]; // between tries while the connection is away; the last one repeats
const SAY_ALIVE_MS = 5000;
const OTHER_FILE = "This is another file. Choose the one whose upload was interrupted, or cancel it and upload this one anew.";
const GONE = "This upload has run out or was cancelled elsewhere. Upload the file again.";

/** What is needed to send, by key; a page that was reloaded has none. @type {Map<number, Source>} */
const sources = new Map();
/** What the file of an interrupted one is known by, by key. @type {Map<number, string>} */
const marks = new Map();
/** Whose uploads these are. @type {number | null} */ let owner = null;

/** @param {File} file @param {About} about the same file as one that was interrupted goes on where it was */
export const startUpload = async (file, about) => {
  const mark = await markOf(file);
  const same = uploads.value.find(({ key, phase, courseId }) => phase === "interrupted" && courseId === about.courseId && marks.get(key) === mark);
  const key = same?.key ?? add({ courseId: about.courseId, kind: about.kind, title: about.title, fileName: file.name, total: file.size, sent: 0, phase: "waiting", contentId: null });
  sources.set(key, { file, about, mark, beginning: newId(), creation: null, canceller: new AbortController() });
  change(key, { phase: "waiting" });
  void pump();
};

/** The file of an interrupted upload, chosen once more. @param {number} key @param {File} file @returns {Promise<string>} why not; empty when it goes on */
export const continueWith = async (key, file) => {
  const upload = find(key);
  if (!upload || (await markOf(file)) !== marks.get(key)) return OTHER_FILE;
  const { courseId, kind, title } = upload;
  sources.set(key, { file, mark: marks.get(key) ?? "", beginning: newId(), creation: null, canceller: new AbortController(), about: { courseId, kind, title, description: "", accessLevel: "", isPreview: false } });
  change(key, { phase: "waiting", reason: "" });
  void pump();
  return "";
};

/** @param {number} key */
export const pauseUpload = (key) => {
  change(key, { phase: "paused", speed: null, left: null });
  stop(key);
  void pump();
};

/** @param {number} key after a pause, or after a refusal that may pass */
export const resumeUpload = (key) => {
  change(key, { phase: "waiting", reason: "", isPassing: false });
  void pump();
};

/** @param {number} key what has arrived is removed */
export const cancelUpload = (key) => {
  const contentId = find(key)?.contentId ?? null;
  const source = sources.get(key);
  change(key, { phase: "cancelled" });
  stop(key);
  sources.delete(key);
  if (contentId !== null) {
    over(contentId);
    // Without an answer it runs out by itself.
    giveUp(contentId).catch(() => undefined).finally(() => renew(`/courses/${find(key)?.courseId}`));
  } else if (source?.creation) {
    void takeBack(source);
  }
  void pump();
};

/** What was cancelled while it was being created: it is waited for, asked for again if need be, and then given up. @param {Source} source */
const takeBack = async ({ file, about, beginning, creation }) => {
  const { signal } = new AbortController();
  for (const pause of PAUSES_MS) {
    try {
      const { id } = await (creation ?? begin(file, about, beginning, { signal }));
      await giveUp(id);
      return renew(`/courses/${about.courseId}`);
    } catch (thrown) {
      if (!goesOn(asApiError(thrown))) return undefined;
      creation = null;
      await pauseOrOnline(pause, signal);
    }
  }
  return undefined; // it runs out by itself
};

/** @param {number} key */
export const forgetUpload = (key) => {
  sources.delete(key);
  drop(key);
};

/** @param {number} key end what it is sending; it may begin again */
const stop = (key) => {
  const source = sources.get(key);
  if (!source) return;
  source.canceller.abort();
  source.canceller = new AbortController();
};

/** @param {number} contentId nothing of it needs to be remembered any more */
const over = (contentId) => {
  if (owner !== null) forget(owner, contentId);
};

/** Begin whatever has its turn. */
const pump = async () => {
  const upload = next();
  const source = upload && sources.get(upload.key);
  if (!upload || !source) return;
  change(upload.key, { phase: "sending", reason: "" });
  await carry(upload.key, source, source.canceller.signal);
  void pump();
};

/** From wherever it is to its last byte, however often the connection breaks. @param {number} key @param {Source} source @param {AbortSignal} signal */
const carry = async (key, source, signal) => {
  for (let tries = 0; ; tries++) {
    const before = find(key)?.sent ?? 0;
    try {
      await sendAll(key, source, signal);
      return;
    } catch (thrown) {
      if (thrown instanceof Aborted || signal.aborted) return;
      const error = asApiError(thrown);
      if (!goesOn(error)) {
        refuse(key, error);
        return;
      }
      if ((find(key)?.sent ?? 0) > before) tries = 0;
      change(key, { phase: "reconnecting", speed: null, left: null });
      await pauseOrOnline(error.problem.retry_after ? error.problem.retry_after * 1000 : PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)], signal);
      if (signal.aborted) return;
      change(key, { phase: "sending" });
    }
  }
};

/** @param {number} key @param {Source} source @param {AbortSignal} signal */
const sendAll = async (key, source, signal) => {
  const { file, about, mark } = source;
  let contentId = find(key)?.contentId ?? null;
  let offset = 0;
  if (contentId === null) {
    contentId = await created(source);
    if (find(key)?.phase !== "cancelled") change(key, { contentId });
    renew(`/courses/${about.courseId}`);
    if (signal.aborted) throw new Aborted();
    if (about.description) await api.patch(`/content/${contentId}`, { description: about.description }); // too long for a header
  } else {
    offset = await received(contentId, { signal });
  }
  const rate = new TransferRate();
  let saidAt = 0;
  const show = (/** @type {number} */ sent) => {
    const now = performance.now();
    rate.add(sent, now);
    change(key, { sent, speed: rate.perSecond, left: rate.left(file.size), phase: sent >= file.size ? "checking" : "sending" });
    if (owner !== null && (saidAt === 0 || now - saidAt > SAY_ALIVE_MS)) {
      saidAt = now;
      keep(owner, { contentId: /** @type {number} */ (contentId), courseId: about.courseId, kind: about.kind, title: about.title, fileName: file.name, total: file.size, mark, at: Date.now() });
    }
  };
  show(offset);
  while (offset < file.size) {
    const from = offset;
    offset = await sendSlice(contentId, file, from, { signal, onProgress: (bytes) => show(Math.min(from + bytes, file.size)) });
    show(offset);
  }
  over(contentId);
  sources.delete(key);
  change(key, { phase: "processing" });
  renew(`/courses/${about.courseId}`);
  void look();
};

/** The number of a lesson that is being made: nothing breaks this off, or nobody would know what came of it. @param {Source} source @returns {Promise<number>} */
const created = async (source) => {
  source.creation ??= begin(source.file, source.about, source.beginning, { signal: new AbortController().signal });
  try {
    return (await source.creation).id;
  } finally {
    source.creation = null;
  }
};

/** Whether the same upload may go on after this. @param {ApiError} error */
const goesOn = ({ status, code }) => status === 0 || status === 423 || (status >= 500 && status !== 507) || ["offset_mismatch", "rate_limited", "idempotency_in_flight"].includes(code);

/** @param {number} key @param {ApiError} error */
const refuse = (key, error) => {
  const contentId = find(key)?.contentId ?? null;
  const isGone = contentId !== null && (error.status === 404 || error.status === 409);
  const isSignedOut = error.status === 401;
  if (isSignedOut) return change(key, { phase: "paused", reason: "You are signed out. Sign in again, then go on.", speed: null, left: null });
  if (contentId !== null) over(contentId);
  const isPassing = error.isPassing || isGone;
  if (isPassing) change(key, { contentId: null, sent: 0 }); // once more means from the beginning
  const source = sources.get(key);
  if (source) source.beginning = newId();
  return change(key, { phase: "refused", reason: isGone ? GONE : error.detail, isPassing: isPassing && sources.has(key) });
};

/** @param {number} milliseconds at most; the network's return ends it @param {AbortSignal} signal @returns {Promise<void>} */
const pauseOrOnline = (milliseconds, signal) =>
  new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    addEventListener("online", end);
    signal.addEventListener("abort", end);
  });

/** Ask about what is being processed: its end may have been told before its number was known, or while nobody listened. */
const look = async () => {
  for (const { contentId } of uploads.value.filter(({ phase }) => phase === "processing")) {
    const content = contentId === null ? null : await api.get(`/content/${contentId}`).catch(() => null);
    if (content?.upload_status === "completed") settle(content.id, { phase: "ready" });
    if (content?.upload_status === "failed") settle(content.id, { phase: "refused", reason: failureText(content.error_code) });
  }
};

/** What this person began in a page that is gone. @param {number} userId */
const recall = async (userId) => {
  for (const one of kept(userId).filter(({ at }) => Date.now() - at > ALIVE_MS)) {
    const content = await api.get(`/content/${one.contentId}`).catch((error) => (asApiError(error).isPassing ? undefined : null));
    if (content === undefined || owner !== userId || uploads.value.some(({ contentId }) => contentId === one.contentId)) continue;
    if (content?.upload_status !== "uploading") {
      forget(userId, one.contentId);
      continue;
    }
    const { courseId, kind, title, fileName, total, contentId } = one;
    const key = add({ courseId, kind, title: content.title ?? title, fileName, total, sent: content.bytes_received ?? 0, phase: "interrupted", contentId });
    marks.set(key, one.mark);
  }
};

/** @param {number | null} userId somebody signed in, or out; what another person sent is not this one's to see */
const belongTo = (userId) => {
  if (userId === owner) return;
  if (userId === null) return; // the same person may come back, and what waits for them stays
  for (const { key } of owner === null ? [] : uploads.value) {
    stop(key);
    forgetUpload(key);
  }
  owner = userId;
  void recall(userId);
  // A tab that ended a moment ago looks alive for a while.
  setTimeout(() => owner === userId && void recall(userId), ALIVE_MS + 1000);
};

/** Once per page load: hear whose page this is, and how processing ended. */
export const startUploads = () => {
  // Left in good order, the next page may offer it at once.
  addEventListener("pagehide", () => {
    for (const { contentId } of owner === null ? [] : uploads.value) {
      const mine = contentId !== null && kept(/** @type {number} */ (owner)).find((each) => each.contentId === contentId);
      if (mine) keep(/** @type {number} */ (owner), { ...mine, at: 0 });
    }
  });
  effect(() => {
    const userId = session.value?.id ?? null;
    untracked(() => belongTo(userId));
  });
  effect(() => {
    if (live.status.value === "online") void untracked(look);
  });
  live.on("content_ready", (/** @type {any} */ { content_id: id }) => {
    const found = settle(id, { phase: "ready" });
    if (found) tell({ title: `“${found.title}” is ready to watch`, action: { label: "Open", href: `/app/content/${id}` } });
  });
  live.on("content_failed", (/** @type {any} */ fact) => {
    settle(fact.content_id, { phase: "refused", reason: failureText(fact.error_code ?? fact.code ?? null) });
  });
};
