/** E-mail addresses out of whatever was pasted: lines, commas, "Name <address>". Pure. */

const ADDRESS = /[^\s,;:<>"()]+@[^\s,;:<>"()@]+\.[^\s,;:<>"()@]+/g;

/** @param {string} text @returns {string[]} in small letters, each once, in the order they were written */
export const addressesIn = (text) => [...new Set([...text.matchAll(ADDRESS)].map(([found]) => found.toLowerCase()))];
