/** What became of a course: all lessons together, each of them, and who came to the live sessions. */
import { html, useState } from "../../vendor/vendor.js";
import { useResource } from "../data/resource.js";
import { countText, durationText, whenText } from "../format.js";
import { Download } from "./download.js";
import { DaysChart, Figures, ReactionCounts, Span } from "./figures.js";
import { Empty, Shown } from "./states.js";

/** [column, its word, how it is shown] @type {[string, string, (lesson: any) => any][]} */
const COLUMNS = [
  ["views", "Views", ({ views }) => views],
  ["unique_viewers", "People", ({ unique_viewers: people }) => people],
  ["watch_seconds", "Watched", ({ watch_seconds: seconds }) => durationText(seconds)],
  ["completion_percent", "Completed", ({ completion_percent: percent }) => `${Math.round(percent)} %`],
  ["like_count", "Reactions", ({ like_count: likes }) => likes],
  ["comment_count", "Comments", ({ comment_count: comments }) => comments],
];

/** @param {{lessons: any[]}} props */
const Lessons = ({ lessons }) => {
  const [by, setBy] = useState("");
  const sorted = by ? [...lessons].sort((a, b) => b[by] - a[by]) : lessons;
  return html`
    <div class="card table-card">
      <table class="table numbers">
        <caption class="visually-hidden">Lessons</caption>
        <thead><tr>
          <th scope="col"><button type="button" class="sort" aria-pressed=${by === ""} onClick=${() => setBy("")}>Lesson</button></th>
          ${COLUMNS.map(([column, word]) => html`<th scope="col" key=${column} aria-sort=${by === column ? "descending" : "none"}><button type="button" class="sort" onClick=${() => setBy(column)}>${word}</button></th>`)}
        </tr></thead>
        <tbody>${sorted.map((lesson) => html`
          <tr key=${lesson.content_id}>
            <th scope="row"><a class="clip block" href=${`/app/content/${lesson.content_id}/analytics`} title=${lesson.title}>${lesson.title}</a></th>
            ${COLUMNS.map(([column, word, shown]) => html`<td key=${column} class="figures" data-word=${word}>${shown(lesson)}</td>`)}
          </tr>`)}</tbody>
      </table>
    </div>`;
};

/** @param {{sessions: any[]}} props */
const Sessions = ({ sessions }) => html`
  <div class="card table-card">
    <table class="table numbers">
      <caption class="visually-hidden">Live sessions</caption>
      <thead><tr><th scope="col">Live session</th><th scope="col">Began</th><th scope="col">Students</th><th scope="col">Each stayed</th></tr></thead>
      <tbody>${sessions.map((one) => html`
        <tr key=${one.live_session_id}>
          <th scope="row"><a class="clip block" href=${`/app/sessions/${one.live_session_id}/attendance`} title=${one.title}>${one.title}</a></th>
          <td data-word="Began">${whenText(one.started_at)}</td>
          <td class="figures" data-word="Students">${one.attended_count}</td>
          <td class="figures" data-word="Each stayed">${one.attended_count ? durationText(one.total_seconds / one.attended_count) : "–"}</td>
        </tr>`)}</tbody>
    </table>
  </div>`;

/** @param {{course: any}} props */
export const CourseAnalytics = ({ course }) => {
  const [days, setDays] = useState(30);
  const path = `/courses/${course.id}/analytics?days=${days}`;
  const found = useResource(path);
  return html`
    <section class="stack" aria-labelledby="analytics">
      <div class="row apart"><h2 id="analytics">Analytics</h2><${Span} days=${days} choose=${setDays} /></div>
      <${Shown} of=${found} what="The analytics" rows=${4}>${(/** @type {any} */ { totals, content, days: line, attendance }) => {
        if (content.length === 0 && attendance.length === 0) return html`<${Empty} icon="chart" title="Nothing to count yet"><p class="muted">Once lessons are watched and classes held, you see here how.</p><//>`;
        return html`
          <div class="stack loose">
            <div class="stack">
              <${Figures} of=${[["People", String(totals.unique_viewers), `of ${countText(totals.enrollment_count, "student")}`], ["Views", String(totals.views)], ["Watched", durationText(totals.watch_seconds)],
                ["Completed", `${Math.round(totals.completion_percent)} %`, "of lessons begun"], ["Live sessions", String(totals.live_session_count), `${durationText(totals.attended_seconds)} attended`]]} />
              <${ReactionCounts} totals=${totals} />
            </div>
            <div class="stack tight"><${DaysChart} days=${line} /><p><${Download} className="button compact quiet" word="Days as CSV" path=${`${path}&format=csv&table=days`} name=${`Days of ${course.title}`} /></p></div>
            <div class="stack tight">
              <div class="row apart"><h3>Lessons</h3><${Download} className="button compact" path=${`${path}&format=csv&table=content`} name=${`Lessons of ${course.title}`} /></div>
              <${Lessons} lessons=${content} />
            </div>
            ${attendance.length > 0 && html`
              <div class="stack tight">
                <div class="row apart"><h3>Attendance</h3><${Download} className="button compact" path=${`${path}&format=csv&table=attendance`} name=${`Attendance of ${course.title}`} /></div>
                <${Sessions} sessions=${attendance} />
              </div>`}
          </div>`;
      }}<//>
    </section>`;
};
