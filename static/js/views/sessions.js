/** Every live session of mine, as instructor or student: live ones first, then those to come, then past ones. */
import { html, useEffect, useState } from "../../vendor/vendor.js";
import { session } from "../api.js";
import { MINE, inOrder } from "../data/sessions.js";
import { useResource } from "../data/resource.js";
import { Icon } from "../parts/icon.js";
import { More } from "../parts/more.js";
import { SessionRow } from "../parts/session_row.js";
import { Empty, Shown } from "../parts/states.js";
import { setTitle } from "../router.js";

const PAST_AT_FIRST = 10;

/** @param {{title: string, list: any[]}} props */
const Group = ({ title, list }) => list.length === 0 ? null : html`
  <section class="stack tight" aria-label=${title}>
    <h2>${title}</h2>
    <ul class="list">${list.map((each) => html`<${SessionRow} session=${each} key=${each.id} />`)}</ul>
  </section>
`;

export const SessionsView = () => {
  useEffect(() => setTitle("Live sessions"), []);
  const mine = useResource(MINE);
  const [past, setPast] = useState(PAST_AT_FIRST);
  const isTeacher = session.value?.role !== "student";
  return html`
    <div class="stack loose">
      <div class="page-head">
        <h1>Live sessions</h1>
        ${isTeacher && html`<a class="button primary" href="/app/manage"><${Icon} name="live" />Go live or plan</a>`}
      </div>
      <${Shown} of=${mine} what="Your live sessions" rows=${5}>${(/** @type {any[]} */ all) => {
        if (all.length === 0) return html`<${Empty} icon="live" title="No live session yet"><p class="muted">${isTeacher ? "Go live, or plan one for later." : "Sessions of your courses appear here. You are told when one starts."}</p><//>`;
        const list = inOrder(all);
        const over = list.filter(({ status }) => status === "ended" || status === "cancelled");
        return html`
          <div class="stack loose">
            <${Group} title="Live now" list=${list.filter(({ status }) => status === "live")} />
            <${Group} title="To come" list=${list.filter(({ status }) => status === "scheduled")} />
            <${Group} title="Past" list=${over.slice(0, past)} />
            ${over.length > past && html`<p class="more"><button type="button" class="button" onClick=${() => setPast(past + 50)}>Show older ones</button></p>`}
            <${More} of=${mine} />
          </div>`;
      }}<//>
    </div>
  `;
};
