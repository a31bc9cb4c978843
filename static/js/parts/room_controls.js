/** What one can do in the room: devices, hand, leaving, ending; the one thing of one's role stands out. */
import { html } from "../../vendor/vendor.js";
import { Icon } from "./icon.js";
import { RoomIcon } from "./room_icon.js";

/** @typedef {{classroom: import("../live/classroom.js").Classroom}} Props */

/** Its name begins with the word one sees, so that it can be asked for by voice.
 * @param {{icon: string, word: string, label: string, isOn: boolean, isFault?: boolean, act: () => void, className?: string}} props */
const Control = ({ icon, word, label, isOn, isFault = false, act, className = "" }) => html`
  <button type="button" class=${`room-control ${className}`} aria-label=${label} data-on=${isOn} data-fault=${isFault} onClick=${act}>
    <${RoomIcon} name=${icon} /><span aria-hidden="true">${word}</span>
  </button>
`;

/** @param {Props} props */
const Microphone = ({ classroom }) => {
  const { devices } = classroom;
  const { state, isMuted } = classroom.media.value.capture.microphone;
  const isOn = state === "on" && !isMuted;
  const act = () => (state === "on" ? devices.capture.mute(!isMuted) : classroom.turnOn(["microphone"]));
  return html`<${Control} icon=${isOn ? "microphone" : "microphone-off"} word=${isOn ? "Mute" : "Unmute"} isOn=${isOn}
    label=${isOn ? "Mute microphone" : "Unmute microphone"} isFault=${state === "fault"} act=${act} />`;
};

/** @param {Props} props */
const Camera = ({ classroom }) => {
  const { state } = classroom.media.value.capture.camera;
  const isOn = state === "on";
  const act = () => (isOn ? classroom.devices.turnOff("camera") : classroom.turnOn(["camera"]));
  return html`<${Control} icon=${isOn ? "camera" : "camera-off"} word=${isOn ? "Stop" : "Start"} isOn=${isOn}
    label=${isOn ? "Stop camera" : "Start camera"} isFault=${state === "fault"} act=${act} />`;
};

/** @param {Props} props */
const Screen = ({ classroom }) => {
  if (!navigator.mediaDevices?.getDisplayMedia) return null; // phones cannot share
  const { capture } = classroom.devices;
  const isOn = classroom.media.value.capture.screen;
  const act = () => (isOn ? capture.closeScreen() : capture.openScreen());
  return html`<${Control} icon=${isOn ? "stop" : "screen"} word=${isOn ? "Unshare" : "Share"} isOn=${isOn}
    label=${isOn ? "Unshare screen" : "Share screen"} act=${act} className="is-wide-only" />`;
};

/** @param {Props} props */
const Sound = ({ classroom }) => {
  const { isOn } = classroom.media.value.sound;
  return html`<${Control} icon=${isOn ? "sound" : "sound-off"} word=${isOn ? "Silence" : "Listen"} isOn=${isOn}
    label=${isOn ? "Silence the room" : "Listen to the room"} act=${() => classroom.devices.turnSound(!isOn)} />`;
};

const PLACES = new Intl.PluralRules("en", { type: "ordinal" });
const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };

/** @param {number} place @returns {string} "1st", "2nd", ... */
export const ordinal = (place) => `${place}${ENDINGS[/** @type {keyof typeof ENDINGS} */ (PLACES.select(place))] ?? "th"}`;

/** @param {Props} props */
const Hand = ({ classroom }) => {
  const { room, you } = classroom.view.value;
  if (!room || !you) return null;
  const place = room.hands.indexOf(you.user_id) + 1;
  if (room.floor.includes(you.user_id))
    return html`
      <button type="button" class="button room-primary" onClick=${() => classroom.wish("floor_take", { user_id: you.user_id })}>
        <${RoomIcon} name="hand" />Give back the floor
      </button>`;
  if (place)
    return html`
      <button type="button" class="button room-primary" aria-pressed="true" onClick=${() => classroom.wish("hand_lower")}>
        <${RoomIcon} name="hand" />Lower hand <span class="room-place">${ordinal(place)} in line</span>
      </button>`;
  if (room.policy.hands !== "all") return html`<p class="room-primary muted small">The instructor takes no hands right now.</p>`;
  return html`
    <button type="button" class="button primary room-primary" onClick=${() => classroom.wish("hand_raise")}>
      <${RoomIcon} name="hand" />Raise hand
    </button>`;
};

/** @param {Props & {back: string, onSettings: () => void, onEnd: () => void}} props */
export const RoomControls = ({ classroom, back, onSettings, onEnd }) => {
  const may = classroom.permitted.value;
  return html`
    <div class="room-controls" role="group" aria-label="Your controls">
      <div class="room-controls-devices">
        ${may.has("microphone") && html`<${Microphone} classroom=${classroom} />`}
        ${may.has("camera") && html`<${Camera} classroom=${classroom} />`}
        ${may.has("screen") && html`<${Screen} classroom=${classroom} />`}
        <${Sound} classroom=${classroom} />
        ${may.has("microphone") && html`
          <button type="button" class="room-control" aria-label="Devices" onClick=${onSettings}>
            <${Icon} name="settings" /><span aria-hidden="true">Devices</span>
          </button>`}
      </div>
      <div class="room-controls-role">
        <a class="button room-leave" href=${back}><${Icon} name="door" />Leave</a>
        ${classroom.isInstructor
          ? html`<button type="button" class="button live room-primary" onClick=${onEnd}><${RoomIcon} name="stop" />End class</button>`
          : html`<${Hand} classroom=${classroom} />`}
      </div>
    </div>
  `;
};
