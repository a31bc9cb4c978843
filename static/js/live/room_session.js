/**
 * One live session as this tab follows it: enters, stays at the head of its timeline, and comes back where it was.
 *
 * Events count only in order. Whatever arrives while catching up waits; a gap, or another epoch, is closed by asking
 * the server, never by guessing. It talks and remembers; it draws nothing and touches no media.
 */
import { evolveAll, initial } from "../store/room.js";
import { withPresence } from "../store/people.js";
import { isPatience, isUnanswered, LiveProblem } from "./problem.js";

/** Timeline pages kept while catching up; beyond it they are dropped and asked for again. */
const BUFFER = 500;

/** Seconds between tries while the server has no time for us. */
const RETRY_SECONDS = 1;

/** Age at which credentials for a TURN server, good for an hour, are replaced. */
const RENEW_SECONDS = 50 * 60;

/** Refusals of `join` that are an end rather than an error, with the reason a page puts into words. */
/** @type {Record<string, string>} */
const ENDS = { removed_from_session: "removed", session_not_live: "ended", invalid_status: "ended" };

/**
 * @typedef {{
 *   phase: "joining"|"waiting"|"in"|"closed"|"refused", isCurrent: boolean, room: import("../store/room.js").Room|null,
 *   you: import("../store/people.js").You|null, roster: import("../store/people.js").RosterEntry[],
 *   liveSession: any, iceServers: RTCIceServer[], reason: string|null, problem: LiveProblem|null,
 * }} RoomView
 */

export class RoomSession {
  /**
   * @param {{live: any, liveSessionId: number, inviteCode?: string|null, courseId?: () => number|null,
   *   onChange: (view: RoomView) => void, onEntered?: () => void, onRenewed?: () => void,
   *   after?: (seconds: number, act: () => void) => unknown}} ports `onRenewed`: only `iceServers` are new.
   */
  constructor({
    live, liveSessionId, inviteCode = null, courseId = () => null, onChange, onEntered = () => {}, onRenewed = () => {}, after,
  }) {
    this.live = live;
    this.id = liveSessionId;
    this.inviteCode = inviteCode;
    this.courseId = courseId;
    this.onChange = onChange;
    this.onEntered = onEntered;
    this.onRenewed = onRenewed;
    this.after = after ?? ((seconds, act) => setTimeout(act, seconds * 1000));
    /** @type {string|null} */
    this.epoch = null;
    /** Counts entries, so that an answer to an older one is recognized. */
    this.entry = 0;
    /** @type {any[]} */
    this.buffer = [];
    /** @type {(() => void)[]} */
    this.stops = [];
    this.askedRoster = false;
    /** Joining again for new credentials only. */
    this.isRenewing = false;
    /** Counts credentials, so that only the last ones are renewed. */
    this.credentials = 0;
    /** @type {RoomView} */
    this.view = {
      phase: "joining", isCurrent: false, room: null, you: null, roster: [], liveSession: null, iceServers: [], reason: null,
      problem: null,
    };
  }

