/**
 * This person's microphone, camera and screen: what each is doing, why it is not, and the track when it is.
 *
 * Every way a device can fail is a state with a name, because each has another way on: a refused one is allowed in the
 * browser, a busy one closed elsewhere, a missing one replaced by a test picture or tone.
 */
import { testPicture, testTone } from "./test_source.js";

/** @typedef {"microphone"|"camera"} Device */
/** @typedef {"refused"|"missing"|"busy"|"insecure"|"failed"} Fault */
/** @typedef {{state: "off"|"asking"|"on"|"fault", fault: Fault|null, isMuted: boolean, isTest: boolean, deviceId: string|null}} DeviceView */
/** @typedef {{microphone: DeviceView, camera: DeviceView, screen: boolean}} CaptureView */

/** @type {DeviceView} */
const OFF = { state: "off", fault: null, isMuted: false, isTest: false, deviceId: null };

/** @type {Record<string, Fault>} What browsers call it, and what it is. */
const FAULTS = {
  NotAllowedError: "refused", SecurityError: "refused", NotFoundError: "missing", OverconstrainedError: "missing",
  NotReadableError: "busy", AbortError: "busy",
};

/** @param {unknown} error @returns {Fault} */
export const faultOf = (error) => FAULTS[/** @type {Error} */ (error)?.name] ?? "failed";

const SOUND = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/** @param {boolean} isSmall @returns {MediaTrackConstraints} A small machine encodes a small picture. */
const picture = (isSmall) => ({
  width: { ideal: isSmall ? 640 : 1280 }, height: { ideal: isSmall ? 360 : 720 }, frameRate: { ideal: 24, max: 30 },
});

export class Capture {
  /**
   * @param {{devices: MediaDevices|undefined, permissions?: Permissions, isSmall?: boolean, name: () => string,
   *   onChange: (view: CaptureView) => void}} ports `devices` is undefined where the page is not secure.
   */
  constructor({ devices, permissions, isSmall = false, name, onChange }) {
    this.devices = devices;
    this.permissions = permissions;
    this.isSmall = isSmall;
    this.name = name;
    this.onChange = onChange;
    /** @type {Map<"microphone"|"camera"|"screen"|"screen_audio", MediaStreamTrack>} */
    this.tracks = new Map();
    /** @type {CaptureView} */
    this.view = { microphone: OFF, camera: OFF, screen: false };
    /** Counts requests by device, so that a late answer to an older one is dropped. */
    this.asked = { microphone: 0, camera: 0 };
  }

