/** A new course. */
import { html, useEffect } from "../../vendor/vendor.js";
import { createCourse } from "../data/courses.js";
import { tell } from "../data/toasts.js";
import { CourseForm } from "../parts/course_form.js";
import { navigate, setTitle } from "../router.js";

export const CourseNewView = () => {
  useEffect(() => setTitle("New course"), []);
  const submit = async (/** @type {any} */ { title, description, category, status }) => {
    const course = await createCourse({ title, description, category, status });
    tell({ title: "The course is there", body: "Add lessons, people and live sessions." });
    navigate(`/app/courses/${course.id}`, { replace: true });
  };
  return html`
    <div class="narrow stack">
      <h1>New course</h1>
      <p class="lead">Lessons, live sessions and people come next.</p>
      <div class="card"><${CourseForm} submit=${submit} word="Create course" busyWord="Creating…" cancel="/app/courses" /></div>
    </div>
  `;
};
