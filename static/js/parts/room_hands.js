/** Who waits to speak, first come first served, and who is speaking; the instructor gives and takes the floor here. */
import { html } from "../../vendor/vendor.js";
import { Avatar } from "./person.js";
import { ordinal } from "./room_controls.js";
import { RoomIcon } from "./room_icon.js";

/** @typedef {import("../live/classroom.js").Classroom} Classroom */
/** @typedef {import("../store/people.js").Person} Person */

/** @param {{person: Person, place?: number, children?: any}} props */
const Row = ({ person, place, children }) => html`
  <li class="room-hand" data-user=${person.user_id}>
    ${place !== undefined && html`<span class="room-hand-place figures">${place}</span>`}
    <${Avatar} person=${{ id: person.user_id, name: person.name, avatar_url: person.avatar_url }} />
    <span class="room-person-name clip" title=${person.name}>${person.name}${person.is_you ? " (you)" : ""}</span>
    <span class="room-hand-acts">${children}</span>
  </li>
`;

/** @param {{classroom: Classroom, person: Person}} props */
const Waiting = ({ classroom, person }) => {
  const { user_id, name } = person;
  return html`
    <${Row} person=${person} place=${person.hand}>
      ${classroom.isInstructor && html`
        <button type="button" class="button primary compact" disabled=${!person.in_room}
          onClick=${() => classroom.wish("floor_give", { user_id })}>Give floor<span class="visually-hidden"> to ${name}</span></button>`}
      ${(classroom.isInstructor || person.is_you) && html`
        <button type="button" class="button quiet compact"
          onClick=${() => classroom.wish("hand_lower", person.is_you ? {} : { user_id })}>Lower<span class="visually-hidden"> the hand of ${name}</span></button>`}
    </${Row}>`;
};

/** @param {{classroom: Classroom, person: Person}} props */
const Speaking = ({ classroom, person }) => html`
  <${Row} person=${person}>
    ${(classroom.isInstructor || person.is_you) && html`
      <button type="button" class="button compact" onClick=${() => classroom.wish("floor_take", { user_id: person.user_id })}>
        ${person.is_you ? "Give back" : "Take floor"}<span class="visually-hidden"> ${person.is_you ? "the floor" : `from ${person.name}`}</span>
      </button>`}
  </${Row}>
`;

/** @param {{classroom: Classroom}} props */
export const RoomHands = ({ classroom }) => {
  const everyone = classroom.people.value;
  const waiting = everyone.filter((one) => one.hand > 0).sort((a, b) => a.hand - b.hand);
  const floor = everyone.filter((one) => one.has_floor);
  const mine = waiting.find((one) => one.is_you);
  return html`
    <div class="room-scroll" tabindex="0" role="region" aria-label="Raised hands">
      ${mine && html`<p class="room-mine"><${RoomIcon} name="hand" />Your hand is up: you are ${ordinal(mine.hand)} in line.</p>`}
      ${floor.length > 0 && html`
        <section class="room-group" aria-label="On the floor">
          <h3>On the floor</h3>
          <ul>${floor.map((person) => html`<${Speaking} key=${person.user_id} person=${person} classroom=${classroom} />`)}</ul>
        </section>`}
      ${waiting.length > 0 && html`
        <section class="room-group" aria-label="Waiting to speak">
          <h3>Waiting to speak</h3>
          <ol>${waiting.map((person) => html`<${Waiting} key=${person.user_id} person=${person} classroom=${classroom} />`)}</ol>
        </section>`}
      ${!waiting.length && !floor.length && html`
        <p class="room-nothing">${classroom.isInstructor
          ? "No hand is up. When a student raises one, you see it here and can give them the floor."
          : "No hand is up. Raise yours to speak: the instructor gives the floor in the order of the hands."}</p>`}
    </div>
  `;
};
