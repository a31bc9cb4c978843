/** What everybody may do and what the instructor alone: switches for the instructor, each at work at once. */
import { html } from "../../vendor/vendor.js";

/** @typedef {import("../store/room.js").Policy} Policy */

/** Browser-to-browser media are for other pages; this one sends through the server. @type {[keyof Policy, string][]} */
const PARTS = [
  ["chat", "Write in the chat"],
  ["hands", "Raise a hand"],
  ["microphones", "Speak without being given the floor"],
  ["cameras", "Show their camera"],
  ["screens", "Share their screen"],
];

/** @param {{classroom: import("../live/classroom.js").Classroom}} props */
export const RoomPolicy = ({ classroom }) => {
  const { room } = classroom.view.value;
  if (!room || !classroom.isInstructor) return null;
  const set = (/** @type {keyof Policy} */ part) => (/** @type {any} */ event) => {
    const box = event.currentTarget;
    const wanted = box.checked ? "all" : "instructor";
    box.checked = room.policy[part] === "all"; // it turns when the room has turned
    classroom.wish("policy_set", { [part]: wanted });
  };
  return html`
    <details class="room-policy">
      <summary>What students may do</summary>
      <fieldset>
        <legend class="visually-hidden">What students may do</legend>
        ${PARTS.map(([part, words]) => html`
          <label class="check" key=${part}>
            <input type="checkbox" checked=${room.policy[part] === "all"} onChange=${set(part)} />${words}
          </label>`)}
      </fieldset>
    </details>
  `;
};
