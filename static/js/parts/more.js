/** The rest of a long list, when somebody wants it. */
import { html, useState } from "../../vendor/vendor.js";
import { asApiError } from "../api.js";
import { tellFailure } from "../data/toasts.js";

/** @param {{of: any, word?: string}} props */
export const More = ({ of, word = "Show more" }) => {
  const [busy, setBusy] = useState(false);
  if (!of.next) return null;
  const act = async () => {
    if (busy) return;
    setBusy(true);
    await of.resource.more().catch((/** @type {unknown} */ error) => tellFailure(asApiError(error)));
    setBusy(false);
  };
  return html`<p class="more"><button type="button" class="button" aria-disabled=${busy} onClick=${act}>${busy ? "Loading…" : word}</button></p>`;
};
