/**
 * Own chat lines on their way: pending, sent, failed; each disappears when the timeline brings it.
 *
 * Pure. A line is the same line by its client_id, whether the answer or the timeline comes first.
 */

/**
 * @typedef {{client_id: string, text: string, state: "pending"|"failed", why: string|null}} Outgoing
 */

/** @param {Outgoing[]} lines @param {string} client_id @param {string} text @returns {Outgoing[]} */
export const wrote = (lines, client_id, text) => [...lines, { client_id, text, state: "pending", why: null }];

/** @param {Outgoing[]} lines @param {string} client_id @param {string} why @returns {Outgoing[]} */
export const failed = (lines, client_id, why) =>
  lines.map((line) => (line.client_id === client_id ? { ...line, state: "failed", why } : line));

/** @param {Outgoing[]} lines @param {string} client_id @returns {Outgoing[]} */
export const again = (lines, client_id) =>
  lines.map((line) => (line.client_id === client_id ? { ...line, state: "pending", why: null } : line));

/** @param {Outgoing[]} lines @param {string} client_id @returns {Outgoing[]} */
export const discard = (lines, client_id) => lines.filter((line) => line.client_id !== client_id);

/** Without the lines that the timeline has by now; also those whose answer was lost with a connection.
 * @param {Outgoing[]} lines @param {{client_id: string|null}[]} shown @returns {Outgoing[]} */
export function unseen(lines, shown) {
  if (!lines.length) return lines;
  const seen = new Set(shown.map((line) => line.client_id));
  return lines.filter((line) => !seen.has(line.client_id));
}