  /** Whether these were allowed before, so that nobody is asked. @param {Device[]} which @returns {Promise<boolean>} */
  async isPermitted(which) {
    const states = await Promise.all(which.map((one) => this.#permission(one)));
    return states.every((state) => state === "granted");
  }

  /** Turn on what is off; asks for both at once, and apart only when together failed. @param {Device[]} which */
  async open(which) {
    const off = which.filter((one) => this.view[one].state !== "on" && this.view[one].state !== "asking");
    if (!off.length) return;
    if (!this.devices?.getUserMedia) return off.forEach((one) => this.#fault(one, "insecure"));
    const turns = off.map((one) => this.#ask(one));
    try {
      this.#got(await this.devices.getUserMedia(this.#constraints(off)), off, turns);
    } catch (error) {
      if (off.length === 1) return this.#failed(off[0], error, turns[0]);
      await this.#apart(off, error, turns);
    }
  }

  /** Another device of the same kind. @param {Device} which @param {string} deviceId */
  async choose(which, deviceId) {
    const turn = this.#ask(which);
    try {
      const stream = await /** @type {MediaDevices} */ (this.devices).getUserMedia(this.#constraints([which], deviceId));
      this.#got(stream, [which], [turn]);
    } catch (error) {
      this.#failed(which, error, turn);
    }
  }

  /** The moving picture or the tone instead of a device. @param {Device} which */
  test(which) {
    this.asked[which] += 1;
    this.#take(which, which === "camera" ? testPicture(this.name()) : testTone());
    this.#show(which, this.#on(which, true));
  }

  /** @param {Device} which */
  close(which) {
    this.asked[which] += 1;
    this.#stop(which);
    this.#show(which, OFF);
  }

  /** Silence without letting go of the microphone: speaking again is instant. @param {boolean} isMuted */
  mute(isMuted) {
    const track = this.tracks.get("microphone");
    if (track) track.enabled = !isMuted;
    this.#show("microphone", { ...this.view.microphone, isMuted });
  }

  /** Share a screen or window with its sound. @returns {Promise<Fault|null>} Dismissing the browser's question is no fault. */
  async openScreen() {
    if (!this.devices?.getDisplayMedia) return "insecure";
    try {
      const stream = await this.devices.getDisplayMedia({ video: { frameRate: { max: 15 } }, audio: true });
      const [video] = stream.getVideoTracks();
      video.contentHint = "detail";
      video.addEventListener("ended", () => this.closeScreen());
      this.tracks.set("screen", video);
      for (const sound of stream.getAudioTracks()) this.tracks.set("screen_audio", sound);
      this.#tell({ screen: true });
      return null;
    } catch (error) {
      const fault = faultOf(error);
      return fault === "refused" ? null : fault;
    }
  }

  closeScreen() {
    this.#stop("screen");
    this.#stop("screen_audio");
    if (this.view.screen) this.#tell({ screen: false });
  }

  closeAll() {
    this.close("microphone");
    this.close("camera");
    this.closeScreen();
  }

  /** @param {Device} which */
  #ask(which) {
    this.#show(which, { ...OFF, state: "asking", isMuted: this.view[which].isMuted });
    return (this.asked[which] += 1);
  }

  /** @param {Device[]} which @param {string} [deviceId] @returns {MediaStreamConstraints} */
  #constraints(which, deviceId) {
    const exact = deviceId ? { deviceId: { exact: deviceId } } : {};
    return {
      audio: which.includes("microphone") && { ...SOUND, ...exact },
      video: which.includes("camera") && { ...picture(this.isSmall), ...exact },
    };
  }

  /** One may work where both do not; a question just dismissed is not asked again. @param {Device[]} which @param {unknown} error @param {number[]} turns */
  async #apart(which, error, turns) {
    for (const [index, one] of which.entries()) {
      const mayTry = faultOf(error) !== "refused" || (await this.#permission(one)) === "granted";
      try {
        if (!mayTry) throw error;
        const stream = await /** @type {MediaDevices} */ (this.devices).getUserMedia(this.#constraints([one]));
        this.#got(stream, [one], [turns[index]]);
      } catch (reason) {
        this.#failed(one, reason, turns[index]);
      }
    }
  }

  /** @param {MediaStream} stream @param {Device[]} which @param {number[]} turns */
  #got(stream, which, turns) {
    const kept = which.filter((one, index) => {
      const [track] = one === "camera" ? stream.getVideoTracks() : stream.getAudioTracks();
      if (turns[index] !== this.asked[one]) track?.stop();
      else if (track) this.#take(one, track);
      else this.#fault(one, "missing");
      return track && turns[index] === this.asked[one];
    });
    // Told together, so that both go out in one negotiation.
    this.#tell(Object.fromEntries(kept.map((one) => [one, this.#on(one, false)])));
  }

  /** @param {Device} which @param {boolean} isTest @returns {DeviceView} */
  #on(which, isTest) {
    const deviceId = isTest ? null : (this.tracks.get(which)?.getSettings().deviceId ?? null);
    return { state: "on", fault: null, isMuted: this.view[which].isMuted, isTest, deviceId };
  }

  /** @param {Device} which @param {MediaStreamTrack} track */
  #take(which, track) {
    this.#stop(which);
    track.contentHint = which === "camera" ? "motion" : "speech";
    track.enabled = which === "camera" || !this.view.microphone.isMuted;
    track.addEventListener("ended", () => this.tracks.get(which) === track && this.#lost(which));
    this.tracks.set(which, track);
  }

  /** Unplugged, or taken by the system. @param {Device} which */
  #lost(which) {
    this.#stop(which);
    this.#fault(which, "missing");
  }

  /** @param {Device} which @param {unknown} error @param {number} turn */
  #failed(which, error, turn) {
    if (turn === this.asked[which]) this.#fault(which, faultOf(error));
  }

  /** @param {Device} which @param {Fault} fault */
  #fault(which, fault) {
    this.#stop(which);
    this.#show(which, { ...OFF, state: "fault", fault });
  }

  /** @param {"microphone"|"camera"|"screen"|"screen_audio"} source */
  #stop(source) {
    const track = this.tracks.get(source);
    this.tracks.delete(source);
    track?.stop();
  }

  /** @param {Device} which */
  async #permission(which) {
    try {
      return (await this.permissions?.query({ name: /** @type {any} */ (which) }))?.state ?? "prompt";
    } catch {
      return "prompt"; // a browser that cannot tell will ask
    }
  }

  /** @param {Device} which @param {DeviceView} now */
  #show(which, now) {
    this.#tell({ [which]: now });
  }

  /** @param {Partial<CaptureView>} change */
  #tell(change) {
    this.view = { ...this.view, ...change };
    this.onChange(this.view);
  }
}
