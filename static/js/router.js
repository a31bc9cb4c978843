/**
 * Which page the address asks for, and how to get to another one without loading everything anew.
 *
 * `route` is a signal; `navigate(path)` goes somewhere; ordinary links work by themselves. After a change the new page's
 * title is announced and its heading gets the focus, as a real page load would do.
 */
import { signal } from "../vendor/vendor.js";
import { match } from "./routes.js";

/** @typedef {import("./routes.js").Match & {path: string, query: URLSearchParams, hash: string, visit: number}} Route */

let visit = 0;

/** @returns {Route} */
const here = () => ({
  ...match(location.pathname),
  path: location.pathname,
  query: new URLSearchParams(location.search),
  hash: location.hash,
  visit: visit++,
});

/** @type {{value: Route}} */
export const route = signal(here());

/** Whether something would be lost with this page load, such as a running upload; the browser asks before it is closed. */
export const isHolding = signal(false);

/** @param {string} path @param {{replace?: boolean, keepFocus?: boolean}} [options] keepFocus: the same page, another part of it */
export const navigate = (path, { replace = false, keepFocus = false } = {}) => {
  if (path === location.pathname + location.search + location.hash && !replace) return;
  if (replace) history.replaceState({ ...history.state }, "", path);
  else {
    history.replaceState({ ...history.state, scroll: scrollY }, "");
    history.pushState({ keepFocus }, "", path);
  }
  arrival = keepFocus ? "stay" : "top";
  route.value = here();
};

/** What to do with focus and scroll once the new page stands. @type {"none" | "top" | "stay" | number} */
let arrival = "none";

/** Called by the shell when a page has been drawn; moves the focus and the scroll as its arrival asks. */
export const arrived = () => {
  const how = arrival;
  arrival = "none";
  if (how === "none" || how === "stay") return;
  scrollTo(0, how === "top" ? 0 : how);
  const heading = /** @type {HTMLElement | null} */ (document.querySelector("main h1") ?? document.querySelector("main"));
  if (heading) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
};

/** The page's name, in the tab and the history. @param {string} title */
export const setTitle = (title) => {
  document.title = title ? `${title} · Lectern` : "Lectern";
};

/** @param {MouseEvent} event */
const follow = (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (link.hash && link.pathname === location.pathname) return;
  if (match(link.pathname).page === "missing") return;
  event.preventDefault();
  navigate(link.pathname + link.search + link.hash, { keepFocus: link.dataset.stay !== undefined });
};

/** Listen to links and to the browser's back and forward. */
export const startRouter = () => {
  history.scrollRestoration = "manual";
  document.addEventListener("click", follow);
  addEventListener("popstate", () => {
    arrival = history.state?.scroll ?? "top";
    route.value = here();
  });
  addEventListener("hashchange", () => {
    route.value = here();
  });
  addEventListener("beforeunload", (event) => {
    if (isHolding.value) event.preventDefault();
  });
};
