/**
 * What may be uploaded, judged in the browser before a byte is sent: nobody waits for half a gigabyte to be refused.
 *
 * Pure. The server judges again and decides; here only what is certainly wrong is refused, with the reason and the way on.
 */
import { sizeText } from "./format.js";

/** @typedef {"video" | "audio"} Kind */
/** @typedef {{name: string, size: number, head: Uint8Array}} Candidate head: the first bytes, at least 16 where the file has them */

const MB = 1_048_576;
export const HEAD_BYTES = 4096;

/** @type {Record<Kind, {limit: number, endings: string[], names: string}>} */
export const RULES = {
  video: { limit: 500 * MB, endings: ["mp4", "m4v", "mov", "qt", "avi", "wmv", "asf"], names: "MP4, MOV, AVI or WMV" },
  audio: { limit: 100 * MB, endings: ["mp3", "m4a", "m4b", "aac", "adts", "wav", "wave", "ogg", "oga", "opus"], names: "MP3, M4A, AAC, WAV or OGG" },
};

/** @param {Kind} kind @returns {string} for a file chooser */
export const accepted = (kind) => [...RULES[kind].endings.map((each) => `.${each}`), `${kind}/*`].join(",");

/** @param {Uint8Array} head @param {number} from @param {number} to @returns {string} */
const latin = (head, from, to) => String.fromCharCode(...head.subarray(from, to));

/** What the first bytes say a file is; null when they say nothing known. @param {Uint8Array} head @returns {Kind | "image" | "other" | null} */
export const sniff = (head) => {
  const start = latin(head, 0, 4);
  const brand = latin(head, 4, 8);
  if (brand === "ftyp") return /^M4[AB] /.test(latin(head, 8, 12)) ? "audio" : "video";
  if (["moov", "mdat", "wide", "free", "skip", "pnot"].includes(brand)) return "video";
  if (start === "RIFF") return { "AVI ": /** @type {Kind} */ ("video"), WAVE: /** @type {Kind} */ ("audio") }[latin(head, 8, 12)] ?? "other";
  if (head[0] === 0x30 && head[1] === 0x26 && head[2] === 0xb2 && head[3] === 0x75) return "video"; // ASF, which WMV is
  if (start === "OggS" || latin(head, 0, 3) === "ID3" || start === "ADIF") return "audio";
  if (head[0] === 0xff && (head[1] & 0xe0) === 0xe0) return "audio"; // MPEG audio or ADTS frame
  if (start === "\x89PNG" || start === "GIF8" || (head[0] === 0xff && head[1] === 0xd8)) return "image";
  if (start === "%PDF" || start.startsWith("PK\x03\x04") || start.startsWith("MZ") || /^\s*<|^#!/.test(latin(head, 0, 16))) return "other";
  return null;
};

/** Why this file cannot be uploaded as this kind; null when it may be tried. @param {Candidate} file @param {Kind} kind @returns {string | null} */
export const refusal = ({ name, size, head }, kind) => {
  const { limit, endings, names } = RULES[kind];
  const ending = name.includes(".") ? name.split(".").pop()?.toLowerCase() ?? "" : "";
  const is = sniff(head);
  const other = kind === "video" ? "audio" : "video";
  if (size === 0) return "This file is empty. Choose another one.";
  if (is === other && !endings.includes(ending)) return `This is ${other === "audio" ? "an audio" : "a video"} file. Choose “Upload ${other}” for it.`;
  if (!endings.includes(ending) && is !== kind) return `This is not ${kind === "audio" ? "an audio" : "a video"} file Lectern can take. Choose an ${names} file.`;
  if (is === "image" || is === "other") return `The name says ${ending.toUpperCase()}, but something else is inside. Choose an ${names} file.`;
  if (size > limit) return `This file has ${sizeText(size)}; ${kind} files may have at most ${sizeText(limit)}. A smaller or shorter one will do.`;
  return null;
};

const PICTURE_LIMIT = 5 * MB;
export const PICTURE_TYPES = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/** Why this cannot be a picture of a course or a lesson; null when it may be tried. @param {{type: string, size: number}} file @returns {string | null} */
export const pictureRefusal = ({ type, size }) => {
  if (!PICTURE_TYPES.includes(type)) return "This is not a picture Lectern can take. Choose a JPEG, PNG, GIF or WebP file.";
  if (size === 0) return "This picture is empty. Choose another one.";
  if (size > PICTURE_LIMIT) return "This picture is larger than 5 MB. Choose a smaller one.";
  return null;
};

/** A title to begin with, from the file's name: "02_intro-to-waves.mp4" becomes "02 intro to waves". @param {string} name @returns {string} */
export const titleFrom = (name) => {
  const words = name.replace(/\.[^.]+$/, "").replace(/[_-]+/g, " ").replace(/\s+/g, " ").trim();
  return (words.charAt(0).toLocaleUpperCase() + words.slice(1)).slice(0, 200);
};
