/**
 * The addresses of the pages: from a path to a page and its numbers, and nothing else.
 *
 * Pure, so that every address is tested without a browser. A page's module is loaded when it is first shown.
 */

/** @typedef {{page: string, params: Record<string, string>, isOpen: boolean}} Match */

/** [address, page, whether it is shown to people who are not signed in] @type {[string, string, boolean?][]} */
const ADDRESSES = [
  ["/", "courses"],
  ["/app", "courses"],
  ["/app/sign-in", "sign_in", true],
  ["/app/register", "register", true],
  ["/app/courses", "courses"],
  ["/app/courses/new", "course_new"],
  ["/app/courses/:course_id", "course"],
  ["/app/courses/:course_id/:tab", "course"],
  ["/app/catalog", "catalog"],
  ["/app/manage", "manage"],
  ["/app/manage/:course_id", "manage"],
  ["/app/manage/:course_id/:way", "manage"],
  ["/app/content/:content_id", "player"],
  ["/app/content/:content_id/analytics", "content_analytics"],
  ["/app/sessions", "sessions"],
  ["/app/sessions/:live_session_id", "room"],
  ["/app/sessions/:live_session_id/attendance", "attendance"],
  ["/app/notifications", "notifications"],
];

const TABLE = ADDRESSES.map(([address, page, isOpen = false]) => ({
  page,
  isOpen,
  names: [...address.matchAll(/:(\w+)/g)].map(([, name]) => name),
  // Whatever ends in _id is a whole number; "new" and the like never match it.
  pattern: new RegExp(`^${address.replace(/:\w+_id/g, "(\\d{1,15})").replace(/:\w+/g, "([a-z-]+)")}/?$`),
}));

/** @param {string} path @returns {Match} the page `missing` when no address fits */
export const match = (path) => {
  for (const { page, isOpen, names, pattern } of TABLE) {
    const found = pattern.exec(path);
    if (found) return { page, isOpen, params: Object.fromEntries(names.map((name, at) => [name, found[at + 1]])) };
  }
  return { page: "missing", params: {}, isOpen: false };
};

/** @param {string | null | undefined} path from an address or a message @returns {string} a page of ours, or the first one */
export const safeReturn = (path) => (path && /^\/app(\/[\w/-]*)?(\?[\w=&-]*)?$/.test(path) && match(path.split("?")[0]).page !== "sign_in" ? path : "/app/courses");

/** @param {{type: string, data?: Record<string, any>}} notification @returns {string} where one click on it leads */
export const notificationPath = ({ type, data = {} }) => {
  if (typeof data.url === "string" && match(data.url.split(/[?#]/)[0]).page !== "missing") return data.url;
  if (data.content_id && type !== "content_failed") return `/app/content/${data.content_id}`;
  if (data.live_session_id && type !== "live_session_cancelled") return `/app/sessions/${data.live_session_id}`;
  return data.course_id ? `/app/courses/${data.course_id}` : "/app/notifications";
};
