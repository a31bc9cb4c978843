/** How a course is set up: words, picture, whether it is published; and putting it away. */
import { html, useState } from "../../vendor/vendor.js";
import { asApiError } from "../api.js";
import { archiveCourse, editCourse, setCourseImage } from "../data/courses.js";
import { tell, tellFailure } from "../data/toasts.js";
import { confirmed } from "./confirm.js";
import { CourseForm } from "./course_form.js";
import { PictureChooser } from "./picture_chooser.js";

const STATES = /** @type {Record<string, {says: string, word: string, to: string}>} */ ({
  draft: { says: "A draft: only people you add can see it.", word: "Publish", to: "published" },
  published: { says: "Published: everybody finds it in the catalog and may enroll.", word: "Take it out of the catalog", to: "draft" },
  archived: { says: "Archived: nobody new can enroll.", word: "Bring it back as a draft", to: "draft" },
});

/** @param {{course: any}} props */
export const CourseSettings = ({ course }) => {
  const [busy, setBusy] = useState(false);
  const act = async (/** @type {() => Promise<unknown>} */ what, /** @type {string} */ said) => {
    if (busy) return;
    setBusy(true);
    await what().then(() => tell({ title: said }), (error) => tellFailure(asApiError(error)));
    setBusy(false);
  };
  const state = STATES[course.status] ?? STATES.draft;
  const archive = async () => {
    if (await confirmed({ title: `Archive “${course.title}”?`, body: "It leaves the catalog and takes nobody new. Lessons and records stay.", yes: "Archive", no: "Keep it" })) {
      await act(() => archiveCourse(course.id), "The course is archived");
    }
  };
  return html`
    <div class="settings">
      <section class="card stack" aria-labelledby="words">
        <h2 id="words">About the course</h2>
        <${CourseForm} course=${course} word="Save" busyWord="Saving…" submit=${async (/** @type {any} */ { title, description, category }) => {
          await editCourse(course.id, { title, description, category: category || null });
          tell({ title: "Saved" });
        }} />
      </section>
      <div class="stack">
        <section class="card stack tight" aria-labelledby="visible">
          <h2 id="visible">Who may find it</h2>
          <p class="muted">${state.says}</p>
          <p><button type="button" class=${`button ${course.status === "draft" ? "primary" : ""}`} aria-disabled=${busy} onClick=${() => act(() => editCourse(course.id, { status: state.to }), "Changed")}>${state.word}</button></p>
        </section>
        <section class="card stack tight" aria-labelledby="picture">
          <h2 id="picture">Picture</h2>
          <${PictureChooser} send=${(/** @type {File} */ file) => setCourseImage(course.id, file)} />
        </section>
        ${course.status !== "archived" && html`
          <section class="card stack tight" aria-labelledby="away">
            <h2 id="away">Put it away</h2>
            <p class="muted">Nothing is deleted.</p>
            <p><button type="button" class="button danger" onClick=${archive}>Archive the course</button></p>
          </section>`}
      </div>
    </div>
  `;
};
