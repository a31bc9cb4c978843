/** The live sessions of a course. */
import { html } from "../../vendor/vendor.js";
import { useResource } from "../data/resource.js";
import { inOrder } from "../data/sessions.js";
import { Icon } from "./icon.js";
import { SessionRow } from "./session_row.js";
import { Empty, Shown } from "./states.js";

/** @param {{course: any}} props */
export const CourseSessions = ({ course }) => {
  const sessions = useResource(`/courses/${course.id}/sessions`);
  const isMine = course.my_role === "instructor";
  return html`
    <section class="stack" aria-labelledby="sessions">
      <div class="row apart">
        <h2 id="sessions">Live sessions</h2>
        ${isMine && html`<a class="button compact" href=${`/app/manage/${course.id}/schedule`}><${Icon} name="plus" />Plan one</a>`}
      </div>
      <${Shown} of=${sessions} what="The live sessions" rows=${3}>${(/** @type {any[]} */ list) => list.length
        ? html`<ul class="list">${inOrder(list).map((each) => html`<${SessionRow} session=${each} withCourse=${false} key=${each.id} />`)}</ul>`
        : html`<${Empty} icon="calendar" title="No live session yet"><p class="muted">${isMine ? "Plan one, or go live now: everybody enrolled is told at once." : "You are told at once when one is planned or starts."}</p><//>`}
      <//>
    </section>
  `;
};
