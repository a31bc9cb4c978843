/** Files on their way and what became of them: bytes, speed, time left; checked; made playable; refused with the reason. */
import { html } from "../../vendor/vendor.js";
import { processing } from "../data/facts.js";
import { cancelUpload, forgetUpload, retryUpload, uploads } from "../data/uploads.js";
import { durationText, sizeText } from "../format.js";
import { Icon } from "./icon.js";

/** @param {import("../data/uploads.js").Upload} upload @returns {{says: string, percent: number | undefined}} percent undefined: no telling how long */
const progressOf = ({ phase, sent, total, speed, left, contentId }) => {
  if (phase === "sending") {
    const pace = speed ? ` · ${sizeText(speed)}/s${left !== null ? ` · ${durationText(left)} left` : ""}` : "";
    return { says: `${sizeText(sent)} of ${sizeText(total)}${pace}`, percent: (100 * sent) / Math.max(1, total) };
  }
  if (phase === "checking") return { says: "All sent. The server is checking the file…", percent: undefined };
  const percent = contentId === null ? undefined : processing.value[contentId]?.percent;
  return { says: percent ? `Making it playable · ${Math.round(percent)} %` : "Making it playable…", percent: percent || undefined };
};

/** @param {{upload: import("../data/uploads.js").Upload}} props */
const One = ({ upload }) => {
  const { key, title, fileName, phase, reason, isPassing, contentId, kind } = upload;
  const isMoving = phase === "sending" || phase === "checking" || phase === "processing";
  const { says, percent } = progressOf(upload);
  return html`
    <li class="item upload">
      <span class="item-mark"><${Icon} name=${phase === "ready" ? "check" : phase === "refused" ? "alert" : kind} /></span>
      <div class="item-text">
        <p class="item-title"><span class="clip" title=${fileName}>${title}</span></p>
        ${isMoving && html`
          <progress class="wide" max="100" value=${percent} aria-label=${`Upload of ${title}`}></progress>
          <p class="muted small figures">${says}</p>`}
        ${phase === "ready" && html`<p class="small good">Ready to play</p>`}
        ${phase === "cancelled" && html`<p class="muted small">Cancelled. Nothing was kept.</p>`}
        ${phase === "refused" && html`<p class="small fault-line" role="alert">${reason}</p>`}
      </div>
      <div class="item-do">
        ${(phase === "sending" || phase === "checking") && html`<button type="button" class="button compact" onClick=${() => cancelUpload(key)}>Cancel</button>`}
        ${phase === "refused" && isPassing && html`<button type="button" class="button compact" onClick=${() => retryUpload(key)}>Try again</button>`}
        ${phase === "ready" && html`<a class="button compact" href=${`/app/content/${contentId}`}>Open</a>`}
        ${!isMoving && html`<button type="button" class="button icon compact quiet" aria-label=${`Remove ${title} from this list`} onClick=${() => forgetUpload(key)}><${Icon} name="close" /></button>`}
      </div>
    </li>
  `;
};

export const UploadList = () => html`
  <section class="stack tight" aria-labelledby="uploads">
    <h2 id="uploads">Uploads</h2>
    <ul class="list">${uploads.value.map((upload) => html`<${One} upload=${upload} key=${upload.key} />`)}</ul>
  </section>
`;
