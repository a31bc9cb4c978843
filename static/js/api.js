/**
 * Every request to the server, on behalf of the person this tab is.
 *
 * `api.get/post/patch/put/del(path, body)` answer parsed JSON or throw an ApiError; `api.page` also says where the next page
 * is; `api.token()` promises a fresh access token (the live connection and uploads need one); `session` is a signal with the
 * signed-in user, null when nobody is. A refused token is renewed once and the request sent again; when that fails the
 * sign-in is over, and `farewell` says why.
 */
import { signal } from "../vendor/vendor.js";
import { address } from "./address.js";
import { ApiError, asApiError } from "./api_error.js";
import { SignIns } from "./sign_ins.js";
import { Tokens } from "./tokens.js";

/** @typedef {{id: number, email: string, name: string, role: "student"|"expert"|"admin", avatar_url: string | null}} User */

export { ApiError, asApiError };
export const signIns = new SignIns(sessionStorage, localStorage);

/** @type {{value: User | null}} */
export const session = signal(/** @type {User | null} */ (null));

/** Why nobody is signed in any more, for the sign-in page; empty when nothing needs saying. */
export const farewell = signal("");

const tokens = new Tokens(async () => {
  const id = signIns.current();
  try {
    if (id === null) throw new ApiError(401);
    return admit(await send("POST", "/auth/refresh", { sign_in_id: id }));
  } catch (error) {
    if (asApiError(error).status === 401 || asApiError(error).code === "sign_in_ambiguous") {
      end("Your sign-in has run out. Sign in again to go on where you were.");
    }
    throw error;
  }
});

/** @param {any} answer of any call that signs in @returns {any} the same */
const admit = (answer) => {
  const { id, ...user } = answer.user;
  session.value = { id, ...user };
  signIns.renew({ id: String(answer.sign_in_id), name: user.name, email: user.email, role: user.role });
  return answer;
};

/** @param {string} reason */
const end = (reason) => {
  const id = signIns.current();
  if (id !== null) signIns.forget(id);
  tokens.drop();
  farewell.value = session.value === null && id === null ? "" : reason;
  session.value = null;
};

/** Where a tab keeps the invitation it was opened with until somebody signs in or registers with it. */
export const INVITE = "lectern.invite";

/** Sign in by whatever `path` accepts, and be that person in this tab. @param {string} path @param {object} body */
export const signIn = async (path, body) => {
  const invite = sessionStorage.getItem(INVITE);
  const answer = await send("POST", path, invite && path !== "/auth/link" ? { ...body, invite } : body);
  sessionStorage.removeItem(INVITE);
  farewell.value = "";
  tokens.hold(answer);
  signIns.enter({ id: String(answer.sign_in_id), name: answer.user.name, email: answer.user.email, role: answer.user.role });
  session.value = answer.user;
};

/** Go on as whoever this tab was; false when nobody is signed in here. @returns {Promise<boolean>} */
export const resume = async () => {
  if (signIns.current() === null) return false;
  await tokens.get();
  return true;
};

/** End this tab's sign-in here and on the server; the page is left, so that nothing of the person stays in memory. */
export const signOut = async () => {
  const id = signIns.current();
  await send("POST", "/auth/logout", { sign_in_id: id }).catch(() => undefined); // the cookie ends by itself later
  if (id !== null) signIns.forget(id);
  location.assign("/app/sign-in");
};

// Signed out in another tab of the same person: this one follows at once instead of at its next request.
addEventListener("storage", () => {
  const id = signIns.current();
  if (session.value !== null && !signIns.all().some((each) => each.id === id)) end("You signed out in another tab.");
});

/**
 * @param {string} method @param {string} path @param {any} [body] sent as JSON; FormData as it is
 * @param {{token?: string, signal?: AbortSignal, keepalive?: boolean}} [options] keepalive: arrives even when the page is left
 * @returns {Promise<Response>} a response that succeeded
 */
const ask = async (method, path, body, { token, signal, keepalive } = {}) => {
  const isForm = body instanceof FormData;
  /** @type {Record<string, string>} */ const headers = { Accept: "application/json" };
  if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
  /** @type {Response} */ let response;
  try {
    response = await fetch(address(path), {
      method, headers, signal, keepalive, credentials: "same-origin",
      // Two people in two tabs share the browser's cache; what one was answered is not for the other.
      cache: "no-store", body: isForm || body === undefined ? body : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0);
  }
  if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => ({})));
  return response;
};

/**
 * Media addresses name the server as it calls itself; a page opened under another of its names (localhost, a tunnel) may load
 * from its own only, so they become paths.
 * @param {string} key @param {any} value
 */
const ownAddress = (key, value) =>
  typeof value === "string" && (key === "url" || key.endsWith("_url")) ? value.replace(/^https?:\/\/[^/]+(?=\/(?:[\w-]+\/)*media\/)/, "") : value;

/** @param {Response} response @returns {Promise<any>} */
const parsed = async (response) => {
  if (response.status === 204) return null;
  try {
    return JSON.parse(await response.text(), ownAddress);
  } catch {
    return null;
  }
};

/** A request that needs no token. @param {string} method @param {string} path @param {any} [body] */
const send = async (method, path, body) => parsed(await ask(method, path, body));

/**
 * A request of the signed-in person.
 * @param {string} method @param {string} path @param {any} [body] @param {{signal?: AbortSignal, keepalive?: boolean}} [options]
 */
const call = async (method, path, body, options = {}) => {
  const token = await tokens.get();
  try {
    return await ask(method, path, body, { ...options, token });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    return ask(method, path, body, { ...options, token: await tokens.get({ fresh: true }) });
  }
};

/** @param {Response} response @returns {string | null} the path of the next page */
const nextOf = (response) => {
  const found = response.headers.get("Link")?.match(/<([^>]+)>\s*;\s*rel="?next"?/);
  if (!found) return null;
  const url = new URL(found[1], location.origin);
  return url.pathname + url.search;
};

export const api = {
  /** @param {string} path @param {{signal?: AbortSignal}} [options] */
  get: async (path, options) => parsed(await call("GET", path, undefined, options)),
  /** @param {string} path @param {any} [body] */
  post: async (path, body) => parsed(await call("POST", path, body)),
  /** @param {string} path @param {any} [body] */
  patch: async (path, body) => parsed(await call("PATCH", path, body)),
  /** @param {string} path @param {any} [body] @param {{keepalive?: boolean}} [options] */
  put: async (path, body, options) => parsed(await call("PUT", path, body, options)),
  /** @param {string} path @param {any} [body] */
  del: async (path, body) => parsed(await call("DELETE", path, body)),
  /** @param {string} path @returns {Promise<{value: any, next: string | null}>} */
  page: async (path) => {
    const response = await call("GET", path);
    return { value: await parsed(response), next: nextOf(response) };
  },
  /** @param {string} path @returns {Promise<Blob>} a file the address bar could not ask for, having no token */
  blob: async (path) => (await call("GET", path)).blob(),
  /** @param {{fresh?: boolean}} [wanted] @returns {Promise<string>} */
  token: (wanted) => tokens.get(wanted),
};
