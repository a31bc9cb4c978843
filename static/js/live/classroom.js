/**
 * A room as the page uses it: what is so, as signals to read; what a person wants, as methods to call.
 *
 * Joins the timeline, the media and the chat lines on their way, and decides the one thing between them: when a
 * camera goes on by itself (the instructor's on entering, a student's with the floor if the browser was told yes before).
 */
import { batch, computed, signal } from "../../vendor/vendor.js";
import { api } from "../api.js";
import { newId } from "../client_id.js";
import { RoomMedia } from "../media.js";
import { people, maySend } from "../store/people.js";
import { again, discard, failed, unseen, wrote } from "../store/outgoing.js";
import { withEarlier } from "../store/lines.js";
import { NOTHING } from "../store/asides.js";
import { RoomAsides } from "./asides.js";
import { RoomSession } from "./room_session.js";

/** @typedef {import("../media/publisher.js").Source} Source */
/** @typedef {import("../media/capture.js").Device} Device */

/** @type {Source[]} */
const SOURCES = ["microphone", "camera", "screen", "screen_audio"];
/** @type {Device[]} */
const BOTH = ["microphone", "camera"];

/** Events asked for at once when scrolling back. */
const EARLIER = 200;

export class Classroom {
  /**
   * @param {{live: any, liveSessionId: number, inviteCode: string|null, name: () => string, courseId: () => number|null,
   *   tell: (problem: Error) => void}} ports
   */
  constructor({ live, liveSessionId, inviteCode, name, courseId, tell }) {
    this.live = live;
    this.id = liveSessionId;
    this.tell = tell;
    this.session = new RoomSession({
      live, liveSessionId, inviteCode, courseId, onChange: () => this.#follow(), onEntered: () => this.#enter(),
      onRenewed: () => this.devices.renew(this.session.view.iceServers),
    });
    this.devices = new RoomMedia({ live, liveSessionId, name, onChange: (media) => (this.media.value = media) });
    /** @type {{value: import("../store/asides.js").Asides}} */
    this.asides = signal(NOTHING);
    this.listening = new RoomAsides({ live, liveSessionId, onChange: (asides) => (this.asides.value = asides) });
    /** @type {{value: import("./room_session.js").RoomView}} */
    this.view = signal(this.session.view);
    /** @type {{value: import("../media.js").MediaView}} */
    this.media = signal(this.devices.view);
    /** @type {{value: import("../store/outgoing.js").Outgoing[]}} */
    this.outgoing = signal(/** @type {any[]} */ ([]));
    /** The student has the floor and is asked to turn on what they want to send. @type {{value: boolean}} */
    this.invitation = signal(false);
    this.loadingEarlier = signal(false);
    /** Wishes without an answer yet, in their order. @type {{value: {key: string, lane: string, granted: Promise<boolean>}[]}} */
    this.waiting = signal(/** @type {any[]} */ ([]));
    /** What the instructor has closed of this person's, until they have read it. @type {{value: string[]}} */
    this.closed = signal(/** @type {string[]} */ ([]));
    this.muted = "";
    /** Polls that this person does not want to answer now. @type {{value: Set<number>}} */
    this.heeded = signal(/** @type {Set<number>} */ (new Set()));
    this.people = computed(() => {
      const { room, roster, you } = this.view.value;
      return room ? people(room, roster, you) : [];
    });
    /** What this person may send now. */
    this.permitted = computed(() => {
      const { room, you } = this.view.value;
      return new Set(room ? SOURCES.filter((source) => maySend(room, you, source)) : []);
    });
    this.hadFloor = false;
    this.hasEntered = false;
    this.session.open();
  }

  get isInstructor() {
    return this.view.value.you?.role === "instructor";
  }

  /** Chat is open to this person. */
  get mayWrite() {
    return this.isInstructor || this.view.value.room?.policy.chat === "all";
  }

  close() {
    this.session.close();
    this.listening.close();
    this.devices.close();
  }

  /** Ask to be let in again after a refusal. */
  again() {
    this.session.again();
  }

  /** @param {string} text */
  say(text) {
    const client_id = newId();
    this.outgoing.value = wrote(this.outgoing.value, client_id, text);
    this.#send(client_id, text);
  }

  /** @param {string} client_id */
  sayAgain(client_id) {
    const line = this.outgoing.value.find((one) => one.client_id === client_id);
    if (!line) return;
    this.outgoing.value = again(this.outgoing.value, client_id);
    this.#send(client_id, line.text);
  }

  /** @param {string} client_id */
  discard(client_id) {
    this.outgoing.value = discard(this.outgoing.value, client_id);
  }