  open() {
    const mine = (/** @type {(payload: any) => void} */ act) => (/** @type {any} */ payload) =>
      payload.live_session_id === this.id && act(payload);
    this.live.outbox.hold(this.id);
    this.stops = [
      this.live.on("up", () => this.#join()),
      this.live.on("down", () => this.#away()),
      this.live.on("timeline", mine((page) => this.#hear(page))),
      this.live.on("room_opened", mine((ack) => this.#take(ack, ++this.entry))),
      this.live.on("room_closed", mine(({ reason }) => this.#close(reason))),
      this.live.on("presence", (/** @type {any} */ fact) => this.#presence(fact)),
    ];
    if (this.live.isUp) this.#join();
  }

  /** Leave the room and stop listening; may be called twice. */
  close() {
    if (!this.stops.length) return;
    for (const stop of this.stops.splice(0)) stop();
    this.entry += 1;
    if (this.view.phase === "in" || this.view.phase === "waiting")
      this.live.wish("leave", { live_session_id: this.id }).catch(() => {}); // gone is gone; the server counts the silence
    this.live.outbox.drop(this.id, new LiveProblem({ code: "left", detail: "You left the room." }));
  }

  /** Ask again after a refusal. */
  again() {
    this.#show({ phase: "joining", problem: null, reason: null });
    if (this.live.isUp) this.#join();
  }

  /** Lines read from before the window. @param {import("../store/lines.js").Line[]} lines @param {boolean} isAll Whether none is before them. */
  keepEarlier(lines, isAll) {
    const { room } = this.view;
    if (!room) return;
    const known = new Set(room.history.map((line) => line.seq));
    const history = [...lines.filter((line) => !known.has(line.seq)), ...room.history];
    this.#show({ room: { ...room, history, isWhole: isAll } });
  }

  #away() {
    this.entry += 1;
    this.isRenewing = false;
    this.live.outbox.hold(this.id);
    this.#show({ isCurrent: false });
  }

  async #join() {
    if (this.view.phase === "closed" || this.view.phase === "refused") return;
    const entry = ++this.entry;
    this.buffer = [];
    this.live.outbox.hold(this.id);
    if (this.view.isCurrent) this.#show({ isCurrent: false });
    const { room } = this.view;
    const wish = {
      live_session_id: this.id,
      ...(room && this.epoch ? { after: { epoch: this.epoch, seq: room.seq } } : {}),
      ...(this.inviteCode ? { invite_code: this.inviteCode } : {}),
    };
    try {
      await this.#take(await this.live.wish("join", wish), entry);
    } catch (error) {
      this.#failed(/** @type {Error} */ (error), entry);
    }
  }

  /** The body of a join's acknowledgement, also as `room_opened` brings it. @param {any} ack @param {number} entry */
  async #take(ack, entry) {
    if (entry !== this.entry) return;
    if (ack.waiting) {
      this.live.outbox.release(this.id); // to start the class is a wish too
      return this.#show({ phase: "waiting", liveSession: ack.live_session, isCurrent: false });
    }
    this.#show({ you: ack.you, roster: ack.roster ?? [], iceServers: ack.ice_servers ?? [] });
    this.#renewLater();
    const isRenewal = this.isRenewing;
    this.isRenewing = false;
    if (isRenewal) this.onRenewed();
    await this.#catchUp(ack, entry);
    if (entry === this.entry && !isRenewal) this.onEntered();
  }

  /** A TURN server takes a password for an hour, a class may be longer; not everybody asks at the same moment. */
  #renewLater() {
    const mine = ++this.credentials;
    if (!this.view.iceServers.length) return;
    this.after(RENEW_SECONDS * (0.8 + Math.random() * 0.2), () => {
      if (mine !== this.credentials || !this.stops.length || !this.live.isUp || this.view.phase !== "in") return;
      this.isRenewing = true;
      this.#join();
    });
  }

  /** @param {any} page @param {number} entry */
  async #catchUp(page, entry) {
    for (;;) {
      this.epoch = page.epoch;
      const before = this.view.room;
      const room = page.snapshot ? initial(page.snapshot, page.seq) : evolveAll(/** @type {any} */ (before), page.events);
      // The page's own position is authoritative: what it skipped is not for us.
      this.view = { ...this.view, room: { ...room, seq: Math.max(room.seq, page.seq) } };
      if (!page.more) break;
      page = await this.#ask(entry);
      if (entry !== this.entry) return;
    }
    this.#show({ phase: "in", isCurrent: true });
    for (const waiting of this.buffer.splice(0)) this.#hear(waiting);
    if (this.view.isCurrent) this.live.outbox.release(this.id);
  }

  /** @param {number} entry */
  #ask(entry) {
    const wish = { live_session_id: this.id, epoch: this.epoch, after: this.view.room?.seq ?? 0 };
    return entry === this.entry ? this.live.wish("sync", wish) : Promise.resolve(null);
  }

  /** @param {{epoch: string, events: any[]}} page */
  #hear(page) {
    const { room, isCurrent } = this.view;
    if (!room || !isCurrent) {
      this.buffer.push(page);
      if (this.buffer.length > BUFFER) this.buffer.shift(); // the hole this leaves is seen and asked for
      return;
    }
    const news = page.events.filter((event) => event.seq > room.seq);
    if (page.epoch === this.epoch && !news.length) return;
    if (page.epoch !== this.epoch || news[0].seq !== room.seq + 1) return void this.#sync();
    this.#show({ room: evolveAll(room, news) });
  }

  async #sync() {
    const entry = ++this.entry;
    this.live.outbox.hold(this.id);
    this.#show({ isCurrent: false });
    try {
      await this.#catchUp(await this.#ask(entry), entry);
    } catch (error) {
      this.#failed(/** @type {Error} */ (error), entry);
    }
  }

  /** @param {Error} error @param {number} entry */
  #failed(error, entry) {
    if (entry !== this.entry) return;
    if (isUnanswered(error) || isPatience(error)) {
      if (!this.live.isUp) return; // the next connection joins again
      const seconds = /** @type {LiveProblem} */ (error).retry_after ?? RETRY_SECONDS;
      this.after(seconds, () => entry === this.entry && this.live.isUp && this.#join());
      return;
    }
    const problem = error instanceof LiveProblem ? error : new LiveProblem({ code: "internal", detail: error.message });
    if (problem.code in ENDS) return this.#close(ENDS[problem.code]);
    this.live.outbox.drop(this.id, problem);
    this.#show({ phase: "refused", isCurrent: false, problem });
  }

  /** @param {string} reason */
  #close(reason) {
    this.entry += 1;
    this.live.outbox.drop(this.id, new LiveProblem({ code: "room_closed", detail: "The room is closed." }));
    this.#show({ phase: "closed", isCurrent: false, reason });
  }

  /** @param {{live_session_id?: number, course_id?: number, changes: any[]}} payload */
  #presence({ live_session_id, course_id, changes }) {
    if (live_session_id ? live_session_id !== this.id : course_id !== this.courseId()) return;
    const { roster, unknown } = withPresence(this.view.roster, changes);
    this.#show({ roster });
    if (!unknown || this.askedRoster) return;
    this.askedRoster = true; // somebody enrolled during class: joining again brings the roster and changes nothing
    this.after(RETRY_SECONDS, () => {
      this.askedRoster = false;
      if (this.view.isCurrent) this.#refreshRoster();
    });
  }

  async #refreshRoster() {
    const wish = { live_session_id: this.id, after: { epoch: this.epoch, seq: this.view.room?.seq ?? 0 } };
    const entry = this.entry;
    const ack = await this.live.wish("join", wish).catch(() => null); // the next presence fact asks again
    if (!ack?.roster || entry !== this.entry) return;
    this.#show({ roster: ack.roster });
    await this.#catchUp(ack, entry).catch((error) => this.#failed(error, entry));
  }

  /** @param {Partial<RoomView>} change */
  #show(change) {
    this.view = { ...this.view, ...change };
    this.onChange(this.view);
  }
}
