/** The roster of the course: who is in the room, who is about, who is missing; and for the instructor, whose turn it is. */
import { html } from "../../vendor/vendor.js";
import { Avatar } from "./person.js";
import { RoomIcon } from "./room_icon.js";
import { MutedMark, PersonActs } from "./room_person_acts.js";
import { RoomPolicy } from "./room_policy.js";

/** @typedef {import("../store/people.js").Person} Person */
/** @typedef {{classroom: import("../live/classroom.js").Classroom, person: Person}} Props */

/** Give or take the floor; nobody takes it from the instructor. @param {Props} props */
const Floor = ({ classroom, person }) => {
  if (!classroom.isInstructor || person.is_you || !person.in_room) return null;
  const event = person.has_floor ? "floor_take" : "floor_give";
  return html`
    <button type="button" class=${`button compact ${person.has_floor ? "" : "quiet"}`} onClick=${() => classroom.wish(event, { user_id: person.user_id })}>
      ${person.has_floor ? "Take floor" : "Give floor"}<span class="visually-hidden"> ${person.has_floor ? "from" : "to"} ${person.name}</span>
    </button>`;
};

/** @param {Props} props */
const Row = ({ classroom, person }) => html`
  <li class="room-person" data-in=${person.in_room} data-user=${person.user_id}>
    <${Avatar} person=${{ id: person.user_id, name: person.name, avatar_url: person.avatar_url }} online=${person.in_room} />
    <span class="room-person-name clip" title=${person.name}>${person.name}${person.is_you ? " (you)" : ""}</span>
    ${person.role === "instructor" && html`<span class="badge accent">Instructor</span>`}
    ${person.has_floor && !(classroom.isInstructor && person.in_room) && html`<span class="badge good">Has the floor</span>`}
    ${person.hand > 0 && html`<span class="badge warn"><${RoomIcon} name="hand" />${person.hand}<span class="visually-hidden"> in line</span></span>`}
    <${MutedMark} classroom=${classroom} person=${person} />
    <${Floor} classroom=${classroom} person=${person} />
    <${PersonActs} classroom=${classroom} person=${person} />
  </li>
`;

/** @param {{title: string, of: Person[], classroom: Props["classroom"]}} props */
const Group = ({ title, of, classroom }) => of.length > 0 && html`
  <section class="room-group" aria-label=${title}>
    <h3>${title} <span class="figures muted">${of.length}</span></h3>
    <ul>${of.map((person) => html`<${Row} key=${person.user_id} person=${person} classroom=${classroom} />`)}</ul>
  </section>
`;

/** @param {{classroom: Props["classroom"]}} props */
export const RoomPeople = ({ classroom }) => {
  const everyone = classroom.people.value;
  const here = everyone.filter((one) => one.in_room);
  const about = everyone.filter((one) => !one.in_room && one.online);
  const missing = everyone.filter((one) => !one.in_room && !one.online);
  return html`
    <div class="room-scroll" tabindex="0" role="region" aria-label="People">
      <${RoomPolicy} classroom=${classroom} />
      <${Group} title="In the room" of=${here} classroom=${classroom} />
      <${Group} title="Online, not in the room" of=${about} classroom=${classroom} />
      <${Group} title="Not here" of=${missing} classroom=${classroom} />
    </div>
  `;
};
