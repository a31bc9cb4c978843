/** Which microphone and camera to use, with a look at the picture; changing one changes it for the class at once. */
import { html, useEffect, useRef, useState } from "../../vendor/vendor.js";

/** @typedef {import("../live/classroom.js").Classroom} Classroom */
/** @typedef {import("../media/capture.js").Device} Device */

/** @type {[Device, MediaDeviceKind, string, string][]} */
const KINDS = [
  ["camera", "videoinput", "Camera", "Test picture"],
  ["microphone", "audioinput", "Microphone", "Test tone"],
];

/** What is plugged in, kept current while looked at. @returns {MediaDeviceInfo[]} */
function usePlugged() {
  const [plugged, set] = useState(/** @type {MediaDeviceInfo[]} */ ([]));
  useEffect(() => {
    const devices = navigator.mediaDevices;
    if (!devices) return undefined;
    const look = () => devices.enumerateDevices().then(set, () => set([]));
    look();
    devices.addEventListener("devicechange", look);
    return () => devices.removeEventListener("devicechange", look);
  }, []);
  return plugged;
}

/** @param {{classroom: Classroom, of: [Device, MediaDeviceKind, string, string], plugged: MediaDeviceInfo[]}} props */
const Choice = ({ classroom, of: [which, kind, word, test], plugged }) => {
  const view = classroom.media.value.capture[which];
  const known = plugged.filter((one) => one.kind === kind && one.deviceId);
  const value = view.state !== "on" ? "off" : view.isTest ? "test" : (view.deviceId ?? "");
  const choose = (/** @type {any} */ event) => {
    const chosen = event.target.value;
    if (chosen === "off") classroom.devices.turnOff(which);
    else if (chosen === "test") classroom.devices.test(which);
    else classroom.devices.choose(which, chosen);
  };
  return html`
    <div class="field">
      <label for=${`room-${which}`}>${word}</label>
      <select class="input" id=${`room-${which}`} value=${value} onChange=${choose}>
        <option value="off">Off</option>
        ${known.map((one, at) => html`<option value=${one.deviceId} key=${one.deviceId}>${one.label || `${word} ${at + 1}`}</option>`)}
        <option value="test">${test}</option>
      </select>
    </div>
  `;
};

/** @param {{classroom: Classroom, onClose: () => void}} props */
export const RoomSettings = ({ classroom, onClose }) => {
  const dialog = useRef(/** @type {HTMLDialogElement|null} */ (null));
  const video = useRef(/** @type {HTMLVideoElement|null} */ (null));
  const plugged = usePlugged();
  const track = classroom.media.value.tracks.get("camera") ?? null;
  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    if (video.current) video.current.srcObject = track ? new MediaStream([track]) : null;
  }, [track]);
  return html`
    <dialog class="room-dialog" ref=${dialog} aria-labelledby="room-settings-title" onClose=${onClose}>
      <form method="dialog" class="stack">
        <h2 id="room-settings-title">Devices</h2>
        <div class="room-preview">
          <video ref=${video} muted autoplay playsinline class="is-mirrored" hidden=${!track} aria-label="Your camera"></video>
          ${!track && html`<p class="muted small">Your camera is off</p>`}
        </div>
        ${KINDS.map((kind) => html`<${Choice} key=${kind[0]} classroom=${classroom} of=${kind} plugged=${plugged} />`)}
        <div class="row"><button class="button primary" type="submit">Done</button></div>
      </form>
    </dialog>
  `;
};
