/** A course in a list: its cover, its name, what is going on in it. */
import { html } from "../../vendor/vendor.js";
import { countText } from "../format.js";
import { Icon } from "./icon.js";

/** A picture, or a cover drawn from the course's name. @param {{course: any}} props */
export const Cover = ({ course }) => course.thumbnail_url
  ? html`<img class="cover" src=${course.thumbnail_url} alt="" loading="lazy" width="640" height="360" />`
  : html`<span class=${`cover drawn tint-${course.id % 6}`} aria-hidden="true"><span>${[...(course.title || "?").trim()][0]?.toLocaleUpperCase()}</span></span>`;

/** @param {{course: any, children?: any}} props children: a line under the name, or what can be done */
export const CourseCard = ({ course, children }) => {
  const percent = course.progress?.percent ?? course.progress_percent ?? null;
  return html`
    <li class="course-card">
      <a class="course-link" href=${`/app/courses/${course.id}`}>
        <${Cover} course=${course} />
        <span class="course-text">
          <span class="course-title" title=${course.title}>${course.title}</span>
          <span class="muted small clip">${course.my_role === "instructor"
            ? `${countText(course.enrollment_count, "student")} · ${countText(course.content_count, "lesson")}`
            : `${course.instructor?.name ?? ""} · ${countText(course.content_count, "lesson")}`}</span>
          ${percent !== null && percent > 0 && html`
            <span class="row tight fixed small muted"><progress max="100" value=${percent} aria-label="Watched so far"></progress>${Math.round(percent)} %</span>`}
        </span>
      </a>
      <div class="course-marks">
        ${course.live_session?.status === "live" && html`<span class="badge live"><${Icon} name="live" />Live now</span>`}
        ${course.status === "draft" && course.my_role === "instructor" && html`<span class="badge warn">Draft</span>`}
        ${course.status === "archived" && html`<span class="badge">Archived</span>`}
      </div>
      ${children && html`<div class="course-do">${children}</div>`}
    </li>
  `;
};
