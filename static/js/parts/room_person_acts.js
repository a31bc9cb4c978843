/** What the instructor can do with a person in the room: mute what they send, put them out. */
import { html } from "../../vendor/vendor.js";
import { confirmed } from "./confirm.js";
import { Icon } from "./icon.js";
import { Menu } from "./menu.js";
import { RoomIcon } from "./room_icon.js";

/** @typedef {import("../live/classroom.js").Classroom} Classroom */
/** @typedef {import("../store/people.js").Person} Person */

/** What is muted together, and what it is called. @type {[string, string[], string, string][]} */
const KINDS = [
  ["microphone", ["microphone"], "Mute microphone", "Unmute microphone"],
  ["camera", ["camera"], "Turn camera off", "Allow camera again"],
  ["screen", ["screen", "screen_audio"], "Stop screen", "Allow screen again"],
];

/** @param {Classroom} classroom @param {Person} person */
async function askToRemove(classroom, { user_id, name }) {
  const isSure = await confirmed({
    title: `Remove ${name} from this class?`, body: "They leave the room now and cannot come back to this class. Their enrollment stays.",
    yes: "Remove", no: "Keep",
  });
  if (isSure) await classroom.wish("participant_remove", { user_id });
}

/** @param {{classroom: Classroom, person: Person}} props */
export const PersonActs = ({ classroom, person }) => {
  const { room } = classroom.view.value;
  const { user_id, name } = person;
  const isKnown = room?.participants.some((one) => one.user_id === user_id);
  if (!room || !classroom.isInstructor || person.is_you || !isKnown) return null;
  const muted = room.muted.find((one) => one.user_id === user_id)?.sources ?? [];
  return html`
    <${Menu} title=${`More for ${name}`} className="button icon compact quiet" label=${html`<${Icon} name="more" />`}>
      ${KINDS.map(([kind, sources, close, open]) => {
        const isMuted = sources.every((one) => muted.includes(one));
        return html`
          <button type="button" class="menu-item" key=${kind}
            onClick=${() => classroom.wish("participant_mute", { user_id, sources, muted: !isMuted })}>${isMuted ? open : close}</button>`;
      })}
      <button type="button" class="menu-item danger" onClick=${() => askToRemove(classroom, person)}>Remove from this class</button>
    </${Menu}>
  `;
};

/** What of a person is muted, for everybody to see. @param {{classroom: Classroom, person: Person}} props */
export const MutedMark = ({ classroom, person }) => {
  const sources = classroom.view.value.room?.muted.find((one) => one.user_id === person.user_id)?.sources ?? [];
  if (!sources.length) return null;
  const [icon, word] = sources.includes("microphone") ? ["microphone-off", "Muted"] : ["camera-off", "Camera or screen closed"];
  return html`<span class="badge warn" title=${word}><${RoomIcon} name=${icon} /><span class="visually-hidden">${word}</span></span>`;
};
