/**
 * Everything this tab sends and receives in a room: devices, the two connections, sound; one object for the page.
 *
 * It follows what the room permits and what the person wants, and sends where both agree. What the person wanted is kept
 * for the tab's life, so that a reload or a restarted server finds camera and microphone as they were.
 */
import { Capture } from "./media/capture.js";
import { follow, speaking } from "./media/levels.js";
import { Looking } from "./media/looking.js";
import { Neighbours } from "./media/neighbours.js";
import { Publisher } from "./media/publisher.js";
import { Speakers } from "./media/speakers.js";
import { Subscriber } from "./media/subscriber.js";

/** @typedef {import("./media/publisher.js").Source} Source */
/** @typedef {import("./media/capture.js").Device} Device */
/**
 * @typedef {{
 *   capture: import("./media/capture.js").CaptureView, tracks: Map<Source, MediaStreamTrack>,
 *   sending: import("./media/publisher.js").SendState, receiving: import("./media/subscriber.js").ReceiveState,
 *   slots: import("./media/subscriber.js").Slot[], sound: import("./media/speakers.js").SoundView,
 *   isQuietForNeighbours: boolean, speaking: Set<number>,
 * }} MediaView
 */

/** @type {Source[]} */
const SOURCES = ["microphone", "camera", "screen", "screen_audio"];

/** Cores below which a machine sends the small picture: encoding is most of what a page costs. */
const SMALL_MACHINE_CORES = 4;

/** What changes whether anybody can see pictures; picture in picture stays in sight beside other tabs. */
const SIGHT = ["visibilitychange", "enterpictureinpicture", "leavepictureinpicture"];

const after = (/** @type {number} */ seconds, /** @type {() => void} */ act) => setTimeout(act, seconds * 1000);

