/** My courses: what is live now, what I teach, what I study. */
import { html, useEffect } from "../../vendor/vendor.js";
import { session } from "../api.js";
import { MINE, TAUGHT } from "../data/courses.js";
import { MINE as MY_SESSIONS, inOrder } from "../data/sessions.js";
import { useResource } from "../data/resource.js";
import { CourseCard } from "../parts/course_card.js";
import { Icon } from "../parts/icon.js";
import { SessionRow } from "../parts/session_row.js";
import { Empty, Failed, Loading, Shown } from "../parts/states.js";
import { setTitle } from "../router.js";

/** What is live, and the next two or three to come. @param {{mine: any}} props */
const Now = ({ mine }) => {
  if (mine.value === undefined) return html`<${Failed} error=${mine.error} what="What is on" retry=${() => mine.resource?.retry()} />`;
  const shown = inOrder(mine.value).filter(({ status, scheduled_at: at }) => status === "live" || (status === "scheduled" && at)).slice(0, 3);
  if (shown.length === 0) return html`<p class="quiet-line"><${Icon} name="calendar" />Nothing is live or planned. You will be told here the moment a class starts.</p>`;
  return html`<ul class="list">${shown.map((each) => html`<${SessionRow} session=${each} key=${each.id} />`)}</ul>`;
};

/** @param {{taught: any}} props */
const Taught = ({ taught }) => html`
    <section class="stack" aria-labelledby="taught">
      <div class="row apart"><h2 id="taught">Teaching</h2><a class="button compact" href="/app/courses/new"><${Icon} name="plus" />New course</a></div>
      <${Shown} of=${taught} what="Your courses" kind="card" rows=${3}>${(/** @type {any[]} */ list) => list.length
        ? html`<ul class="cards">${list.map((course) => html`<${CourseCard} course=${{ ...course, my_role: "instructor" }} key=${course.id} />`)}</ul>`
        : html`<${Empty} icon="book" title="You teach no course yet"><p class="muted">A course holds lessons, live sessions and the people who may see them.</p><p><a class="button primary" href="/app/courses/new">Create a course</a></p><//>`}
      <//>
    </section>
`;

/** @param {{studied: any, isTeacher: boolean}} props */
const Studied = ({ studied, isTeacher }) => {
  if (isTeacher && !studied.value?.length) return null; // most instructors study nothing here; no empty box for them
  return html`
    <section class="stack" aria-labelledby="studied">
      <h2 id="studied">Learning</h2>
      <${Shown} of=${studied} what="Your courses" kind="card" rows=${3}>${(/** @type {any[]} */ list) => list.length
        ? html`<ul class="cards">${list.map((course) => html`<${CourseCard} course=${course} key=${course.id} />`)}</ul>`
        : html`<${Empty} icon="book" title="You are in no course yet"><p class="muted">An instructor can add you by your e-mail address, or you choose one yourself.</p><p><a class="button primary" href="/app/catalog">Look at the catalog</a></p><//>`}
      <//>
    </section>
  `;
};

export const CoursesView = () => {
  useEffect(() => setTitle("My courses"), []);
  const me = session.value;
  const isTeacher = me !== null && me.role !== "student";
  const [mine, studied] = [useResource(MY_SESSIONS), useResource(MINE)];
  const taught = useResource(isTeacher ? TAUGHT : null);
  // How high the first part is decides where the others stand: they wait for it, so that nothing jumps.
  const isKnown = mine.status !== "loading" || mine.value !== undefined;
  return html`
    <div class="stack loose">
      <div class="page-head">
        <h1>Good to see you, <span class="clip-inline">${me?.name.split(" ")[0]}</span></h1>
        ${isTeacher
          ? html`<a class="button primary" href="/app/manage"><${Icon} name="live" />Go live or plan</a>`
          : html`<a class="button" href="/app/catalog"><${Icon} name="compass" />Find a course</a>`}
      </div>
      ${!isKnown ? html`<${Loading} rows=${5} />` : html`
        <section class="stack" aria-labelledby="now">
          <div class="row apart"><h2 id="now">Now and next</h2><a class="button compact quiet" href="/app/sessions">All live sessions</a></div>
          <${Now} mine=${mine} />
        </section>
        ${isTeacher && html`<${Taught} taught=${taught} />`}
        <${Studied} studied=${studied} isTeacher=${isTeacher} />`}
    </div>
  `;
};
