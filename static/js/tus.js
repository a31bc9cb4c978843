/**
 * A resumable upload's calls, as tus 1.0.0 words them: begin, ask how much is there, send a slice, give up.
 *
 * XMLHttpRequest, because only it tells how many bytes have left. Every call rejects with an ApiError; one that was aborted
 * rejects with `Aborted`. A refused token is renewed once.
 */
import { address } from "./address.js";
import { ApiError, api } from "./api.js";

export const SLICE_BYTES = 16 * 1_048_576; // under what proxies let through, and little to send again
const VERSION = "1.0.0";
const BYTES = "application/offset+octet-stream";
const SILENT_MS = 40_000; // a slice of which nothing moved for so long is on a dead connection

export class Aborted extends Error {}

/** @typedef {{courseId: number, kind: string, title: string, accessLevel: string, isPreview: boolean}} About */
/** @typedef {{signal: AbortSignal, onProgress?: (bytes: number) => void}} Options */

/** @param {File} file @param {About} about @param {string} key repeated with the same one, it is the same lesson @param {Options} options @returns {Promise<any>} the lesson, waiting for its bytes */
export const begin = async (file, about, key, options) => {
  const metadata = {
    course_id: about.courseId, type: about.kind, title: about.title, filename: file.name, filetype: file.type,
    access_level: about.accessLevel, is_preview: about.isPreview,
  };
  const request = await call("POST", "/courses/uploads", { "Upload-Length": String(file.size), "Upload-Metadata": encoded(metadata), "Idempotency-Key": key }, null, options);
  return JSON.parse(request.responseText).content;
};

/** @param {number} contentId @param {Options} options @returns {Promise<number>} how many bytes are there */
export const received = async (contentId, options) => offsetOf(await call("HEAD", `/courses/uploads/${contentId}`, {}, null, options));

/** @param {number} contentId @param {File} file @param {number} offset @param {Options} options @returns {Promise<number>} the offset after it */
export const sendSlice = async (contentId, file, offset, options) => {
  const slice = file.slice(offset, offset + SLICE_BYTES);
  return offsetOf(await call("PATCH", `/courses/uploads/${contentId}`, { "Content-Type": BYTES, "Upload-Offset": String(offset) }, slice, options));
};

/** @param {number} contentId what has arrived of it is removed */
export const giveUp = async (contentId) => {
  await call("DELETE", `/courses/uploads/${contentId}`, {}, null, { signal: new AbortController().signal });
};

/** Upload-Metadata: names and Base64 of UTF-8. @param {Record<string, string | number | boolean>} fields @returns {string} */
export const encoded = (fields) =>
  Object.entries(fields)
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name} ${btoa(String.fromCharCode(...new TextEncoder().encode(String(value))))}`)
    .join(",");

/** @param {XMLHttpRequest} request @returns {number} */
const offsetOf = (request) => {
  const offset = Number(request.getResponseHeader("Upload-Offset") ?? Number.NaN);
  if (!Number.isSafeInteger(offset)) throw new ApiError(502); // something between us and the server answered
  return offset;
};

/**
 * @param {string} method @param {string} path @param {Record<string, string>} headers @param {Blob | null} body @param {Options} options
 * @returns {Promise<XMLHttpRequest>} one that succeeded
 */
const call = async (method, path, headers, body, options) => {
  for (const fresh of [false, true]) {
    const request = await once(method, path, { ...headers, Authorization: `Bearer ${await api.token({ fresh })}` }, body, options);
    if (request.status >= 200 && request.status < 300) return request;
    if (request.status !== 401 || fresh) throw refusal(request);
  }
  throw new ApiError(401);
};

/**
 * @param {string} method @param {string} path @param {Record<string, string>} headers @param {Blob | null} body @param {Options} options
 * @returns {Promise<XMLHttpRequest>} one that was answered, or has status 0
 */
const once = (method, path, headers, body, { signal, onProgress }) =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new Aborted());
    const request = new XMLHttpRequest();
    let silence = 0;
    const listen = () => {
      clearTimeout(silence);
      silence = setTimeout(() => request.abort(), SILENT_MS);
    };
    const abort = () => request.abort();
    signal.addEventListener("abort", abort);
    request.upload.addEventListener("progress", ({ loaded }) => {
      listen();
      onProgress?.(loaded);
    });
    request.addEventListener("loadend", () => {
      clearTimeout(silence);
      signal.removeEventListener("abort", abort);
      if (signal.aborted) reject(new Aborted());
      else resolve(request);
    });
    request.open(method, address(path));
    for (const [name, value] of Object.entries({ Accept: "application/json", "Tus-Resumable": VERSION, ...headers })) request.setRequestHeader(name, value);
    listen();
    request.send(body);
    return undefined;
  });

/** @param {XMLHttpRequest} request @returns {ApiError} */
const refusal = (request) => {
  try {
    return new ApiError(request.status, JSON.parse(request.responseText));
  } catch {
    return new ApiError(request.status);
  }
};
