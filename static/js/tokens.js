/**
 * The short-lived access token: kept in memory, renewed a little before it runs out, asked for once however many ask.
 *
 * Pure of the network and the clock: both are given, so that expiry and racing callers are tested without waiting.
 */

/** @typedef {{access_token: string, expires_in: number}} Granted */

const EARLY_SECONDS = 30; // renewed this long before the end, so that a slow request does not arrive with a dead token

export class Tokens {
  /** @type {string | null} */ #token = null;
  /** @type {Promise<string> | null} */ #asking = null;
  #renewAt = 0;

  /**
   * @param {() => Promise<Granted>} renew asks the server for the next token
   * @param {() => number} now milliseconds
   */
  constructor(renew, now = () => Date.now()) {
    this.renew = renew;
    this.now = now;
  }

  /** @param {Granted} granted */
  hold(granted) {
    this.#token = granted.access_token;
    this.#renewAt = this.now() + (granted.expires_in - Math.min(EARLY_SECONDS, granted.expires_in / 4)) * 1000;
  }

  drop() {
    this.#token = null;
  }

  /**
   * A token that will be accepted for some time yet; rejects with what `renew` rejected with.
   * @param {{fresh?: boolean}} [wanted] fresh: do not reuse the one in memory, the server refused it
   * @returns {Promise<string>}
   */
  get({ fresh = false } = {}) {
    if (!fresh && this.#token !== null && this.now() < this.#renewAt) return Promise.resolve(this.#token);
    this.#asking ??= this.renew()
      .then((granted) => {
        this.hold(granted);
        return granted.access_token;
      })
      .finally(() => {
        this.#asking = null;
      });
    return this.#asking;
  }
}
