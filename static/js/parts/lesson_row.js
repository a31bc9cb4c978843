/** A lesson in its course's list, with how far it is: being uploaded, being made playable, playable, failed; and what its instructor may do. */
import { html } from "../../vendor/vendor.js";
import { asApiError } from "../api.js";
import { deleteContent, failureText, retryContent } from "../data/content.js";
import { processing } from "../data/facts.js";
import { tell, tellFailure } from "../data/toasts.js";
import { uploads } from "../data/upload_queue.js";
import { countText, durationText, playText, sizeText } from "../format.js";
import { confirmed } from "./confirm.js";
import { Icon } from "./icon.js";
import { Menu } from "./menu.js";

/** What a stage of processing is called. @type {Record<string, string>} */
const STAGES = { checking: "Checking the file", waiting: "Waiting while a class is on", packaging: "Making it playable", converting: "Making it playable", thumbnail: "Taking a picture from it", publishing: "Almost ready" };

/** How an upload that is not all here is doing, as far as this page knows. @type {Record<string, string>} */
const SENDING = { waiting: "Waiting for its turn", sending: "Uploading", checking: "Uploading", paused: "Paused", reconnecting: "Uploading; the connection is away", interrupted: "Interrupted" };
const ELSEWHERE = "Sent from another page, or left unfinished";

/** @param {{content: import("../data/content.js").Content}} props the rest of its bytes is still to come */
const Arriving = ({ content }) => {
  const mine = uploads.value.find(({ contentId }) => contentId === content.id);
  const [here, all] = [mine?.sent || (content.bytes_received ?? 0), Math.max(1, content.file_size ?? 1)];
  const word = SENDING[mine?.phase ?? ""] ?? ELSEWHERE;
  const isStill = mine?.phase === "interrupted" || mine?.phase === "paused";
  return html`
    <div class="row tight small muted state-line">
      <progress max="100" value=${(100 * here) / all} aria-label=${word}></progress>
      <span>${word} · <span class="figures">${sizeText(here)} of ${sizeText(all)}</span></span>
      ${isStill && html`<a href=${`/app/manage/${content.course_id}/${content.content_type}`}>Go on</a>`}
    </div>`;
};

/** @param {{content: import("../data/content.js").Content}} props */
const State = ({ content }) => {
  if (content.upload_status === "failed") return html`<p class="small fault-line"><${Icon} name="alert" />${failureText(content.error_code)}</p>`;
  if (content.upload_status === "uploading") return html`<${Arriving} content=${content} />`;
  const step = processing.value[content.id] ?? { stage: content.processing_stage, percent: content.processing_percent };
  const { percent } = step;
  const word = STAGES[step.stage ?? ""] ?? "Making it playable";
  return html`
    <div class="row tight small muted state-line">
      <progress max="100" value=${percent === undefined || percent <= 0 ? undefined : percent} aria-label=${word}></progress>
      <span>${word}${percent ? html` · <span class="figures">${Math.round(percent)} %</span>` : "…"}</span>
    </div>`;
};

/** @param {{content: import("../data/content.js").Content}} props */
const Facts = ({ content }) => {
  const watched = content.my_progress?.percent ?? 0;
  return html`
    <p class="muted small facts">
      <span>${content.content_type === "video" ? "Video" : "Audio"}${content.duration_seconds ? ` · ${durationText(content.duration_seconds)}` : ""}</span>
      ${content.comment_count > 0 && html`<span>${countText(content.comment_count, "comment")}</span>`}
      ${content.like_count > 0 && html`<span>${countText(content.like_count, "like")}</span>`}
      ${content.my_progress?.completed ? html`<span class="badge good"><${Icon} name="check" />Watched</span>`
        : watched > 0 && html`<span class="row tight fixed"><progress max="100" value=${watched} aria-label="Watched so far"></progress>${Math.round(watched)} %</span>`}
    </p>
  `;
};

/** @param {{content: import("../data/content.js").Content}} props */
const Picture = ({ content }) => html`
  <span class="lesson-picture">
    ${content.thumbnail_url ? html`<img src=${content.thumbnail_url} alt="" loading="lazy" width="160" height="90" />` : html`<${Icon} name=${content.content_type} />`}
    ${content.upload_status === "completed" && content.duration_seconds && html`<span class="lesson-length">${playText(content.duration_seconds)}</span>`}
  </span>
`;

/**
 * @param {{content: import("../data/content.js").Content, isMine: boolean, mayPlay: boolean, edit: () => void, caption: () => void,
 *   move: {up?: () => void, down?: () => void}, grip?: any, mark?: string}} props grip: the handle it is moved by
 */
export const LessonRow = ({ content, isMine, mayPlay, edit, caption, move, grip, mark = "" }) => {
  const isReady = content.upload_status === "completed";
  const again = () => retryContent(content).catch((error) => tellFailure(asApiError(error)));
  const remove = async () => {
    if (!(await confirmed({ title: `Delete “${content.title}”?`, body: "The file, its comments and everybody's progress in it are gone for good.", yes: "Delete the lesson", no: "Keep it" }))) return;
    await deleteContent(content).then(() => tell({ title: "The lesson is deleted" }), (error) => tellFailure(asApiError(error)));
  };
  return html`
    <li class=${`item lesson ${mark}`}>
      ${grip}
      <${Picture} content=${content} />
      <div class="item-text">
        <p class="item-title">
          ${isReady && mayPlay ? html`<a class="clip" href=${`/app/content/${content.id}`} title=${content.title}>${content.title}</a>` : html`<span class="clip" title=${content.title}>${content.title}</span>`}
          ${content.is_preview && html`<span class="badge accent">Preview</span>`}
          ${content.access_level === "premium" && html`<span class="badge"><${Icon} name="lock" />Premium</span>`}
          ${content.access_level === "free" && html`<span class="badge good">Free</span>`}
        </p>
        ${isReady ? html`<${Facts} content=${content} />` : html`<${State} content=${content} />`}
      </div>
      ${isMine && html`
        <div class="item-do">
          ${content.upload_status === "failed" && html`<button type="button" class="button compact retry-now" onClick=${again}><${Icon} name="again" />Try again</button>`}
          <${Menu} label=${html`<${Icon} name="more" />`} title=${`More about ${content.title}`} className="button icon quiet">
            <button type="button" class="menu-item" onClick=${edit}><${Icon} name="edit" />Change</button>
            ${content.upload_status === "failed" && html`<button type="button" class="menu-item" onClick=${again}><${Icon} name="again" />Try again</button>`}
            <button type="button" class="menu-item" onClick=${caption}><${Icon} name="captions" />Captions</button>
            ${isReady && html`<a class="menu-item" href=${`/app/content/${content.id}/analytics`}><${Icon} name="chart" />Analytics</a>`}
            ${move.up && html`<button type="button" class="menu-item" onClick=${move.up}><${Icon} name="up" />Move up</button>`}
            ${move.down && html`<button type="button" class="menu-item" onClick=${move.down}><${Icon} name="down" />Move down</button>`}
            <button type="button" class="menu-item danger" onClick=${remove}><${Icon} name="trash" />Delete</button>
          <//>
        </div>`}
    </li>
  `;
};
