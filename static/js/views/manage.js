/** Manage sessions: pick a course, then one of four: go live now, plan a session, upload a video, upload a sound recording. */
import { html, useEffect } from "../../vendor/vendor.js";
import { TAUGHT } from "../data/courses.js";
import { useResource } from "../data/resource.js";
import { uploads } from "../data/uploads.js";
import { Icon } from "../parts/icon.js";
import { GoLive } from "../parts/go_live.js";
import { PlanSession } from "../parts/plan_session.js";
import { Empty, Shown } from "../parts/states.js";
import { UploadForm } from "../parts/upload_form.js";
import { UploadList } from "../parts/upload_list.js";
import { navigate, setTitle } from "../router.js";

/** @type {{way: string, word: string, says: string, icon: string}[]} */
const WAYS = [
  { way: "live", word: "Go live now", says: "Students are told at once", icon: "live" },
  { way: "schedule", word: "Schedule", says: "Pick a day and an hour", icon: "calendar" },
  { way: "video", word: "Upload video", says: "MP4, MOV, AVI, WMV to 500 MB", icon: "video" },
  { way: "audio", word: "Upload audio", says: "MP3, M4A, AAC, WAV, OGG to 100 MB", icon: "audio" },
];

/** @param {{courses: any[], chosen: any, way?: string}} props */
const Chooser = ({ courses, chosen, way }) => html`
  <div class="field course-choice">
    <label for="course">Course</label>
    <select class="input" id="course" onChange=${(/** @type {any} */ event) => navigate(`/app/manage/${event.target.value}${way ? `/${way}` : ""}`, { keepFocus: true, replace: true })}>
      ${courses.map((course) => html`<option key=${course.id} value=${course.id} selected=${course.id === chosen.id}>${course.title}${course.status === "draft" ? " (draft)" : ""}</option>`)}
    </select>
  </div>
  <nav class="ways-to" aria-label="What to do">
    ${WAYS.map((each) => html`
      <a key=${each.way} data-stay class=${`way ${each.way}`} href=${`/app/manage/${chosen.id}/${each.way}`} aria-current=${each.way === way ? "step" : undefined}>
        <span class="way-mark"><${Icon} name=${each.icon} /></span>
        <span class="way-text"><span class="way-word">${each.word}</span><span class="way-says">${each.says}</span></span>
      </a>`)}
  </nav>
`;

/** @param {{course: any, way: string}} props */
const Form = ({ course, way }) => {
  if (way === "live") return html`<${GoLive} course=${course} />`;
  if (way === "schedule") return html`<${PlanSession} course=${course} />`;
  return html`<${UploadForm} course=${course} kind=${way === "audio" ? "audio" : "video"} key=${way} />`;
};

/** @param {{courseId?: number, way?: string}} props */
export const ManageView = ({ courseId, way }) => {
  useEffect(() => setTitle("Manage sessions"), []);
  const taught = useResource(TAUGHT);
  const known = WAYS.find((each) => each.way === way);
  return html`
    <div class="stack">
      <h1>Manage sessions</h1>
      <${Shown} of=${taught} what="Your courses" rows=${3}>${(/** @type {any[]} */ all) => {
        const courses = all.filter(({ status }) => status !== "archived");
        if (courses.length === 0) return html`<${Empty} icon="book" title="First, a course"><p class="muted">Live sessions and lessons belong to a course.</p><p><a class="button primary" href="/app/courses/new">Create a course</a></p><//>`;
        const chosen = courses.find(({ id }) => id === courseId) ?? courses[0];
        return html`
          <div class="stack">
            <${Chooser} courses=${courses} chosen=${chosen} way=${known?.way} />
            ${uploads.value.length > 0 && html`<${UploadList} />`}
            ${known && html`<section class="card way-form" aria-label=${known.word}><${Form} course=${chosen} way=${known.way} key=${`${chosen.id}-${known.way}`} /></section>`}
          </div>`;
      }}<//>
    </div>
  `;
};
