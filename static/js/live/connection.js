/**
 * The tab's one connection to the server's namespace /live: stays up, keeps wishes, passes facts on.
 *
 * It is given the official client's socket and the way to a token, and knows neither pages nor rooms. Coming back is
 * its first duty: the first attempts follow within a second, so that a class is together again right after a restart.
 */
import { newId as freshId } from "../client_id.js";
import { DURABLE, Outbox } from "./outbox.js";
import { LiveProblem, lost } from "./problem.js";

/** Seconds until a wish counts as unanswered; a commit takes milliseconds, a slow phone network a few seconds. */
const ANSWER_SECONDS = 8;

/** Milliseconds: the official client's back-off, doubling from the first to the second, each shifted by up to half. */
export const BACK_OFF = { reconnectionDelay: 250, reconnectionDelayMax: 1000, randomizationFactor: 0.5, timeout: 8000 };

/** After this many seconds without a connection it is no restart; tries then come up to this many milliseconds apart. */
const LONG_AWAY = { seconds: 30, delay: 5000 };

/** Seconds before another try when the server has no place for this connection. */
const CROWDED_SECONDS = 10;

/** Notification ids remembered to tell each once; more than the server ever repeats after a reconnect. */
const KNOWN_NOTIFICATIONS = 500;

/**
 * @typedef {'offline'|'connecting'|'online'|'reconnecting'} Status
 * @typedef {{
 *   open: (auth: (send: (auth: object) => void) => void) => any,
 *   token: (options: {fresh: boolean}) => Promise<string|null>,
 *   signedOut: () => void,
 *   onStatus?: (status: Status) => void,
 *   after?: (seconds: number, act: () => void) => unknown,
 *   newId?: () => string,
 * }} Ports
 */

export class Connection {
  /** @param {Ports} ports */
  constructor({ open, token, signedOut, onStatus = () => {}, after, newId }) {
    this.open = open;
    this.token = token;
    this.signedOut = signedOut;
    this.onStatus = onStatus;
    this.after = after ?? ((seconds, act) => setTimeout(act, seconds * 1000));
    this.newId = newId ?? freshId;
    /** @type {Status} */
    this.status = "offline";
    /** @type {any} */
    this.socket = null;
    this.wasUp = false;
    this.refused = 0;
    /** The largest notification id this tab has: asked for from there on at every connect. @type {number|null} */
    this.notificationsAfter = null;
    /** @type {Set<number>} */
    this.notified = new Set();
    /** @type {Map<string, Set<(payload: any) => void>>} */
    this.listeners = new Map();
    this.outbox = new Outbox({
      send: (event, payload) => this.send(event, payload),
      isUp: () => this.isUp,
      pause: (seconds) => new Promise((go) => this.after(seconds, () => go(undefined))),
    });
  }

  get isUp() {
    return Boolean(this.socket?.connected);
  }

