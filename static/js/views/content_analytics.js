/** What became of a lesson: who watched how much of it, second by second and day by day. */
import { html, useEffect, useState } from "../../vendor/vendor.js";
import { useResource } from "../data/resource.js";
import { durationText, playText } from "../format.js";
import { Chart } from "../parts/chart.js";
import { Download } from "../parts/download.js";
import { DaysChart, Figures, ReactionCounts, Span } from "../parts/figures.js";
import { Icon } from "../parts/icon.js";
import { Shown } from "../parts/states.js";
import { setTitle } from "../router.js";

/** @param {{found: any}} props */
const Retention = ({ found }) => {
  const { viewers, seconds_per_bucket: size } = found.retention;
  const most = Math.max(0, ...viewers);
  const peak = viewers.indexOf(most);
  const says = most > 0 ? `Most watched at ${playText(peak * size)}, by ${Math.round(most)} of ${found.totals.unique_viewers}; the end by ${Math.round(viewers[viewers.length - 1])}.` : "Nobody has watched it yet.";
  return html`<${Chart} title="Second by second" says=${says} places=${viewers.map((/** @type {number} */ _each, /** @type {number} */ place) => place * size)} placeText=${playText}
    lines=${[{ label: "People", tint: "--accent", isBar: true, values: viewers }]} />`;
};

/** @param {{contentId: number}} props */
export const ContentAnalyticsView = ({ contentId }) => {
  const [days, setDays] = useState(30);
  const path = `/content/${contentId}/analytics?days=${days}`;
  const analytics = useResource(path);
  useEffect(() => setTitle(analytics.value ? `Analytics of ${analytics.value.title}` : "Analytics"), [analytics.value?.title]);
  return html`<${Shown} of=${analytics} what="The analytics" rows=${5}>${(/** @type {any} */ found) => html`
    <div class="stack loose">
      <div class="page-head">
        <div class="stack tight grow">
          <p class="small"><a href=${`/app/courses/${found.course_id}/analytics`}>All of the course</a></p>
          <h1>Analytics: ${found.title}</h1>
        </div>
        <div class="row"><${Span} days=${days} choose=${setDays} /><a class="button" href=${`/app/content/${contentId}`}><${Icon} name="play" />Watch</a></div>
      </div>
      <div class="stack">
        <${Figures} of=${[["People", String(found.totals.unique_viewers)], ["Views", String(found.totals.views)], ["Watched", durationText(found.totals.watch_seconds)],
          ["Completed", `${Math.round(found.totals.completion_percent)} %`, "of who began"], ["Seen of it", `${Math.round(found.totals.average_percent)} %`, "on average"]]} />
        <${ReactionCounts} totals=${found.totals} />
      </div>
      ${found.retention.viewers.length > 0 && html`<div class="stack tight"><${Retention} found=${found} /><p><${Download} className="button compact quiet" word="Seconds as CSV" path=${`${path}&format=csv&table=seconds`} name=${`Seconds of ${found.title}`} /></p></div>`}
      <div class="stack tight"><${DaysChart} days=${found.days} /><p><${Download} className="button compact quiet" word="Days as CSV" path=${`${path}&format=csv&table=days`} name=${`Days of ${found.title}`} /></p></div>
    </div>`}<//>`;
};
