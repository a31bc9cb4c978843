/** One course: its lessons, its live sessions, its people, and for its instructor how it is set up. */
import { html, useEffect, useState } from "../../vendor/vendor.js";
import { asApiError } from "../api.js";
import { enroll, leave } from "../data/courses.js";
import { useResource } from "../data/resource.js";
import { tellFailure } from "../data/toasts.js";
import { countText } from "../format.js";
import { Cover } from "../parts/course_card.js";
import { CourseAnalytics } from "../parts/course_analytics.js";
import { CourseContent } from "../parts/course_content.js";
import { CoursePeople } from "../parts/course_people.js";
import { CourseSessions } from "../parts/course_sessions.js";
import { CourseSettings } from "../parts/course_settings.js";
import { confirmed } from "../parts/confirm.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { Shown } from "../parts/states.js";
import { navigate, setTitle } from "../router.js";

/** @type {Record<string, {word: string, Part: any, mayOpen: (role: string | null) => boolean}>} */
const TABS = {
  lessons: { word: "Lessons", Part: CourseContent, mayOpen: () => true },
  sessions: { word: "Live sessions", Part: CourseSessions, mayOpen: (role) => role !== null },
  people: { word: "People", Part: CoursePeople, mayOpen: (role) => role === "instructor" },
  analytics: { word: "Analytics", Part: CourseAnalytics, mayOpen: (role) => role === "instructor" },
  settings: { word: "Settings", Part: CourseSettings, mayOpen: (role) => role === "instructor" },
};

/** The lesson a student would watch next: the first that is not seen to its end. @param {{course: any}} props */
const Onwards = ({ course }) => {
  const { value: lessons } = useResource(`/courses/${course.id}/content`);
  const next = lessons?.find((/** @type {any} */ each) => each.upload_status === "completed" && !each.my_progress?.completed && (each.access_level !== "premium" || course.my_tier === "premium"));
  if (!next) return null;
  return html`<a class="button primary next-lesson" href=${`/app/content/${next.id}`}><${Icon} name="play" /><span class="clip">${next.my_progress?.position_seconds > 0 ? "Go on with" : "Watch"} “${next.title}”</span></a>`;
};

/** The one thing to do here: join what is live, go live, or enroll. @param {{course: any}} props */
const Primary = ({ course }) => {
  const [busy, setBusy] = useState(false);
  if (course.live_session?.status === "live") {
    return html`<a class="button live" href=${`/app/sessions/${course.live_session.id}`}><${Icon} name="live" />${course.my_role === "instructor" ? "Enter the live session" : "Join the live session"}</a>`;
  }
  if (course.my_role === "instructor") return html`<a class="button primary" href=${`/app/manage/${course.id}`}><${Icon} name="live" />Go live or upload</a>`;
  if (course.my_role === "student") return html`<${Onwards} course=${course} />`;
  const act = async () => {
    setBusy(true);
    await enroll(course.id).catch((error) => tellFailure(asApiError(error)));
    setBusy(false);
  };
  return html`<button type="button" class="button primary" aria-disabled=${busy} onClick=${() => !busy && act()}>${busy ? "Enrolling…" : "Enroll"}</button>`;
};

/** @param {{course: any}} props */
const Leave = ({ course }) => {
  const act = async () => {
    if (!(await confirmed({ title: `Leave “${course.title}”?`, body: "Its lessons and live sessions close for you. You can enroll again while the course is published.", yes: "Leave the course", no: "Stay" }))) return;
    await leave(course.id).then(() => navigate("/app/courses"), (error) => tellFailure(asApiError(error)));
  };
  return html`
    <${Menu} label=${html`<${Icon} name="more" />`} title="More about this course" className="button icon quiet">
      <button type="button" class="menu-item danger" onClick=${act}><${Icon} name="door" />Leave the course</button>
    <//>`;
};

/** @param {{course: any}} props */
const Head = ({ course }) => html`
  <header class="course-head">
    <${Cover} course=${course} />
    <div class="stack tight grow">
      <p class="row tight small muted">
        ${course.category && html`<span>${course.category}</span>`}
        ${course.status === "draft" && course.my_role === "instructor" && html`<span class="badge warn">Draft: only people you add can see it</span>`}
        ${course.status === "archived" && html`<span class="badge">Archived</span>`}
        ${course.my_tier === "premium" && html`<span class="badge accent">Premium</span>`}
      </p>
      <h1>${course.title}</h1>
      <p class="muted small">${course.instructor.name} · ${countText(course.content_count, "lesson")} · ${countText(course.enrollment_count, "student")}</p>
      <div class="row course-primary"><${Primary} course=${course} />${course.my_role === "student" && html`<${Leave} course=${course} />`}</div>
    </div>
  </header>
`;

/** @param {{courseId: number, tab?: string}} props */
export const CourseView = ({ courseId, tab = "lessons" }) => {
  const course = useResource(`/courses/${courseId}`);
  useEffect(() => setTitle(course.value ? `${course.value.title}${TABS[tab] && tab !== "lessons" ? `: ${TABS[tab].word}` : ""}` : "Course"), [course.value?.title, tab]);
  return html`<${Shown} of=${course} what="This course" rows=${5}>${(/** @type {any} */ shown) => {
    const open = Object.entries(TABS).filter(([, { mayOpen }]) => mayOpen(shown.my_role));
    const [current, { Part }] = open.find(([name]) => name === tab) ?? open[0];
    return html`
      <div class="stack">
        <${Head} course=${shown} />
        ${shown.description && html`<p class="about">${shown.description}</p>`}
        ${open.length > 1 && html`
          <nav class="tabs" aria-label="Parts of the course">
            ${open.map(([name, { word }]) => html`
              <a key=${name} data-stay href=${`/app/courses/${courseId}${name === "lessons" ? "" : `/${name}`}`} aria-current=${name === current ? "page" : undefined}>${word}</a>`)}
          </nav>`}
        <${Part} course=${shown} key=${current} />
      </div>`;
  }}<//>`;
};
