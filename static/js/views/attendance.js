/** Who was in a live session, when and how long; as a page and as a file for a spreadsheet. */
import { html, useEffect } from "../../vendor/vendor.js";
import { useResource } from "../data/resource.js";
import { clockText, countText, durationText, whenText } from "../format.js";
import { Download } from "../parts/download.js";
import { Person } from "../parts/person.js";
import { Empty, Shown } from "../parts/states.js";
import { setTitle } from "../router.js";

/** Where the stays lie within the session, in percent of its length. @param {any} row @param {{from: number, to: number}} span */
const stripes = (row, { from, to }) =>
  row.intervals.map((/** @type {any} */ { joined_at: joined, left_at: left }) => {
    const start = Math.max(0, (Date.parse(joined) - from) / (to - from));
    const end = Math.min(1, ((left ? Date.parse(left) : to) - from) / (to - from));
    return { x: 100 * start, width: Math.max(0.6, 100 * (end - start)) };
  });

/** @param {{row: any, span: {from: number, to: number}, isLive: boolean}} props */
const Row = ({ row, span, isLive }) => {
  const total = Math.max(1, (span.to - span.from) / 1000);
  const stays = row.intervals.map((/** @type {any} */ { joined_at: joined, left_at: left }) => `${clockText(joined)} – ${left ? clockText(left) : isLive ? "now" : "end"}`);
  return html`
    <tr class=${row.intervals.length ? "" : "faded"}>
      <th scope="row"><${Person} person=${row.user} /></th>
      <td class="stays">
        <svg class="stay-line" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
          <rect class="stay-ground" x="0" y="0" width="100" height="6" rx="1" />
          ${stripes(row, span).map((/** @type {any} */ { x, width }, /** @type {number} */ at) => html`<rect class="stay" key=${at} x=${x} y="0" width=${width} height="6" />`)}
        </svg>
        <span class="small muted figures">${stays.length ? stays.join(", ") : "Did not come"}</span>
      </td>
      <td class="figures total">${row.intervals.length ? html`${durationText(row.total_seconds)} <span class="muted small">${Math.min(100, Math.round((100 * row.total_seconds) / total))} %</span>` : "–"}</td>
    </tr>
  `;
};

/** @param {{liveSessionId: number}} props */
export const AttendanceView = ({ liveSessionId }) => {
  const session = useResource(`/live-sessions/${liveSessionId}`);
  const rows = useResource(`/live-sessions/${liveSessionId}/attendance`);
  useEffect(() => setTitle(session.value ? `Attendance of ${session.value.title}` : "Attendance"), [session.value?.title]);
  return html`<${Shown} of=${session} what="This attendance" rows=${5}>${(/** @type {any} */ shown) => {
    const isLive = shown.status === "live";
    const span = { from: Date.parse(shown.started_at ?? shown.scheduled_at ?? new Date().toISOString()), to: shown.ended_at ? Date.parse(shown.ended_at) : Date.now() };
    return html`
      <div class="stack">
        <div class="page-head">
          <div class="stack tight grow">
            ${shown.course_id && html`<p class="small"><a href=${`/app/courses/${shown.course_id}/sessions`}>${shown.course_title ?? "The course"}</a></p>`}
            <h1>Attendance: ${shown.title}</h1>
            <p class="muted">${shown.started_at ? `${whenText(shown.started_at)} – ${shown.ended_at ? clockText(shown.ended_at) : "still live"}` : "It has not started yet"}</p>
          </div>
          ${shown.started_at && html`<${Download} path=${`/live-sessions/${shown.id}/attendance?format=csv`} name=${`Attendance ${shown.title}`} />`}
        </div>
        <${Shown} of=${rows} what="The attendance" rows=${5}>${(/** @type {any[]} */ list) => {
          const students = list.filter((row) => row.user.id !== shown.host?.id);
          if (students.length === 0) return html`<${Empty} icon="people" title="Nobody was enrolled"><p class="muted">Who takes part is listed here with their times.</p><//>`;
          const came = students.filter(({ intervals }) => intervals.length > 0).length;
          return html`
            <p class="muted" role="status">${came} of ${countText(students.length, "student")} came</p>
            <div class="card table-card">
              <table class="table">
                <thead><tr><th scope="col">Student</th><th scope="col">In the room</th><th scope="col">Together</th></tr></thead>
                <tbody>${students.map((row) => html`<${Row} row=${row} span=${span} isLive=${isLive} key=${row.user.id} />`)}</tbody>
              </table>
            </div>`;
        }}<//>
      </div>`;
  }}<//>`;
};