  /** Connect and stay connected; calling it again changes nothing. */
  start() {
    if (this.socket) return;
    this.#show("connecting");
    const socket = (this.socket = this.open((send) => this.#authenticate(send)));
    socket.on("connect", () => this.#up());
    socket.on("disconnect", (/** @type {string} */ reason) => this.#down(reason));
    socket.on("connect_error", (/** @type {any} */ error) => this.#connectFailed(error));
    socket.onAny((/** @type {string} */ event, /** @type {any} */ payload) => this.#heard(event, payload));
    socket.connect();
  }

  /** Close for good, as after signing out. */
  stop() {
    const socket = this.socket;
    this.socket = null;
    this.wasUp = false;
    socket?.disconnect();
    this.#show("offline");
  }

  /** Try at once instead of at the next back-off: the network is back, or the page is shown again. */
  nudge() {
    if (!this.socket || this.isUp) return;
    this.socket.disconnect().connect();
  }

  /** Hear a fact, or `up` and `down` of the connection itself.
   * @param {string} event @param {(payload: any) => void} listener @returns {() => void} To stop hearing it. */
  on(event, listener) {
    const all = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, all.add(listener));
    return () => all.delete(listener);
  }

  /**
   * Ask the server for something. A durable wish is kept and sent until answered; any other fails at once when there
   * is no connection. Rejects with a LiveProblem.
   * @param {string} event @param {Record<string, any>} [payload] @returns {Promise<any>}
   */
  wish(event, payload = {}) {
    if (!DURABLE.has(event)) return this.send(event, payload);
    return this.outbox.put(event, { ...payload, client_id: payload.client_id ?? this.newId() });
  }

  /** One attempt, with an answer in time or a LiveProblem. @param {string} event @param {object} payload */
  send(event, payload) {
    return new Promise((resolve, reject) => {
      if (!this.isUp) return void reject(lost("offline"));
      this.socket.timeout(ANSWER_SECONDS * 1000).emit(event, payload, (/** @type {unknown} */ failed, /** @type {any} */ ack) => {
        if (failed) reject(lost(this.isUp ? "timeout" : "interrupted"));
        else if (ack?.ok) resolve(ack);
        else reject(new LiveProblem(ack?.error ?? { code: "internal" }));
      });
    });
  }

  /** @param {(auth: object) => void} send */
  async #authenticate(send) {
    try {
      const token = await this.token({ fresh: this.refused > 0 });
      send(this.notificationsAfter === null ? { token } : { token, notifications_after: this.notificationsAfter });
    } catch (error) {
      if (/** @type {{status?: number}} */ (error).status === 401) this.#signOut();
      else this.after(1, () => this.nudge()); // no token to be had just now is no reason to sign anybody out
    }
  }

  #up() {
    this.wasUp = true;
    this.refused = 0;
    this.#pace(BACK_OFF.reconnectionDelay, BACK_OFF.reconnectionDelayMax);
    this.#show("online");
    this.#tell("up", {});
    this.outbox.resume();
  }

  /** @param {string} reason */
  #down(reason) {
    this.#show(this.socket ? "reconnecting" : "offline");
    this.#tell("down", { reason });
    this.after(LONG_AWAY.seconds, () => this.isUp || this.socket?.io?.reconnectionDelayMax?.(LONG_AWAY.delay));
    // The server closed the namespace, not only the transport: the official client would stay away.
    if (reason === "io server disconnect" && this.socket) this.#again(1);
  }

  /** @param {{data?: {code?: string, retry_after?: number}}} error */
  #connectFailed(error) {
    if (!this.socket) return;
    const code = error.data?.code;
    this.#show(this.wasUp || !code ? "reconnecting" : "connecting");
    if (this.socket.active) return; // the network's fault: the official client tries again by itself
    this.refused += 1;
    if (code === "token_expired" || code === "unauthenticated") {
      if (this.refused === 1) this.socket.connect(); // once more, with a fresh token
      else if (code === "token_expired") this.#again(Math.min(this.refused, 5));
      else this.#signOut();
    } else {
      this.#show("offline");
      this.#again(error.data?.retry_after ?? (code === "draining" ? 1 : CROWDED_SECONDS));
    }
  }

  #signOut() {
    this.stop();
    this.signedOut();
  }

  /** @param {number} seconds */
  #again(seconds) {
    const socket = this.socket;
    this.after(seconds, () => {
      if (this.socket === socket && !this.isUp) socket.connect();
    });
  }

  /** @param {string} event @param {any} payload */
  #heard(event, payload) {
    if (event === "auth_expiring") this.#renew();
    if (event === "draining") this.#returnAfter(payload.retry_after ?? 1);
    if (event === "notification" && !this.#isNew(payload.id)) return;
    this.#tell(event, payload);
  }

  /** The server goes away and asks for a moment, so that not everybody returns at once; after it the usual haste.
   * @param {number} seconds */
  #returnAfter(seconds) {
    const pause = Math.max(BACK_OFF.reconnectionDelay, seconds * 1000);
    this.#pace(pause, Math.max(pause, BACK_OFF.reconnectionDelayMax));
    this.socket.io?.once?.("reconnect_attempt", () => this.#pace(BACK_OFF.reconnectionDelay, BACK_OFF.reconnectionDelayMax));
  }

  /** Milliseconds before the first attempt to return, and between later ones. @param {number} delay @param {number} longest */
  #pace(delay, longest) {
    this.socket.io?.reconnectionDelay?.(delay);
    this.socket.io?.reconnectionDelayMax?.(longest);
  }

  async #renew() {
    try {
      await this.send("auth_refresh", { token: await this.token({ fresh: true }) });
    } catch {
      // The server closes the connection when the token runs out; coming back asks for a fresh one.
    }
  }

  /** @param {number} id */
  #isNew(id) {
    if (this.notified.has(id)) return false;
    this.notified.add(id);
    if (this.notified.size > KNOWN_NOTIFICATIONS) this.notified.delete(this.notified.values().next().value ?? 0);
    this.notificationsAfter = Math.max(this.notificationsAfter ?? 0, id);
    return true;
  }

  /** @param {string} event @param {any} payload */
  #tell(event, payload) {
    for (const listener of [...(this.listeners.get(event) ?? [])]) {
      try {
        listener(payload);
      } catch (error) {
        console.error(`A listener to ${event} failed`, error); // the others must still hear it
      }
    }
  }

  /** @param {Status} status */
  #show(status) {
    if (this.status === status) return;
    this.status = status;
    this.onStatus(status);
  }
}
