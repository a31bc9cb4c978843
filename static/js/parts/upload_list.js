/** Files on their way and what became of them: bytes, speed, time left; paused, interrupted; checked; made playable; refused. */
import { html, useState } from "../../vendor/vendor.js";
import { processing } from "../data/facts.js";
import { cancelUpload, continueWith, forgetUpload, pauseUpload, resumeUpload, uploads } from "../data/uploads.js";
import { durationText, sizeText } from "../format.js";
import { accepted } from "../upload_rules.js";
import { Icon } from "./icon.js";

/** @typedef {import("../data/upload_queue.js").Upload} Upload */

/** The server's words for what it does with a file, for people. @type {Record<string, string>} */
const STAGES = { waiting: "Waiting while a class is on, so that it is not disturbed" };

/** @param {Upload} upload @returns {string} how far the bytes are */
const bytesOf = ({ sent, total }) => `${sizeText(sent)} of ${sizeText(total)}`;

/** @param {Upload} upload @returns {{says: string, percent: number | undefined} | null} percent undefined: no telling how long; null: nothing to draw */
const progressOf = (upload) => {
  const { phase, sent, total, speed, left, contentId } = upload;
  const percent = (100 * sent) / Math.max(1, total);
  if (phase === "waiting") return sent > 0 ? { says: `${bytesOf(upload)} · waiting for its turn`, percent } : { says: `${sizeText(total)} · waiting for its turn`, percent: 0 };
  if (phase === "sending") {
    const pace = speed ? ` · ${sizeText(speed)}/s${left !== null ? ` · ${durationText(left)} left` : ""}` : "";
    return { says: `${bytesOf(upload)}${pace}`, percent };
  }
  if (phase === "paused") return { says: `${bytesOf(upload)} · paused`, percent };
  if (phase === "reconnecting") return { says: `${bytesOf(upload)} · the connection is away, going on as soon as it is back`, percent };
  if (phase === "interrupted") return { says: `${bytesOf(upload)} · interrupted. Choose the same file to go on.`, percent };
  if (phase === "checking") return { says: "All sent. The server is checking the file…", percent: undefined };
  if (phase !== "processing") return null;
  const made = contentId === null ? undefined : processing.value[contentId];
  const says = STAGES[made?.stage ?? ""] ?? (made?.percent ? `Making it playable · ${Math.round(made.percent)} %` : "Making it playable…");
  return { says, percent: made?.percent || undefined };
};

/** @param {{upload: Upload}} props */
const ChooseAgain = ({ upload }) => {
  const [reason, setReason] = useState("");
  const choose = async (/** @type {any} */ event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) setReason(await continueWith(upload.key, file));
  };
  return html`
    <label class="button compact primary">
      <input type="file" class="visually-hidden" accept=${accepted(upload.kind)} onChange=${choose} />
      <span class="clip" title=${upload.fileName}>Choose “${upload.fileName}”</span>
    </label>
    <span role="alert" class="small fault-line">${reason}</span>
  `;
};

/** @param {{upload: Upload}} props */
const Acts = ({ upload }) => {
  const { key, title, phase, isPassing, contentId } = upload;
  const isEnded = phase === "ready" || phase === "refused" || phase === "cancelled";
  const isPaused = phase === "paused";
  const mayPause = phase === "sending" || phase === "reconnecting" || phase === "waiting";
  const [pause, end] = [isPaused ? "Resume" : "Pause", isEnded ? `Remove ${title} from this list` : `Cancel the upload of ${title}`];
  // What becomes another button stays the same element, so that the focus stays on it.
  return html`
    ${(mayPause || isPaused) && html`<button type="button" class="button compact" aria-label=${`${pause} the upload of ${title}`} onClick=${() => (isPaused ? resumeUpload(key) : pauseUpload(key))}>${pause}</button>`}
    ${phase === "interrupted" && html`<${ChooseAgain} upload=${upload} />`}
    ${phase === "refused" && isPassing && html`<button type="button" class="button compact" onClick=${() => resumeUpload(key)}>Try again</button>`}
    ${phase === "ready" && html`<a class="button compact" href=${`/app/content/${contentId}`}>Open</a>`}
    ${phase !== "processing" && html`<button type="button" class=${isEnded ? "button icon compact quiet" : "button compact"} aria-label=${end} onClick=${() => (isEnded ? forgetUpload(key) : cancelUpload(key))}>${isEnded ? html`<${Icon} name="close" />` : "Cancel"}</button>`}
  `;
};

/** @param {{upload: Upload}} props */
const One = ({ upload }) => {
  const { title, fileName, phase, reason, kind } = upload;
  const progress = progressOf(upload);
  const mark = { ready: "check", refused: "alert", paused: "pause", interrupted: "pause", reconnecting: "offline", waiting: "clock" };
  return html`
    <li class="item upload" data-phase=${phase}>
      <span class="item-mark"><${Icon} name=${/** @type {Record<string, string>} */ (mark)[phase] ?? kind} /></span>
      <div class="item-text">
        <p class="item-title"><span class="clip" title=${fileName}>${title}</span></p>
        ${progress && html`
          <progress class="wide" max="100" value=${progress.percent} aria-label=${`Upload of ${title}`}></progress>
          <p class="muted small figures">${progress.says}</p>`}
        ${phase === "ready" && html`<p class="small good">Ready to play</p>`}
        ${phase === "cancelled" && html`<p class="muted small">Cancelled. Nothing was kept.</p>`}
        ${reason && html`<p class="small fault-line" role="alert">${reason}</p>`}
      </div>
      <div class="item-do"><${Acts} upload=${upload} /></div>
    </li>
  `;
};

export const UploadList = () => html`
  <section class="stack tight" aria-labelledby="uploads">
    <h2 id="uploads">Uploads</h2>
    <ul class="list">${uploads.value.map((upload) => html`<${One} upload=${upload} key=${upload.key} />`)}</ul>
  </section>
`;
