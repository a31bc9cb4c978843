/** E-mail addresses out of whatever was pasted: lines, commas, "Name <address>". Pure. */

const ADDRESS = /[^\s,;:<>"()]+@[^\s,;:<>"()@]+\.[^\s,;:<>"()@]+/g;

/**
 * What was meant as an address and is none, as "bo@example" or "bo.example.org"; names beside addresses are not.
 * @param {string} text @returns {string[]} each once, as it was written
 */
export const nearlyAddressesIn = (text) => {
  const parts = text.split(/[\n,;]+/).map((part) => part.trim()).filter((part) => !part.match(ADDRESS));
  return [...new Set(parts.filter((part) => part.includes("@") || /^[^\s]+\.[^\s.]{2,}$/.test(part)))];
};

/** @param {string} text @returns {string[]} in small letters, each once, in the order they were written */
export const addressesIn = (text) => [...new Set([...text.matchAll(ADDRESS)].map(([found]) => found.toLowerCase()))];
