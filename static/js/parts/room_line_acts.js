/** What can be done with a chat line: react to it, change one's own, delete one's own or, for the instructor, any. */
import { html, useEffect, useRef, useState } from "../../vendor/vendor.js";
import { nameOf } from "../store/people.js";
import { confirmed } from "./confirm.js";
import { Icon } from "./icon.js";
import { Menu } from "./menu.js";

/** @typedef {import("../live/classroom.js").Classroom} Classroom */
/** @typedef {import("../store/lines.js").Line} Line */

/** What one may put under a line here; whatever others put there is shown too. @type {[string, string][]} */
const EMOJI = [["👍", "Thumbs up"], ["❤️", "Heart"], ["😄", "Smile"], ["🎉", "Party"], ["🤔", "Thinking"]];

/** @param {Classroom} classroom @param {Line} line */
async function askToDelete(classroom, line) {
  const isSure = await confirmed({
    title: "Delete this line?", body: "Its text is gone for everybody, also from the record of the class.", yes: "Delete", no: "Keep",
  });
  if (isSure) await classroom.wish("chat_delete", { seq: line.seq });
}

/** The reactions under a line; touching one joins or leaves it. @param {{classroom: Classroom, line: Line, me: number}} props */
export const Reactions = ({ classroom, line, me }) => {
  const all = Object.entries(line.reactions);
  if (!all.length) return null;
  const people = classroom.people.value;
  return html`
    <p class="room-reactions">
      ${all.map(([emoji, users]) => {
        const names = users.map((user) => (user === me ? "You" : nameOf(people, user))).join(", ");
        return html`
          <button type="button" class="room-reaction" key=${emoji} aria-pressed=${users.includes(me)} title=${names}
            aria-label=${`${emoji} ${users.length}: ${names}`} disabled=${!classroom.mayWrite}
            onClick=${() => classroom.wish("chat_react", { seq: line.seq, emoji, on: !users.includes(me) })}>
            ${emoji} <span class="figures">${users.length}</span>
          </button>`;
      })}
    </p>
  `;
};

/** @param {{classroom: Classroom, line: Line, me: number, onEdit: () => void}} props */
export const LineMenu = ({ classroom, line, me, onEdit }) => {
  const isOwn = line.actor_id === me;
  const mayDelete = isOwn || classroom.isInstructor;
  if (line.deleted || (!classroom.mayWrite && !mayDelete)) return null;
  return html`
    <div class="room-line-menu">
      <${Menu} title="What to do with this line" className="button icon compact quiet" label=${html`<${Icon} name="more" />`}>
        ${classroom.mayWrite && html`
          <div class="room-emoji" role="group" aria-label="React">
            ${EMOJI.map(([emoji, word]) => html`
              <button type="button" class="room-emoji-one" key=${emoji} aria-label=${word} title=${word}
                onClick=${() => classroom.wish("chat_react", { seq: line.seq, emoji, on: !line.reactions[emoji]?.includes(me) })}>${emoji}</button>`)}
          </div>`}
        ${isOwn && classroom.mayWrite && html`<button type="button" class="menu-item" onClick=${onEdit}>Edit</button>`}
        ${mayDelete && html`<button type="button" class="menu-item danger" onClick=${() => askToDelete(classroom, line)}>Delete</button>`}
      </${Menu}>
    </div>
  `;
};

/** @param {{classroom: Classroom, line: Line, longest: number, onDone: () => void}} props */
export const LineEditor = ({ classroom, line, longest, onDone }) => {
  const [text, write] = useState(line.text ?? "");
  const box = useRef(/** @type {HTMLTextAreaElement|null} */ (null));
  useEffect(() => box.current?.focus(), []);
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!text.trim()) return;
    if (text.trim() === line.text || (await classroom.wish("chat_edit", { seq: line.seq, text: text.trim() }))) onDone();
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") onDone();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) save(event);
  };
  return html`
    <form class="room-line-edit" onSubmit=${save}>
      <textarea class="input" rows="2" maxlength=${longest} aria-label="Change the line" ref=${box} value=${text}
        onInput=${(/** @type {any} */ event) => write(event.target.value)} onKeyDown=${key}></textarea>
      <div class="row tight">
        <button class="button primary compact" type="submit" disabled=${!text.trim()}>Save</button>
        <button class="button quiet compact" type="button" onClick=${onDone}>Cancel</button>
      </div>
    </form>
  `;
};
