/** An address that leads nowhere. */
import { html, useEffect } from "../../vendor/vendor.js";
import { Empty } from "../parts/states.js";
import { setTitle } from "../router.js";

export const MissingView = () => {
  useEffect(() => setTitle("Not found"), []);
  return html`
    <h1 class="visually-hidden">Not found</h1>
    <${Empty} icon="compass" title="There is no such page">
      <p class="muted">The address may be old or mistyped.</p>
      <p><a class="button primary" href="/app/courses">Go to my courses</a></p>
    <//>
  `;
};
