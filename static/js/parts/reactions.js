/** What people think of a lesson, in one tap; a second tap takes it back. */
import { html, useState } from "../../vendor/vendor.js";
import { asApiError } from "../api.js";
import { react } from "../data/content.js";
import { tellFailure } from "../data/toasts.js";
import { Icon } from "./icon.js";

const KINDS = /** @type {const} */ ([["like", "thumb", "Like"], ["love", "heart", "Love it"], ["insightful", "idea", "Insightful"], ["confused", "confused", "Confusing"]]);

/** @param {{content: any}} props */
export const Reactions = ({ content }) => {
  const [busy, setBusy] = useState(false);
  const mine = content.my_reaction ?? (content.liked ? "like" : null);
  const counts = content.reactions ?? { like: content.like_count };
  const act = async (/** @type {string} */ kind) => {
    if (busy) return;
    setBusy(true);
    await react(content.id, kind === mine ? null : kind).catch((error) => tellFailure(asApiError(error)));
    setBusy(false);
  };
  return html`
    <div class="row tight reactions" role="group" aria-label="What do you think of it?">
      ${KINDS.map(([kind, icon, word]) => html`
        <button type="button" key=${kind} class="button compact" aria-pressed=${mine === kind} onClick=${() => act(kind)}
          title=${word}>
          <${Icon} name=${icon} /><span class=${kind === "like" ? "" : "visually-hidden"}>${word}</span> ${counts[kind] > 0 && html`<span class="figures">${counts[kind]}</span>`}
        </button>`)}
    </div>
  `;
};
