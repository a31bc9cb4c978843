/** What stands between this person and the class, one at a time and in words, each with a way on. */
import { html } from "../../vendor/vendor.js";
import { Icon } from "./icon.js";
import { RoomIcon } from "./room_icon.js";

/** @typedef {import("../live/classroom.js").Classroom} Classroom */
/** @typedef {import("../media/capture.js").Device} Device */
/** @typedef {{label: string, act: () => void, isMain?: boolean}} Way */
/** @typedef {{key: string, icon: any, title: string, text: string, ways: Way[], tone: string}} Notice */

const TEST = { camera: "Send a test picture", microphone: "Send a test tone" };

/** One device or both, in words. @type {Record<import("../media/capture.js").Fault, (of: Device[]) => [string, string]>} */
const FAULTS = {
  refused: (of) => [`Your browser does not allow the ${of.join(" and ")}`, "Allow it beside the address of this page, then try again."],
  missing: (of) => [`No ${of.join(" and no ")} was found`, "Plug one in and try again, or go on without."],
  busy: (of) => [`The ${of.join(" and the ")} ${of.length > 1 ? "are" : "is"} in use`, "Another program or page holds it. Close it there, then try again."],
  insecure: (of) => [`The ${of.join(" and the ")} ${of.length > 1 ? "need" : "needs"} a secure page`,
    "Browsers open devices only on https addresses and on this machine itself, and this page came over plain http. You see, hear and write as usual."],
  failed: (of) => [`The ${of.join(" and the ")} did not start`, "Try again; if it stays so, choose another one under Devices."],
};

/** A device that should be on and is not. @param {Classroom} classroom @returns {Notice[]} */
function faults(classroom) {
  const { capture } = classroom.media.value;
  const may = classroom.permitted.value;
  const which = /** @type {Device[]} */ (["camera", "microphone"]).filter((one) => may.has(one) && capture[one].state === "fault");
  const isSame = which.length === 2 && capture.camera.fault === capture.microphone.fault;
  const groups = isSame ? [which] : which.map((one) => [one]);
  return groups.map((group) => {
    const fault = /** @type {import("../media/capture.js").Fault} */ (capture[group[0]].fault);
    const [title, text] = FAULTS[fault](group);
    /** @type {Way[]} */
    const again = fault === "insecure" ? [] : [{ label: "Try again", act: () => classroom.turnOn(group), isMain: true }];
    const tests = isSame
      ? [{ label: "Send a test picture and tone", act: () => group.forEach((one) => classroom.devices.test(one)) }]
      : group.map((one) => ({ label: TEST[one], act: () => classroom.devices.test(one) }));
    const without = { label: "Go on without", act: () => group.forEach((one) => classroom.devices.turnOff(one)) };
    return {
      key: `fault-${group.join("-")}`, icon: html`<${RoomIcon} name=${`${group[0]}-off`} />`, title, text, tone: "warn",
      ways: [...again, ...tests, without],
    };
  });
}

/** @type {Record<string, string>} */
const CLOSED = { microphone: "microphone", camera: "camera", screen: "shared screen" };

/** What the instructor does with this person, and asks of them. @param {Classroom} classroom @param {() => void} onAnswer @returns {Notice[]} */
function fromTheInstructor(classroom, onAnswer) {
  const { room } = classroom.view.value;
  const closed = classroom.closed.value.map((one) => CLOSED[one] ?? one);
  /** @type {Notice[]} */
  const all = [];
  if (closed.length)
    all.push({
      key: "closed", icon: html`<${RoomIcon} name=${closed[0] === "microphone" ? "microphone-off" : "camera-off"} />`, tone: "warn",
      title: `The instructor turned off your ${closed.join(" and your ")}`, text: "Its button is back as soon as the instructor allows it again.",
      ways: [{ label: "All right", act: () => (classroom.closed.value = []) }],
    });
  const poll = classroom.isInstructor ? undefined : room?.polls.find((one) => one.open && !classroom.heeded.value.has(one.poll));
  if (poll && classroom.asides.value.answers[poll.poll] === undefined)
    all.push({
      key: `poll-${poll.poll}`, icon: html`<${Icon} name="chart" />`, title: "The instructor asks", text: poll.question, tone: "accent",
      ways: [{ label: "Answer", act: onAnswer, isMain: true }, { label: "Not now", act: () => classroom.heed(poll.poll) }],
    });
  return all;
}

/** @param {Classroom} classroom @param {() => void} onAnswer @returns {Notice[]} Most pressing first. */
function notices(classroom, onAnswer) {
  const media = classroom.media.value;
  const { devices } = classroom;
  const waiting = classroom.waiting.value.length;
  /** @type {Notice[]} */
  const all = [];
  if (waiting && !classroom.view.value.isCurrent)
    all.push({
      key: "waiting", icon: html`<${Icon} name="offline" />`, title: "Waiting for the connection", tone: "",
      text: waiting === 1 ? "What you just did is sent when it is back." : `The ${waiting} things you just did are sent one by one when it is back.`, ways: [],
    });
  if (classroom.invitation.value)
    all.push({
      key: "floor", icon: html`<${RoomIcon} name="hand" />`, title: "You have the floor", tone: "accent",
      text: "Turn on what you want the class to see and hear.",
      ways: [
        { label: "Turn on microphone and camera", act: () => classroom.turnOn(["microphone", "camera"]), isMain: true },
        { label: "Microphone only", act: () => classroom.turnOn(["microphone"]) },
        { label: "Not now", act: () => classroom.onlyListen() },
      ],
    });
  if (media.sound.isOn && media.sound.isBlocked)
    all.push({
      key: "blocked", icon: html`<${RoomIcon} name="sound-off" />`, title: "Tap to hear the class", tone: "accent",
      text: "Your browser keeps the sound back until you touch the page.",
      ways: [{ label: "Tap to hear", act: () => devices.speakers.unblock(), isMain: true }],
    });
  if (media.isQuietForNeighbours)
    all.push({
      key: "neighbours", icon: html`<${RoomIcon} name="sound-off" />`, title: "The sound is off in this tab", tone: "",
      text: "Another tab of this browser is in a class; with sound in both they would howl.",
      ways: [{ label: "Turn sound on", act: () => devices.turnSound(true), isMain: true }],
    });
  if (media.sending === "elsewhere")
    all.push({
      key: "elsewhere", icon: html`<${Icon} name="alert" />`, title: "You are sending from another tab", tone: "",
      text: "Your microphone and camera are used there now.",
      ways: [{ label: "Use this tab", act: () => classroom.turnOn(["microphone", "camera"]), isMain: true }],
    });
  return [...all, ...faults(classroom), ...fromTheInstructor(classroom, onAnswer)];
}

/** @param {{classroom: Classroom, isAsking: boolean, onAnswer: () => void}} props isAsking: polls are shown beside the stage already */
export const RoomNotices = ({ classroom, isAsking, onAnswer }) => html`
  <div class="room-notices" role="status">
    ${notices(classroom, onAnswer).filter(({ key }) => !(isAsking && key.startsWith("poll-"))).slice(0, 2).map(({ key, icon, title, text, ways, tone }) => html`
      <div class=${`room-notice ${tone}`} key=${key} data-notice=${key}>
        ${icon}
        <div class="room-notice-words"><p class="room-notice-title">${title}</p><p class="small">${text}</p></div>
        <div class="room-notice-ways">
          ${ways.map(({ label, act, isMain }) => html`
            <button type="button" class=${`button compact ${isMain ? "primary" : "quiet"}`} key=${label} onClick=${act}>${label}</button>`)}
        </div>
      </div>`)}
  </div>
`;
