/**
 * Files on their way to the server, whichever page is open meanwhile.
 *
 * XMLHttpRequest, because only it tells how many bytes have left. All sent is not done: the server still looks at the file
 * ("checking"), then makes it playable ("processing"), and says so over the live connection.
 */
import { computed, effect, signal, untracked } from "../../vendor/vendor.js";
import { address } from "../address.js";
import { ApiError, api } from "../api.js";
import { live } from "../socket.js";
import { TransferRate } from "../transfer_rate.js";
import { isHolding } from "../router.js";
import { failureText } from "./content.js";
import { renew } from "./resource.js";
import { tell } from "./toasts.js";

/** @typedef {"sending" | "checking" | "processing" | "ready" | "refused" | "cancelled"} Phase */
/** @typedef {{key: number, courseId: number, kind: "video" | "audio", title: string, fileName: string, total: number, sent: number,
 *   speed: number | null, left: number | null, phase: Phase, reason: string, isPassing: boolean, contentId: number | null}} Upload */

const MOST_SHOWN = 20; // finished ones beyond this leave the list, oldest first

/** @type {{value: Upload[]}} newest first */
export const uploads = signal(/** @type {Upload[]} */ ([]));
export const activeUploads = computed(() => uploads.value.filter(({ phase }) => phase === "sending" || phase === "checking"));

/** @type {Map<number, XMLHttpRequest>} */
const requests = new Map();
/** What is needed to send a file again. @type {Map<number, [File, Parameters<typeof startUpload>[1]]>} */
const sources = new Map();
let nextKey = 1;

/** @param {number} key @param {Partial<Upload>} what */
const change = (key, what) => {
  uploads.value = uploads.value.map((each) => (each.key === key ? { ...each, ...what } : each));
  isHolding.value = activeUploads.value.length > 0;
};

/**
 * @param {File} file
 * @param {{courseId: number, kind: "video" | "audio", title: string, description: string, accessLevel: string, isPreview: boolean}} about
 */
export const startUpload = (file, about) => {
  const key = nextKey++;
  /** @type {Upload} */
  const upload = {
    key, courseId: about.courseId, kind: about.kind, title: about.title, fileName: file.name, total: file.size, sent: 0,
    speed: null, left: null, phase: "sending", reason: "", isPassing: false, contentId: null,
  };
  uploads.value = [upload, ...uploads.value].slice(0, MOST_SHOWN);
  sources.set(key, [file, about]);
  void send(key, file, about, false);
};

/** The same file once more, after a refusal that may pass. @param {number} key */
export const retryUpload = (key) => {
  const source = sources.get(key);
  if (!source) return;
  change(key, { phase: "sending", sent: 0, speed: null, left: null, reason: "", isPassing: false });
  void send(key, ...source, false);
};

/** @param {number} key */
export const cancelUpload = (key) => {
  change(key, { phase: "cancelled" });
  requests.get(key)?.abort();
};

/** @param {number} key */
export const forgetUpload = (key) => {
  sources.delete(key);
  uploads.value = uploads.value.filter((each) => each.key !== key);
};

/** What must be known before the file, then the file last, so that the server judges before it reads.
 * @param {File} file @param {Parameters<typeof startUpload>[1]} about @returns {FormData} */
const form = (file, about) => {
  const body = new FormData();
  body.append("course_id", String(about.courseId));
  body.append("type", about.kind);
  body.append("title", about.title);
  if (about.description) body.append("description", about.description);
  body.append("access_level", about.accessLevel);
  body.append("is_preview", String(about.isPreview));
  body.append("file", file, file.name);
  return body;
};

/** @param {number} key @param {File} file @param {Parameters<typeof startUpload>[1]} about @param {boolean} isAgain with a new token */
const send = async (key, file, about, isAgain) => {
  /** @type {string} */ let token;
  try {
    token = await api.token({ fresh: isAgain });
  } catch (error) {
    return change(key, { phase: "refused", reason: error instanceof ApiError ? error.detail : "You are signed out." });
  }
  if (uploads.value.find((each) => each.key === key)?.phase === "cancelled") return undefined;
  const request = new XMLHttpRequest();
  const rate = new TransferRate();
  requests.set(key, request);
  request.upload.addEventListener("progress", ({ loaded }) => {
    const sent = Math.min(loaded, file.size); // the parts around the file count a little too
    rate.add(sent, performance.now());
    change(key, { sent, speed: rate.perSecond, left: rate.left(file.size) });
  });
  request.upload.addEventListener("load", () => change(key, { sent: file.size, phase: "checking" }));
  request.addEventListener("loadend", () => {
    requests.delete(key);
    if (uploads.value.find((each) => each.key === key)?.phase === "cancelled") return undefined;
    if (request.status === 401 && !isAgain) return send(key, file, about, true);
    return finish(key, request);
  });
  request.open("POST", address(`/courses/upload-content?course_id=${about.courseId}&type=${about.kind}`));
  request.setRequestHeader("Authorization", `Bearer ${token}`);
  request.setRequestHeader("Accept", "application/json");
  request.send(form(file, about));
  return undefined;
};

/** @param {number} key @param {XMLHttpRequest} request */
const finish = (key, request) => {
  const body = parsed(request.responseText);
  if (request.status === 201) {
    change(key, { phase: "processing", contentId: body.content?.id ?? null });
    renew(`/courses/${body.content?.course_id}`);
    sources.delete(key);
    void look();
    return;
  }
  const error = new ApiError(request.status, body);
  const reason = request.status === 0 ? "The connection broke before the file was there." : error.detail;
  change(key, { phase: "refused", reason, isPassing: error.isPassing });
};

/** @param {string} text @returns {any} */
const parsed = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
};

/** @param {number} contentId @param {Partial<Upload>} how @returns {Upload | undefined} */
const settle = (contentId, how) => {
  const found = uploads.value.find((each) => each.contentId === contentId);
  if (found) change(found.key, how);
  return found;
};

/** Ask about what is being processed: its end may have been told before its number was known, or while nobody listened. */
const look = async () => {
  for (const { contentId } of uploads.value.filter(({ phase }) => phase === "processing")) {
    const content = contentId === null ? null : await api.get(`/content/${contentId}`).catch(() => null);
    if (content?.upload_status === "completed") settle(content.id, { phase: "ready" });
    if (content?.upload_status === "failed") settle(content.id, { phase: "refused", reason: failureText(content.error_code) });
  }
};

/** Once per page load: hear how processing ended. */
export const startUploads = () => {
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
