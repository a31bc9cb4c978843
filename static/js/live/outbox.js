/**
 * Wishes that must not be lost: each is sent until the server answers, in the order in which they were made.
 *
 * A wish carries one client_id for life, so sending it again after a time-out or a broken connection tells nobody
 * twice. Wishes wait in lanes, one a room and subject (chat, hand, floor, ...): a line waits for the line before it, never
 * for a hand. A room's lanes stand still until the page has caught up with that room again.
 */
import { LiveProblem, isPatience, isUnanswered } from "./problem.js";

/** The wishes that carry a client_id: in the contract's table those from session_start to question_resolve. */
export const DURABLE = new Set([
  "session_start", "session_end",
  "chat_send", "chat_edit", "chat_delete", "chat_react",
  "hand_raise", "hand_lower", "floor_give", "floor_take",
  "participant_mute", "participant_remove", "policy_set",
  "poll_open", "poll_answer", "poll_close",
  "question_ask", "question_vote", "question_resolve",
]);

/** Wishes waiting in one lane; the next is refused at once, so that a dead connection cannot fill the memory. */
export const LANE_SIZE = 200;

/** Answers like "not now" or none at all that one wish bears while connected; then its sender is told. */
const ATTEMPTS = 30;

/**
 * @typedef {{event: string, payload: Record<string, any>, resolve: (ack: any) => void, reject: (why: Error) => void,
 *   attempts: number}} Waiting
 */

export class Outbox {
  /**
   * @param {{send: (event: string, payload: object) => Promise<any>, isUp: () => boolean,
   *   pause: (seconds: number) => Promise<void>}} ports
   */
  constructor({ send, isUp, pause }) {
    this.send = send;
    this.isUp = isUp;
    this.pause = pause;
    /** @type {Map<string, Waiting[]>} */
    this.lanes = new Map();
    /** @type {Set<string>} */
    this.busy = new Set();
    /** @type {Set<number>} */
    this.held = new Set();
  }

  /** @param {string} event @param {Record<string, any>} payload With its client_id. @returns {Promise<any>} */
  put(event, payload) {
    const key = `${payload.live_session_id}:${event.split("_")[0]}`;
    const lane = this.lanes.get(key) ?? [];
    if (lane.length >= LANE_SIZE)
      return Promise.reject(new LiveProblem({ code: "queue_full", detail: "Too much is waiting to be sent." }));
    const answered = new Promise((resolve, reject) => lane.push({ event, payload, resolve, reject, attempts: 0 }));
    this.lanes.set(key, lane);
    this.#work(key);
    return answered;
  }

  /** Keep this room's wishes until the page is in the room again. @param {number} room */
  hold(room) {
    this.held.add(room);
  }

  /** @param {number} room */
  release(room) {
    this.held.delete(room);
    this.resume();
  }

  /** The connection is up: every lane that may go on does. */
  resume() {
    for (const key of this.lanes.keys()) this.#work(key);
  }

  /** The room is over for this person: what waits for it is told so. @param {number} room @param {Error} why */
  drop(room, why) {
    for (const [key, lane] of this.lanes)
      if (key.startsWith(`${room}:`)) for (const waiting of lane.splice(0)) waiting.reject(why);
    this.held.delete(room);
  }

  /** @param {string} key */
  #mayGo(key) {
    return this.isUp() && !this.held.has(Number(key.split(":")[0]));
  }

  /** @param {string} key */
  async #work(key) {
    if (this.busy.has(key)) return;
    this.busy.add(key);
    const lane = this.lanes.get(key) ?? [];
    while (lane.length && this.#mayGo(key)) {
      const first = lane[0];
      const answer = await this.#attempt(first);
      if (answer === "again") continue;
      if (lane[0] === first) lane.shift();
    }
    this.busy.delete(key);
    if (!lane.length) this.lanes.delete(key);
    else if (this.#mayGo(key)) this.#work(key);
  }

  /** @param {Waiting} waiting @returns {Promise<'done'|'again'>} */
  async #attempt(waiting) {
    try {
      waiting.resolve(await this.send(waiting.event, waiting.payload));
      return "done";
    } catch (error) {
      waiting.attempts += 1;
      if (waiting.attempts < ATTEMPTS && isUnanswered(error)) return "again";
      if (waiting.attempts < ATTEMPTS && isPatience(error)) {
        await this.pause(/** @type {LiveProblem} */ (error).retry_after ?? 0.5);
        return "again";
      }
      waiting.reject(/** @type {Error} */ (error));
      return "done";
    }
  }
}
