/** Figures in a row, days as charts, and how many days are looked at: what the analytics of a lesson and a course share. */
import { html } from "../../vendor/vendor.js";
import { countText, dayText, durationText } from "../format.js";
import { Chart } from "./chart.js";
import { Icon } from "./icon.js";

const SPANS = [7, 30, 90, 365];
const REACTIONS = /** @type {const} */ ([["like", "thumb", "like"], ["love", "heart", "love"], ["insightful", "idea", "insightful"], ["confused", "confused", "confusing"]]);

/** @param {{of: [string, string, string?][]}} props name, figure, and what it means */
export const Figures = ({ of }) => html`
  <dl class="figures-row">${of.map(([name, figure, says]) => html`<div key=${name}><dt>${name}</dt><dd class="figures">${figure}</dd>${says && html`<dd class="muted small">${says}</dd>`}</div>`)}</dl>
`;

/** @param {{totals: any}} props */
export const ReactionCounts = ({ totals }) => html`
  <p class="row tight small" aria-label="Reactions">
    ${REACTIONS.map(([kind, icon, word]) => html`<span key=${kind} class="badge" title=${word}><${Icon} name=${icon} /><span class="visually-hidden">${word}: </span>${totals.reactions[kind]}</span>`)}
    <span class="badge"><${Icon} name="comment" /><span class="visually-hidden">comments: </span>${totals.comment_count}</span>
  </p>
`;

/** @param {{days: number, choose: (days: number) => void}} props */
export const Span = ({ days, choose }) => html`
  <label class="row tight small"><span class="muted">The last</span>
    <select class="input span-choice" value=${days} onChange=${(/** @type {any} */ event) => choose(Number(event.target.value))}>
      ${SPANS.map((each) => html`<option key=${each} value=${each} selected=${each === days}>${each} days</option>`)}
    </select>
  </label>
`;

/** @param {{days: any[]}} props */
export const DaysChart = ({ days }) => {
  const views = days.reduce((sum, day) => sum + day.views, 0);
  const seconds = days.reduce((sum, day) => sum + day.watch_seconds, 0);
  return html`<${Chart} title="Day by day" says=${`${countText(views, "view")} and ${durationText(seconds)} watched in ${days.length} days.`} isTime
    places=${days.map(({ day }) => Date.parse(`${day}T12:00:00Z`) / 1000)} placeText=${(/** @type {number} */ at) => dayText(new Date(at * 1000).toISOString())}
    lines=${[{ label: "Watched", tint: "--accent", isBar: true, shown: durationText, values: days.map((day) => day.watch_seconds) },
      { label: "Views", tint: "--live", isRight: true, values: days.map((day) => day.views) }]} />`;
};
