/**
 * An id nobody else makes: for wishes that may be sent twice, and for tabs that speak with each other.
 *
 * `crypto.randomUUID` exists only on secure pages; over plain http the same 122 random bits are put together here.
 */

/** @returns {string} a UUID of version 4 (RFC 9562, 5.4) */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const text = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join("-");
}