  /** The same thing wanted once more while it waits, as on a slow line, is the one that waits.
   * @param {string} event @param {Record<string, any>} [payload] @returns {Promise<boolean>} Whether it was granted. */
  wish(event, payload = {}) {
    const [lane] = event.split("_");
    const key = JSON.stringify([event, payload]);
    const last = this.waiting.value.findLast((one) => one.lane === lane);
    if (last?.key === key) return last.granted;
    const one = { key, lane, granted: this.#ask(event, payload) };
    this.waiting.value = [...this.waiting.value, one];
    one.granted.then(() => (this.waiting.value = this.waiting.value.filter((other) => other !== one)));
    return one.granted;
  }

  /** @param {string} event @param {Record<string, any>} payload @returns {Promise<boolean>} */
  async #ask(event, payload) {
    try {
      await this.live.wish(event, { live_session_id: this.id, ...payload });
      return true;
    } catch (error) {
      this.tell(/** @type {Error} */ (error));
      return false;
    }
  }

  /** Answer a poll, or answer it anew. @param {number} poll @param {number[]} choices */
  async answer(poll, choices) {
    if (await this.wish("poll_answer", { poll, choices })) this.listening.answered(poll, choices);
  }

  /** @param {number} poll */
  heed(poll) {
    this.heeded.value = new Set([...this.heeded.value, poll]);
  }

  /** @param {number} question @param {boolean} on */
  async vote(question, on) {
    if (await this.wish("question_vote", { question, on })) this.listening.voted(question, on);
  }

  /** @param {Device[]} which */
  turnOn(which) {
    this.invitation.value = false;
    return this.devices.turnOn(which);
  }

  /** Have the floor without sending anything, as to speak later. */
  onlyListen() {
    this.invitation.value = false;
  }

  /** The lines before the first shown; the timeline is read forwards, so a window before it is asked for. */
  async loadEarlier() {
    const { room } = this.session.view;
    const first = room?.history[0] ?? room?.chat.lines[0];
    if (!room || !first || this.loadingEarlier.value) return;
    this.loadingEarlier.value = true;
    try {
      let [upTo, events] = [first.seq, /** @type {any[]} */ ([])];
      while (upTo > 1 && !events.some((event) => event.type === "chat_posted")) {
        const after = Math.max(0, upTo - 1 - EARLIER);
        const page = await api.get(`/live-sessions/${this.id}/timeline?after=${after}&limit=${EARLIER}`);
        events = [...page.filter((/** @type {any} */ event) => event.seq < upTo), ...events];
        upTo = after + 1;
      }
      this.session.keepEarlier(withEarlier([], events), upTo <= 1);
    } catch (error) {
      this.tell(/** @type {Error} */ (error));
    } finally {
      this.loadingEarlier.value = false;
    }
  }

  /** @param {string} client_id @param {string} text */
  async #send(client_id, text) {
    try {
      await this.live.wish("chat_send", { live_session_id: this.id, text, client_id });
    } catch (error) {
      this.outgoing.value = failed(this.outgoing.value, client_id, /** @type {Error} */ (error).message);
    }
  }

  #enter() {
    const { you, iceServers } = this.session.view;
    if (you) this.devices.enter({ me: you.user_id, iceServers, isInstructor: this.isInstructor });
    if (you) this.listening.entered(you);
    if (this.isInstructor && !this.hasEntered) this.devices.restore(BOTH);
    this.hasEntered = true;
  }

  #follow() {
    const view = this.session.view;
    batch(() => {
      this.view.value = view;
      if (view.room) this.outgoing.value = unseen(this.outgoing.value, view.room.chat.lines);
    });
    if (view.phase === "closed" || view.phase === "refused") return this.devices.leave();
    if (!view.room || !view.isCurrent) return; // while catching up a passing state must not switch anything off
    this.devices.permit(this.permitted.value);
    this.#hearMuted(view.room.muted.find((one) => one.user_id === view.you?.user_id)?.sources ?? []);
    this.#floor(view.room.floor.includes(view.you?.user_id ?? 0));
  }

  /** A button that is gone does not say why. @param {string[]} sources */
  #hearMuted(sources) {
    if (sources.join() === this.muted) return;
    const before = this.muted.split(",");
    this.muted = sources.join();
    const known = this.closed.value.filter((one) => sources.includes(one));
    this.closed.value = [...known, ...sources.filter((one) => !before.includes(one) && one !== "screen_audio")];
  }

  /** @param {boolean} hasFloor */
  async #floor(hasFloor) {
    if (hasFloor === this.hadFloor) return;
    this.hadFloor = hasFloor;
    this.invitation.value = false;
    if (!hasFloor) return;
    if (BOTH.some((one) => this.devices.wasOn(one))) await this.devices.restore(BOTH);
    else if (await this.devices.capture.isPermitted(BOTH)) await this.devices.turnOn(BOTH);
    else this.invitation.value = true;
  }
}
