/** The lessons of a course in order; its instructor finds, sorts and moves them. */
import { html, useState } from "../../vendor/vendor.js";
import { asApiError } from "../api.js";
import { orderContent } from "../data/content.js";
import { useResource } from "../data/resource.js";
import { tellFailure } from "../data/toasts.js";
import { CaptionsDialog } from "./captions_dialog.js";
import { ContentDialog } from "./content_dialog.js";
import { Icon } from "./icon.js";
import { LessonRow } from "./lesson_row.js";
import { useReorder } from "./reorder.js";
import { Empty, Shown } from "./states.js";

/** @typedef {import("../data/content.js").Content} Content */

const FEW = 3; // with fewer there is nothing to find
/** @type {Record<string, string>} */
const STATES = { "": "All lessons", completed: "Playable", processing: "Being made playable", uploading: "Uploading", failed: "Failed" };
/** @type {Record<string, [string, ((a: any, b: any) => number)?]>} */
const SORTS = {
  "": ["Course order"],
  title: ["Title", (a, b) => a.title.localeCompare(b.title)],
  newest: ["Newest first", (a, b) => b.id - a.id],
  views: ["Most views", (a, b) => b.view_count - a.view_count],
};

/** @param {{state: string, sort: string, setState: (state: string) => void, setSort: (sort: string) => void}} props */
const Finder = ({ state, sort, setState, setSort }) => html`
  <div class="row tight finder">
    <label><span class="visually-hidden">Show</span><select class="input" value=${state} onChange=${(/** @type {any} */ event) => setState(event.target.value)}>
      ${Object.entries(STATES).map(([key, word]) => html`<option key=${key} value=${key} selected=${key === state}>${word}</option>`)}</select></label>
    <label><span class="visually-hidden">Sort by</span><select class="input" value=${sort} onChange=${(/** @type {any} */ event) => setSort(event.target.value)}>
      ${Object.entries(SORTS).map(([key, [word]]) => html`<option key=${key} value=${key} selected=${key === sort}>${word}</option>`)}</select></label>
  </div>`;

/** @param {{course: any, list: Content[], isMine: boolean, edit: (content: Content) => void, caption: (content: Content) => void}} props */
const Lessons = ({ course, list, isMine, edit, caption }) => {
  const [state, setState] = useState("");
  const [sort, setSort] = useState("");
  const reorder = useReorder({ list, apply: (wanted) => void orderContent(course.id, wanted).catch((error) => tellFailure(asApiError(error))) });
  const mayPlay = (/** @type {Content} */ { access_level: level, is_preview: isPreview }) =>
    isMine || level === "free" || isPreview || (course.my_role === "student" && (level !== "premium" || course.my_tier === "premium"));
  const compare = SORTS[sort]?.[1];
  const found = state ? list.filter((each) => each.upload_status === state) : list;
  const shown = compare ? [...found].sort(compare) : found;
  const mayMove = isMine && !state && !compare && list.length > 1;
  const move = (/** @type {Content} */ content) => {
    const place = list.indexOf(content);
    if (!mayMove) return {};
    return { up: place > 0 ? () => reorder.to(content.id, place - 1) : undefined, down: place < list.length - 1 ? () => reorder.to(content.id, place + 1) : undefined };
  };
  return html`
    <div class="stack">
      ${isMine && list.length >= FEW && html`<${Finder} state=${state} sort=${sort} setState=${setState} setSort=${setSort} />`}
      ${shown.length === 0 ? html`<p class="quiet-line">No lesson is in that state.</p>` : html`
        <ul class="list" ref=${reorder.box}>${shown.map((content) => html`
          <${LessonRow} content=${content} isMine=${isMine} mayPlay=${mayPlay(content)} edit=${() => edit(content)} caption=${() => caption(content)} key=${content.id}
            move=${move(content)} mark=${reorder.mark(content.id)} grip=${mayMove && reorder.grip(content)} />`)}</ul>`}
      <p class="visually-hidden" role="status">${reorder.said}</p>
    </div>`;
};

/** @param {{course: any}} props */
export const CourseContent = ({ course }) => {
  const lessons = useResource(`/courses/${course.id}/content`);
  const [edited, setEdited] = useState(/** @type {Content | null} */ (null));
  const [captioned, setCaptioned] = useState(/** @type {Content | null} */ (null));
  const isMine = course.my_role === "instructor";
  return html`
    <section class="stack" aria-labelledby="lessons">
      <div class="row apart">
        <h2 id="lessons">Lessons</h2>
        ${isMine && html`<a class="button compact" href=${`/app/manage/${course.id}/video`}><${Icon} name="upload" />Upload</a>`}
      </div>
      <${Shown} of=${lessons} what="The lessons" rows=${4}>${(/** @type {any[]} */ list) => list.length
        ? html`<${Lessons} course=${course} list=${list} isMine=${isMine} edit=${setEdited} caption=${setCaptioned} />`
        : html`<${Empty} icon=${course.my_role ? "video" : "lock"} title=${course.my_role ? "No lesson yet" : "Lessons open when you enroll"}>
            <p class="muted">${isMine ? "Upload a video or a sound recording; students are told when it can be played." : course.my_role ? "You are told as soon as one is there." : "Previews and free lessons would stand here; this course has none."}</p>
            ${isMine && html`<p><a class="button" href=${`/app/manage/${course.id}/video`}>Upload a video</a></p>`}
          <//>`}
      <//>
      ${edited && html`<${ContentDialog} content=${edited} close=${() => setEdited(null)} />`}
      ${captioned && html`<${CaptionsDialog} content=${captioned} close=${() => setCaptioned(null)} />`}
    </section>
  `;
};
