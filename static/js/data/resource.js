/**
 * One thing of the server's a page looks at: being loaded, here, or failed; kept for the way back.
 *
 * A view reads `useResource(path)` and draws one of the three; it never fetches. What was seen before is shown at once and
 * renewed behind it. Facts from the live connection call `renew(prefix)`, which loads again only what is being looked at.
 * Lists the server gives in pages grow by `more()`.
 */
import { signal, useEffect, useMemo } from "../../vendor/vendor.js";
import { api, asApiError } from "../api.js";

/** @typedef {{status: "loading" | "ready" | "failed", value: any, next: string | null, error: import("../api_error.js").ApiError | null}} State */

const MOST_KEPT = 60; // the oldest that nobody looks at is dropped

export class Resource {
  /** @param {string} path */
  constructor(path) {
    this.path = path;
    this.watchers = 0;
    /** @type {Promise<void> | null} */ this.loading = null;
    this.wantsAgain = false;
    this.state = signal(/** @type {State} */ ({ status: "loading", value: undefined, next: null, error: null }));
  }

  /** Ask the server; a call while one is under way asks once more when that is done. @returns {Promise<void>} */
  load() {
    if (this.loading) this.wantsAgain = true;
    this.loading ??= this.#ask().finally(() => {
      this.loading = null;
      if (this.wantsAgain) {
        this.wantsAgain = false;
        void this.load();
      }
    });
    return this.loading;
  }

  /** After a failure: show that something is happening, then ask. */
  retry() {
    this.state.value = { ...this.state.value, status: "loading", error: null };
    return this.load();
  }

  async #ask() {
    try {
      const { value, next } = await api.page(this.path);
      this.state.value = { status: "ready", value, next, error: null };
    } catch (thrown) {
      const error = asApiError(thrown);
      // What is already shown stays while the server is away; a refusal takes it away.
      if (this.state.value.status === "ready" && error.isPassing) return;
      this.state.value = { status: "failed", value: undefined, next: null, error };
    }
  }

  /** The next page of a list. Rejects with an ApiError. */
  async more() {
    const { next: path } = this.state.value;
    if (!path) return;
    const { value, next } = await api.page(path);
    this.change((/** @type {any[]} */ list) => [...list, ...value]);
    this.state.value = { ...this.state.value, next };
  }

  /** What is known to have changed, without asking. @param {(value: any) => any} how */
  change(how) {
    const { value } = this.state.value;
    if (value !== undefined) this.state.value = { ...this.state.value, value: how(value) };
  }
}

/** @type {Map<string, Resource>} */
const kept = new Map();

/** @param {string} path @returns {Resource} */
export const resource = (path) => {
  const found = kept.get(path) ?? new Resource(path);
  kept.delete(path);
  kept.set(path, found); // last used, last dropped
  for (const [each, { watchers }] of kept) {
    if (kept.size <= MOST_KEPT) break;
    if (watchers === 0 && each !== path) kept.delete(each);
  }
  return found;
};

/** @param {string} prefix loads again what is being looked at; what is not, is forgotten */
export const renew = (prefix) => {
  for (const [path, each] of kept) {
    if (!path.startsWith(prefix)) continue;
    if (each.watchers > 0) void each.load();
    else kept.delete(path);
  }
};

/** Forget everything: somebody else sits here now. */
export const forgetAll = () => kept.clear();

/**
 * @param {string | null} path null while it is not known yet
 * @returns {State & {resource: Resource | null}}
 */
export const useResource = (path) => {
  const found = useMemo(() => (path === null ? null : resource(path)), [path]);
  useEffect(() => {
    if (!found) return undefined;
    found.watchers += 1;
    void found.load();
    return () => {
      found.watchers -= 1;
    };
  }, [found]);
  return { ...(found?.state.value ?? { status: "loading", value: undefined, next: null, error: null }), resource: found };
};