export class RoomMedia {
  /** @param {{live: any, liveSessionId: number, name: () => string, onChange: (view: MediaView) => void}} ports */
  constructor({ live, liveSessionId, name, onChange }) {
    this.id = liveSessionId;
    this.onChange = onChange;
    this.key = `lectern-room-${liveSessionId}`;
    /** @type {number|null} */
    this.me = null;
    /** @type {RTCIceServer[]} */
    this.iceServers = [];
    /** @type {Set<Source>} */
    this.permitted = new Set();
    const wish = (/** @type {string} */ event, /** @type {object} */ payload) =>
      live.wish(event, { live_session_id: liveSessionId, ...payload });
    const newPeer = () => new RTCPeerConnection(this.#configuration());
    this.capture = new Capture({
      devices: navigator.mediaDevices, permissions: navigator.permissions, name,
      isSmall: navigator.hardwareConcurrency < SMALL_MACHINE_CORES,
      onChange: () => this.#captured(),
    });
    this.publisher = new Publisher({ wish, newPeer, after, onState: (sending) => this.#sending(sending) });
    this.subscriber = new Subscriber({
      wish, newPeer, after, onState: (receiving) => this.#show({ receiving }), onSlots: (slots) => this.#received(slots),
    });
    this.looking = new Looking({ wish, after, isHidden: () => document.hidden && !document.pictureInPictureElement });
    this.speakers = new Speakers({ onChange: (sound) => this.#show({ sound }) });
    this.neighbours = new Neighbours();
    /** @type {MediaView} */
    this.view = {
      capture: this.capture.view, tracks: new Map(), sending: "idle", receiving: "idle", slots: [], sound: this.speakers.view,
      isQuietForNeighbours: false, speaking: new Set(),
    };
    const mine = (/** @type {(fact: any) => void} */ act) => (/** @type {any} */ fact) =>
      fact.live_session_id === liveSessionId && act(fact);
    this.stops = [
      live.on("media_offer", mine((fact) => this.subscriber.heard(fact))),
      live.on("media_bindings", mine((fact) => this.subscriber.heard(fact))),
      live.on("media_closed", mine((fact) => this.#closed(fact))),
      follow(() => this.#loud(), (loud) => this.#show({ speaking: loud })),
    ];
    const look = () => this.looking.look();
    for (const event of SIGHT) document.addEventListener(event, look, true);
    this.stops.push(() => SIGHT.forEach((event) => document.removeEventListener(event, look, true)));
    this.#quietForNeighbours();
    expose(this);
  }

  /**
   * In the room: for the first time, or again after any break.
   * @param {{me: number, iceServers: RTCIceServer[], isInstructor: boolean}} room
   */
  enter({ me, iceServers, isInstructor }) {
    this.me = me;
    this.iceServers = iceServers;
    this.subscriber.enter();
    this.publisher.enter(isInstructor);
  }

  /** New credentials for the same relays; what is connected stays so. @param {RTCIceServer[]} iceServers */
  renew(iceServers) {
    this.iceServers = iceServers;
    for (const { pc } of [this.publisher, this.subscriber]) pc?.setConfiguration(this.#configuration());
  }

  /** What the room lets this person send now; what is not permitted any more is let go of. @param {Set<Source>} permitted */
  permit(permitted) {
    this.permitted = permitted;
    for (const one of /** @type {Device[]} */ (["microphone", "camera"]))
      if (!permitted.has(one) && this.capture.view[one].state !== "off") this.capture.close(one);
    if (!permitted.has("screen")) this.capture.closeScreen();
    this.#wanted();
  }

  /** @param {Device[]} which */
  async turnOn(which) {
    this.#remember(which, "on");
    await this.capture.open(which);
  }

  /** @param {Device} which */
  turnOff(which) {
    this.#remember([which], "off");
    this.capture.close(which);
  }

  /** @param {Device} which */
  test(which) {
    this.#remember([which], "test");
    this.capture.test(which);
  }

  /** @param {Device} which @param {string} deviceId */
  choose(which, deviceId) {
    this.#remember([which], "on");
    return this.capture.choose(which, deviceId);
  }

  /** As it was before a reload or a break, or on where nothing was chosen yet. @param {Device[]} which */
  async restore(which) {
    const chosen = this.#chosen();
    for (const one of which) if (chosen[one] === "test" && this.capture.view[one].state === "off") this.capture.test(one);
    await this.capture.open(which.filter((one) => (chosen[one] ?? "on") === "on"));
  }

  /** Whether the person has had this device on in this room before. @param {Device} which */
  wasOn(which) {
    return ["on", "test"].includes(this.#chosen()[which] ?? "off");
  }

  /** @param {boolean} isOn */
  turnSound(isOn) {
    this.#show({ isQuietForNeighbours: false });
    sessionStorage.setItem(`${this.key}-sound`, isOn ? "on" : "off");
    this.speakers.turn(isOn);
  }

  /** The room is over for this person. */
  leave() {
    this.publisher.close();
    this.subscriber.close();
    this.capture.closeAll();
  }

  close() {
    this.leave();
    for (const stop of this.stops.splice(0)) stop();
    this.speakers.close();
    this.neighbours.close();
    expose(null);
  }

  /** @returns {RTCConfiguration} */
  #configuration() {
    return { iceServers: this.iceServers, bundlePolicy: "max-bundle" };
  }

  async #quietForNeighbours() {
    const chosen = () => sessionStorage.getItem(`${this.key}-sound`);
    if (chosen()) return this.speakers.turn(chosen() === "on");
    if (!(await this.neighbours.any()) || !this.stops.length || chosen()) return; // chosen meanwhile: that holds
    this.speakers.turn(false);
    this.#show({ isQuietForNeighbours: true });
  }

  #captured() {
    this.#show({ capture: this.capture.view, tracks: new Map(this.capture.tracks) });
    this.#wanted();
  }

  #wanted() {
    /** @type {Map<Source, MediaStreamTrack>} */
    const wanted = new Map();
    for (const source of SOURCES) {
      const track = this.capture.tracks.get(source);
      if (track && this.permitted.has(source)) wanted.set(source, track);
    }
    this.publisher.want(wanted);
  }

  /** @param {import("./media/publisher.js").SendState} sending */
  #sending(sending) {
    this.#show({ sending });
    if (sending === "elsewhere") this.capture.closeAll(); // another tab of this person took over
  }

  /** @param {import("./media/subscriber.js").Slot[]} slots */
  #received(slots) {
    this.#show({ slots });
    this.looking.carry(slots);
    this.speakers.play(slots.filter((slot) => slot.kind === "audio").map((slot) => slot.track));
  }

  /** @param {{side: "publish"|"subscribe", reason: string}} fact */
  #closed({ side, reason }) {
    if (side === "publish") this.publisher.closed(reason);
    else this.subscriber.closed(reason);
  }

  #loud() {
    const holders = new Map(this.view.slots.flatMap((slot) =>
      slot.kind === "audio" && slot.binding ? [[slot.mid, slot.binding.user_id]] : []));
    return speaking(this.publisher.pc, this.subscriber.pc, holders, this.capture.view.microphone.isMuted ? null : this.me);
  }

  /** @returns {Partial<Record<Device, "on"|"off"|"test">>} */
  #chosen() {
    return JSON.parse(sessionStorage.getItem(this.key) ?? "{}");
  }

  /** @param {Device[]} which @param {"on"|"off"|"test"} choice */
  #remember(which, choice) {
    const choices = Object.fromEntries(which.map((one) => [one, choice]));
    sessionStorage.setItem(this.key, JSON.stringify({ ...this.#chosen(), ...choices }));
  }

  /** @param {Partial<MediaView>} change */
  #show(change) {
    this.view = { ...this.view, ...change };
    this.onChange(this.view);
  }
}

/**
 * For browser tests and for looking closer in the developer tools: `__lectern.pcs()` gives the two connections, so that
 * getStats can be called on them. Read-only; nothing of the product uses it.
 * @param {RoomMedia|null} media
 */
function expose(media) {
  const pcs = () => ({ publish: media?.publisher.pc ?? null, subscribe: media?.subscriber.pc ?? null });
  Object.defineProperty(window, "__lectern", { value: Object.freeze({ pcs }), configurable: true });
}
