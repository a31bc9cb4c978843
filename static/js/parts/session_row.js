/** A live session in a list: when, what, and the one thing one would do with it now. */
import { html, useState } from "../../vendor/vendor.js";
import { asApiError } from "../api.js";
import { cancelSession, startSession } from "../data/sessions.js";
import { tell, tellFailure } from "../data/toasts.js";
import { agoText, clockText, countText, durationText, whenText } from "../format.js";
import { navigate } from "../router.js";
import { confirmed } from "./confirm.js";
import { Icon } from "./icon.js";
import { Menu } from "./menu.js";
import { SessionDialog } from "./session_dialog.js";

/** @param {import("../data/sessions.js").LiveSession} session @returns {string} */
const momentText = (session) => {
  const { status, started_at: startedAt, scheduled_at: scheduledAt, ended_at: endedAt } = session;
  if (status === "live") return `Started ${agoText(startedAt)} · ${countText(session.participant_count, "person", "people")} in the room`;
  if (status === "cancelled") return scheduledAt ? `Was planned for ${whenText(scheduledAt)}` : "Was planned";
  if (status === "ended") {
    const took = startedAt && endedAt ? (Date.parse(endedAt) - Date.parse(startedAt)) / 1000 : 0;
    return `${whenText(startedAt)} – ${clockText(endedAt)} · ${durationText(took)} · ${countText(session.participant_count, "person", "people")} attended`;
  }
  if (!scheduledAt) return "No time set yet";
  return `${whenText(scheduledAt)}${session.duration_minutes ? ` · ${durationText(session.duration_minutes * 60)}` : ""}`;
};

const WAIT_MS = 3_600_000; // one waits in front of a door for an hour, not for days

/** @param {import("../data/sessions.js").LiveSession} session @returns {boolean} */
const isSoon = ({ scheduled_at: at }) => at !== null && Date.parse(at) - Date.now() < WAIT_MS;

/** @param {{session: import("../data/sessions.js").LiveSession}} props */
export const SessionState = ({ session }) => ({
  live: html`<span class="badge live"><${Icon} name="live" />Live</span>`,
  scheduled: html`<span class="badge accent">Planned</span>`,
  ended: html`<span class="badge">Ended</span>`,
  cancelled: html`<span class="badge">Cancelled</span>`,
})[session.status];

/** @param {{session: import("../data/sessions.js").LiveSession, withCourse?: boolean}} props */
export const SessionRow = ({ session, withCourse = true }) => {
  const [busy, setBusy] = useState(false);
  const [isEdited, setEdited] = useState(false);
  const isMine = session.my_role === "instructor";
  const room = `/app/sessions/${session.id}`;
  const start = async () => {
    setBusy(true);
    try {
      const { notified = 0 } = await startSession(session);
      tell({ title: "You are live", body: notified ? `${countText(notified, "student was", "students were")} told.` : undefined, icon: "live", tone: "live" });
      navigate(room);
    } catch (error) {
      tellFailure(asApiError(error));
      setBusy(false);
    }
  };
  const cancel = async () => {
    if (!(await confirmed({ title: `Cancel “${session.title}”?`, body: "Everybody enrolled is told that it will not take place.", yes: "Cancel the session", no: "Keep it" }))) return;
    await cancelSession(session).catch((error) => tellFailure(asApiError(error)));
  };
  return html`
    <li class=${`item session-row ${session.status}`}>
      <span class="item-mark"><${Icon} name=${session.status === "live" ? "live" : "calendar"} /></span>
      <div class="item-text">
        <p class="item-title"><a href=${room} class="clip" title=${session.title}>${session.title}</a><${SessionState} session=${session} /></p>
        <p class="muted small">${withCourse && session.course_title && html`<span class="session-course">${session.course_title}</span>`}${momentText(session)}</p>
      </div>
      <div class="item-do">
        ${session.status === "live" && html`<a class="button live" href=${room}>${isMine ? "Enter" : "Join"}</a>`}
        ${session.status === "scheduled" && isMine && html`<button type="button" class="button" aria-disabled=${busy} onClick=${() => !busy && start()}>${busy ? "Starting…" : "Go live"}</button>`}
        ${session.status === "scheduled" && !isMine && isSoon(session) && html`<a class="button" href=${room}>Wait in the room</a>`}
        ${session.status === "ended" && isMine && html`<a class="button" href=${`${room}/attendance`}>Attendance</a>`}
        ${session.status === "scheduled" && isMine && html`
          <${Menu} label=${html`<${Icon} name="more" />`} title=${`More about ${session.title}`} className="button icon quiet">
            <a class="menu-item" href=${room}><${Icon} name="door" />Open the room</a>
            <button type="button" class="menu-item" onClick=${() => setEdited(true)}><${Icon} name="edit" />Change</button>
            <button type="button" class="menu-item danger" onClick=${cancel}><${Icon} name="trash" />Cancel the session</button>
          <//>`}
        ${session.status === "live" && isMine && html`<a class="button quiet" href=${`${room}/attendance`}>Attendance</a>`}
      </div>
      ${isEdited && html`<${SessionDialog} session=${session} close=${() => setEdited(false)} />`}
    </li>
  `;
};
