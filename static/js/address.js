/**
 * Where the server's REST calls live: usually at the root, else behind the prefix the page was told of.
 *
 * Pages and their files keep their places whatever the prefix is.
 */
const prefix = document.querySelector('meta[name="lectern-api-prefix"]')?.getAttribute("content") ?? "";

/** @param {string} path as the interface names it, or as the server linked it @returns {string} the path to ask for */
export const address = (path) => (prefix !== "" && !path.startsWith(`${prefix}/`) ? prefix + path : path);
