/**
 * Which uploads a person has begun and not finished, kept in the browser over reloads, crashes and sign-ins.
 *
 * A page may not keep the file itself; it keeps enough to know it again when it is chosen once more: the size, and a hash of
 * its first and last bytes. While a tab sends, it says so every few seconds, so that another tab does not offer the same.
 */

/** @typedef {{contentId: number, courseId: number, kind: "video" | "audio", title: string, fileName: string, total: number, mark: string, at: number}} Kept
 *   at: when a tab last worked on it, in milliseconds */

const MOST = 20;
export const ALIVE_MS = 15_000; // a tab that has said nothing for so long is gone
const ENDS_BYTES = 64 * 1024;

/** @param {number} userId @returns {string} */
const place = (userId) => `lectern.uploads.${userId}`;

/** @param {number} userId @returns {Kept[]} */
export const kept = (userId) => {
  try {
    const found = JSON.parse(localStorage.getItem(place(userId)) ?? "[]");
    return Array.isArray(found) ? found.filter((each) => Number.isSafeInteger(each?.contentId) && typeof each.mark === "string") : [];
  } catch {
    return [];
  }
};

/** @param {number} userId @param {Kept} upload */
export const keep = (userId, upload) => {
  store(userId, [upload, ...kept(userId).filter(({ contentId }) => contentId !== upload.contentId)].slice(0, MOST));
};

/** @param {number} userId @param {number} contentId */
export const forget = (userId, contentId) => store(userId, kept(userId).filter((each) => each.contentId !== contentId));

/** @param {number} userId @param {Kept[]} list */
const store = (userId, list) => {
  try {
    if (list.length > 0) localStorage.setItem(place(userId), JSON.stringify(list));
    else localStorage.removeItem(place(userId));
  } catch {
    // A browser that keeps nothing can still upload; it only cannot go on after a reload.
  }
};

/** What a file is known by: its size and a hash of both its ends. @param {Blob} file @returns {Promise<string>} */
export const markOf = async (file) => {
  const ends = [file.slice(0, ENDS_BYTES), file.slice(Math.max(ENDS_BYTES, file.size - ENDS_BYTES))];
  let [low, high] = [0x811c9dc5, 0x1000193];
  for (const end of ends) {
    for (const byte of new Uint8Array(await end.arrayBuffer())) {
      low = Math.imul(low ^ byte, 0x01000193);
      high = Math.imul(high ^ byte, 0x5bd1e995) ^ (high >>> 13);
    }
  }
  return `${file.size}-${(low >>> 0).toString(16)}${(high >>> 0).toString(16)}`;
};
