/** The head of the room: which class this is, how long it has been live, whether we are connected, and who we are. */
import { html, useEffect, useState } from "../../vendor/vendor.js";
import { playText } from "../format.js";
import { Icon } from "./icon.js";
import { Avatar } from "./person.js";

/** @param {{startedAt: string|null}} props */
const Clock = ({ startedAt }) => {
  const [now, tick] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const seconds = startedAt ? Math.max(0, (now - Date.parse(startedAt)) / 1000) : 0;
  return html`<span class="room-clock figures"><span class="visually-hidden">Live for </span>${playText(seconds)}</span>`;
};

const ROLES = { instructor: "Instructor", student: "Student", guest: "Guest" };

/** @param {{about: any, you: import("../store/people.js").You|null, user: any, isConnected: boolean, back: string}} props */
export const RoomHead = ({ about, you, user, isConnected, back }) => html`
  <header class="room-head">
    <a class="button icon quiet room-back" href=${back} aria-label="Leave the room and go to the course"><${Icon} name="back" /></a>
    <div class="room-title">
      <h1 class="clip" title=${about?.title}>${about?.title ?? "Live class"}</h1>
      ${about?.course_title && html`<p class="clip" title=${about.course_title}>${about.course_title}</p>`}
    </div>
    <p class="room-state" role="status">
      ${isConnected
        ? html`<span class="badge live">Live</span>`
        : html`<span class="badge warn"><span class="room-spinner" aria-hidden="true"></span>Reconnecting</span>`}
    </p>
    <${Clock} startedAt=${about?.started_at ?? null} />
    ${user && html`
      <p class="room-me" title=${user.name}>
        <${Avatar} person=${user} />
        <span class="room-me-text">
          <span class="clip">${user.name}</span>
          <span class="room-me-role">${you ? ROLES[/** @type {keyof typeof ROLES} */ (you.role)] : ""}</span>
        </span>
      </p>`}
  </header>
`;
