/** Planning a live session for a local day and hour. */
import { html } from "../../vendor/vendor.js";
import { ApiError } from "../api.js";
import { createSession } from "../data/sessions.js";
import { tell } from "../data/toasts.js";
import { whenText } from "../format.js";
import { boxValue, suggestion } from "../local_moment.js";
import { navigate } from "../router.js";
import { Field, FormFault, useForm } from "./form.js";

export const LENGTHS = /** @type {[string, string][]} */ ([["30", "30 min"], ["45", "45 min"], ["60", "1 h"], ["90", "1 h 30 min"], ["120", "2 h"], ["180", "3 h"]]);

/** @param {string} local what the date box holds @returns {Date} Throws an ApiError that stands at the field. */
export const futureMoment = (local) => {
  const at = new Date(local);
  const fault = Number.isNaN(at.getTime()) ? "needs a day and an hour" : at.getTime() < Date.now() ? "is in the past" : "";
  if (fault) throw new ApiError(400, { detail: "Choose a day and an hour to come.", errors: [{ pointer: "/scheduled_at", detail: fault }] });
  return at;
};

/** @param {{course: any}} props */
export const PlanSession = ({ course }) => {
  const { busy, error, onSubmit } = useForm(async ({ title, description, scheduled_at: local, duration_minutes: minutes }) => {
    const session = await createSession({ course_id: course.id, title, description, scheduled_at: futureMoment(local).toISOString(), duration_minutes: Number(minutes) });
    tell({ title: `Planned: ${whenText(session.scheduled_at)}`, body: "Everybody enrolled is told.", icon: "calendar" });
    navigate(`/app/courses/${course.id}/sessions`);
  });
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone.replace(/_/g, " ");
  return html`
    <form class="stack" onSubmit=${onSubmit} tabindex="-1">
      <${FormFault} error=${error} />
      <${Field} label="What is it about?" name="title" required maxlength="200" error=${error} autocomplete="off" />
      <div class="pair">
        <${Field} label="Starts" name="scheduled_at" type="datetime-local" required value=${boxValue(suggestion(new Date()))} min=${boxValue(new Date())} hint=${`Your time, ${zone}`} error=${error} />
        <${Field} label="Takes about" name="duration_minutes" required options=${LENGTHS} value="60" error=${error} />
      </div>
      <div class="row"><button class="button primary" aria-disabled=${busy}>${busy ? "Planning…" : "Schedule"}</button><p class="muted small">Everybody enrolled is told.</p></div>
      <details><summary>Add a note</summary><${Field} label="Anything students should know" name="description" lines=${3} maxlength="10000" error=${error} /></details>
    </form>
  `;
};
