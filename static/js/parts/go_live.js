/** Going live at once: a name, a button, and one is in the room. */
import { html } from "../../vendor/vendor.js";
import { createSession } from "../data/sessions.js";
import { tell } from "../data/toasts.js";
import { countText, dayText } from "../format.js";
import { navigate } from "../router.js";
import { Field, FormFault, useForm } from "./form.js";
import { Icon } from "./icon.js";

/** @param {{course: any}} props */
export const GoLive = ({ course }) => {
  const { busy, error, onSubmit } = useForm(async ({ title }) => {
    const session = /** @type {any} */ (await createSession({ course_id: course.id, title, start_now: true }));
    tell({ title: "You are live", body: session.notified ? `${countText(session.notified, "student was", "students were")} told.` : undefined, icon: "live", tone: "live" });
    navigate(`/app/sessions/${session.id}`);
  });
  const running = error?.code === "already_live" ? error.problem.live_session_id ?? error.problem.id ?? course.live_session?.id : course.live_session?.id;
  if (running) {
    return html`
      <div class="stack tight">
        <p><strong>This course is live already.</strong> A course has one live session at a time.</p>
        <p><a class="button live" href=${`/app/sessions/${running}`}><${Icon} name="live" />Enter the live session</a></p>
      </div>`;
  }
  return html`
    <form class="stack" onSubmit=${onSubmit} tabindex="-1">
      <${FormFault} error=${error} />
      <${Field} label="What is it about?" name="title" required maxlength="200" value=${`Live class, ${dayText(new Date().toISOString())}`} error=${error} autocomplete="off" />
      <div class="row">
        <button class="button live" aria-disabled=${busy}><${Icon} name="live" />${busy ? "Starting…" : "Go live"}</button>
        <p class="muted small">${course.enrollment_count > 0 ? `${countText(course.enrollment_count, "student is", "students are")} told the moment you press.` : "Nobody is enrolled yet; you can add people meanwhile."}</p>
      </div>
    </form>
  `;
};
