/** Changing a planned session: its name, its hour, its length; everybody enrolled is told of a new hour. */
import { html, useEffect, useRef } from "../../vendor/vendor.js";
import { editSession } from "../data/sessions.js";
import { tell } from "../data/toasts.js";
import { boxValue } from "../local_moment.js";
import { Field, FormFault, useForm } from "./form.js";
import { LENGTHS, futureMoment } from "./plan_session.js";

/** @param {{session: import("../data/sessions.js").LiveSession, close: () => void}} props */
export const SessionDialog = ({ session, close }) => {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => dialog.current?.showModal(), []);
  const before = session.scheduled_at ? boxValue(new Date(session.scheduled_at)) : "";
  const minutes = String(session.duration_minutes ?? 60);
  const { busy, error, onSubmit } = useForm(async ({ title, description, scheduled_at: local, duration_minutes: wanted }) => {
    const moved = local !== before ? { scheduled_at: futureMoment(local).toISOString() } : {};
    await editSession(session, { title, description, duration_minutes: Number(wanted), ...moved });
    tell({ title: "Saved", body: "scheduled_at" in moved ? "Everybody enrolled is told of the new time." : undefined });
    dialog.current?.close();
  });
  const lengths = LENGTHS.some(([each]) => each === minutes) ? LENGTHS : [.../** @type {[string, string][]} */ ([[minutes, `${minutes} min`]]), ...LENGTHS];
  return html`
    <dialog class="dialog" ref=${dialog} onClose=${close} aria-labelledby="session-title">
      <form class="stack" onSubmit=${onSubmit} tabindex="-1">
        <h2 id="session-title">Change the session</h2>
        <${FormFault} error=${error} />
        <${Field} label="What is it about?" name="title" required maxlength="200" value=${session.title} error=${error} autocomplete="off" />
        <div class="pair">
          <${Field} label="Starts" name="scheduled_at" type="datetime-local" required value=${before} error=${error} />
          <${Field} label="Takes about" name="duration_minutes" required options=${lengths} value=${minutes} error=${error} />
        </div>
        <${Field} label="Anything students should know" name="description" lines=${2} value=${session.description} error=${error} />
        <div class="row dialog-do">
          <button class="button" type="button" onClick=${() => dialog.current?.close()}>Cancel</button>
          <button class="button primary" aria-disabled=${busy}>${busy ? "Saving…" : "Save"}</button>
        </div>
      </form>
    </dialog>
  `;
};
