/** Every published course, to search and to enroll in. */
import { html, useEffect, useState } from "../../vendor/vendor.js";
import { asApiError } from "../api.js";
import { catalogPath, enroll } from "../data/courses.js";
import { useResource } from "../data/resource.js";
import { tell, tellFailure } from "../data/toasts.js";
import { CourseCard } from "../parts/course_card.js";
import { Icon } from "../parts/icon.js";
import { More } from "../parts/more.js";
import { Empty, Shown } from "../parts/states.js";
import { navigate, setTitle } from "../router.js";

const TYPING_MS = 250; // a search is sent when the typing rests this long

/** @param {{course: any}} props */
const Enroll = ({ course }) => {
  const [busy, setBusy] = useState(false);
  if (course.my_role) return html`<span class="badge good"><${Icon} name="check" />${course.my_role === "instructor" ? "You teach it" : "Enrolled"}</span>`;
  const act = async () => {
    setBusy(true);
    try {
      await enroll(course.id);
      tell({ title: `You are enrolled in “${course.title}”` });
      navigate(`/app/courses/${course.id}`);
    } catch (error) {
      tellFailure(asApiError(error));
      setBusy(false);
    }
  };
  return html`<button type="button" class="button compact" aria-disabled=${busy} aria-label=${`Enroll in ${course.title}`} onClick=${() => !busy && act()}>${busy ? "Enrolling…" : "Enroll"}</button>`;
};

export const CatalogView = () => {
  useEffect(() => setTitle("Catalog"), []);
  const [typed, setTyped] = useState("");
  const [query, setQuery] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setQuery(typed.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  const found = useResource(catalogPath(query));
  return html`
    <div class="stack">
      <div class="page-head">
        <h1>Catalog</h1>
        <form class="search" role="search" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
          <${Icon} name="search" />
          <input class="input" type="search" aria-label="Search courses" placeholder="Search courses" value=${typed}
            onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} />
        </form>
      </div>
      <${Shown} of=${found} what="The catalog" kind="card" rows=${6}>${(/** @type {any[]} */ list) => list.length
        ? html`
          <p class="visually-hidden" role="status">${list.length} courses shown</p>
          <ul class="cards">${list.map((course) => html`<${CourseCard} course=${course} key=${course.id}><${Enroll} course=${course} /><//>`)}</ul>
          <${More} of=${found} />`
        : query
          ? html`<${Empty} icon="search" title=${`No course matches “${query}”`}><p class="muted">Try fewer or other words.</p><//>`
          : html`<${Empty} icon="compass" title="No course is published yet"><p class="muted">Courses appear here as soon as an instructor publishes one.</p><//>`}
      <//>
    </div>
  `;
};
