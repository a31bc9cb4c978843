/** In front of the room: waiting for the start, refused, or over; each says what is so and where to go from here. */
import { html } from "../../vendor/vendor.js";
import { whenText } from "../format.js";
import { Icon } from "./icon.js";

/** @param {{icon: string, title: string, text: any, about: any, back: string, children?: any}} props */
const Door = ({ icon, title, text, about, back, children }) => html`
  <div class="room-door">
    <div class="room-door-card card">
      <span class="room-door-mark"><${Icon} name=${icon} /></span>
      ${about && html`<p class="muted">${about.course_title ? `${about.course_title} · ` : ""}${about.title}</p>`}
      <h1>${title}</h1>
      <p class="lead">${text}</p>
      <div class="row room-door-ways">
        ${children}
        <a class="button" href=${back}>${about?.course_id ? "Go to the course" : "My live sessions"}</a>
      </div>
    </div>
  </div>
`;

/** @param {{about: any, back: string, isInstructor: boolean, isConnected: boolean, onStart: () => void}} props */
export const RoomWaiting = ({ about, back, isInstructor, isConnected, onStart }) => {
  const when = about?.scheduled_at ? `It is planned for ${whenText(about.scheduled_at)}.` : "";
  return html`
    <${Door} icon="clock" about=${about} back=${back} title=${isInstructor ? "Ready when you are" : "The class has not started yet"}
      text=${isInstructor ? `${when} Your students are told the moment you start.` : `${when} Stay here: this page opens by itself when it begins.`}>
      ${isInstructor && html`<button type="button" class="button live" onClick=${onStart}><${Icon} name="live" />Go live now</button>`}
      <span class="badge room-door-state" role="status">${isConnected ? "Connected, waiting" : "Reconnecting"}</span>
    </${Door}>
  `;
};

/** @type {Record<string, {icon: string, title: string, text: string}>} */
const REASONS = {
  ended: { icon: "check", title: "The class is over", text: "It has ended for everybody. Lessons and the next classes are in the course." },
  empty: { icon: "check", title: "The class is over", text: "It ended by itself because nobody was in the room any more." },
  cancelled: { icon: "calendar", title: "The class was cancelled", text: "The instructor called it off. You are told when there is a new date." },
  removed: { icon: "lock", title: "You were removed from this class", text: "The instructor removed you; you cannot come back into this one." },
  revoked: { icon: "lock", title: "You are no longer enrolled", text: "Your enrollment in this course has ended, and with it your place in the class." },
};

/** @param {{about: any, back: string, reason: string, isInstructor: boolean}} props */
export const RoomClosed = ({ about, back, reason, isInstructor }) => {
  const { icon, title, text } = REASONS[reason] ?? REASONS.ended;
  return html`
    <${Door} icon=${icon} about=${about} back=${back} title=${title} text=${text}>
      ${isInstructor && about && reason !== "cancelled" && html`
        <a class="button primary" href=${`/app/sessions/${about.id}/attendance`}><${Icon} name="people" />See attendance</a>`}
    </${Door}>
  `;
};

/** @param {{about: any, back: string, problem: Error & {code?: string}, onAgain: () => void}} props */
export const RoomRefused = ({ about, back, problem, onAgain }) => html`
  <${Door} icon="alert" about=${about} back=${back} title="You cannot enter this class" text=${problem.message}>
    <button type="button" class="button primary" onClick=${onAgain}>Try again</button>
  </${Door}>
`;
