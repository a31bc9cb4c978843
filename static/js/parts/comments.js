/** What people say about a lesson, at a moment of it or about the whole; answers stand under what they answer. */
import { html, useRef, useState } from "../../vendor/vendor.js";
import { asApiError, session } from "../api.js";
import { addComment, deleteComment, editComment } from "../data/content.js";
import { tellFailure } from "../data/toasts.js";
import { agoText, countText, playText, whenText } from "../format.js";
import { confirmed } from "./confirm.js";
import { FormFault, useForm } from "./form.js";
import { More } from "./more.js";
import { Avatar } from "./person.js";
import { Shown } from "./states.js";

const LONGEST = 4000;

/** @param {{contentId: number, now: () => number, parentId?: number, done?: () => void}} props */
const Write = ({ contentId, now, parentId, done }) => {
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  const { busy, error, onSubmit } = useForm(async ({ body, timed }, form) => {
    if (!body) return;
    await addComment(contentId, { body, ...(timed === "on" && at !== null ? { at_seconds: at } : {}), ...(parentId ? { parent_id: parentId } : {}) });
    form.reset();
    setAt(null);
    done?.();
  });
  // The moment one begins to write is the moment one means, not the one when it is sent.
  const begin = () => at === null && !parentId && setAt(Math.floor(now()));
  const send = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) /** @type {HTMLTextAreaElement} */ (event.target).form?.requestSubmit();
  };
  return html`
    <form class="stack tight write" onSubmit=${onSubmit} tabindex="-1">
      <${FormFault} error=${error} />
      <textarea class="input" name="body" rows=${parentId ? 1 : 2} required maxlength=${LONGEST} aria-label=${parentId ? "Your answer" : "Your comment"}
        placeholder=${parentId ? "Answer" : "Say something about this lesson"} onInput=${begin} onKeyDown=${send}></textarea>
      <div class="row apart">
        ${parentId ? html`<button type="button" class="button compact quiet" onClick=${done}>Cancel</button>`
          : html`<label class="check small"><input type="checkbox" name="timed" defaultChecked /><span>At <span class="figures">${playText(at ?? now())}</span></span></label>`}
        <button class="button compact primary" aria-disabled=${busy}>${busy ? "Sending…" : parentId ? "Answer" : "Comment"}</button>
      </div>
    </form>
  `;
};

/** @param {{comment: any, done: () => void, contentId: number}} props */
const Rewrite = ({ comment, done, contentId }) => {
  const { busy, error, onSubmit } = useForm(async ({ body }) => {
    await editComment(contentId, comment.id, body);
    done();
  });
  return html`
    <form class="stack tight" onSubmit=${onSubmit} tabindex="-1">
      <${FormFault} error=${error} />
      <textarea class="input" name="body" rows="2" required maxlength=${LONGEST} aria-label="Your comment" defaultValue=${comment.body}></textarea>
      <div class="row apart"><button type="button" class="button compact quiet" onClick=${done}>Cancel</button><button class="button compact primary" aria-disabled=${busy}>Save</button></div>
    </form>
  `;
};

/** @param {{comment: any, contentId: number, seek: (at: number) => void, mayDelete: boolean, answer?: () => void}} props */
const One = ({ comment, contentId, seek, mayDelete, answer }) => {
  const [isEditing, setEditing] = useState(false);
  const isMine = comment.user.id === session.value?.id;
  if (comment.deleted) return html`<p class="comment muted small">A comment that was deleted</p>`;
  const remove = async () => {
    if (await confirmed({ title: "Delete this comment?", body: "Answers to it stay.", yes: "Delete", no: "Keep it" })) {
      await deleteComment(contentId, comment.id).catch((error) => tellFailure(asApiError(error)));
    }
  };
  return html`
    <div class="comment">
      <${Avatar} person=${comment.user} />
      <div class="grow stack comment-text">
        <p class="comment-head"><strong class="clip">${comment.user.name}</strong>
          ${typeof comment.at_seconds === "number" && html`<button type="button" class="at figures" aria-label=${`Go to ${playText(comment.at_seconds)}`} onClick=${() => seek(comment.at_seconds)}>${playText(comment.at_seconds)}</button>`}
          <time class="muted" dateTime=${comment.created_at} title=${whenText(comment.created_at)}>${agoText(comment.created_at)}</time>
          ${comment.edited_at && html`<span class="muted">edited</span>`}</p>
        ${isEditing ? html`<${Rewrite} comment=${comment} contentId=${contentId} done=${() => setEditing(false)} />` : html`<p class="comment-body">${comment.body}</p>`}
        ${!isEditing && html`
          <p class="comment-do">
            ${answer && html`<button type="button" onClick=${answer}>Answer</button>`}
            ${isMine && html`<button type="button" onClick=${() => setEditing(true)}>Edit</button>`}
            ${(isMine || mayDelete) && html`<button type="button" onClick=${remove}>Delete</button>`}
          </p>`}
      </div>
    </div>
  `;
};

/** @param {{content: any, comments: any, isInstructor: boolean, media: {current: HTMLMediaElement | null}}} props */
export const Comments = ({ content, comments, isInstructor, media }) => {
  const [answering, setAnswering] = useState(/** @type {number | null} */ (null));
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const now = () => media.current?.currentTime ?? content.my_progress?.position_seconds ?? 0;
  const seek = (/** @type {number} */ at) => {
    if (!media.current) return;
    media.current.currentTime = at;
    media.current.scrollIntoView({ block: "nearest" });
  };
  return html`
    <section class="stack comments" aria-labelledby="comments" ref=${box}>
      <h2 id="comments">${content.comment_count > 0 ? countText(content.comment_count, "comment") : "Comments"}</h2>
      <${Write} contentId=${content.id} now=${now} />
      <${Shown} of=${comments} what="The comments" rows=${3}>${(/** @type {any[]} */ list) => {
        const tops = list.filter((each) => !each.parent_id);
        if (tops.length === 0) return html`<p class="muted small">Nobody has said anything yet.</p>`;
        return html`
          <ul class="stack">
            ${tops.map((each) => html`
              <li key=${each.id} class="stack tight">
                <${One} comment=${each} contentId=${content.id} seek=${seek} mayDelete=${isInstructor} answer=${() => setAnswering(each.id)} />
                <ul class="answers stack tight">
                  ${list.filter(({ parent_id: parent }) => parent === each.id).map((reply) => html`<li key=${reply.id}><${One} comment=${reply} contentId=${content.id} seek=${seek} mayDelete=${isInstructor} /></li>`)}
                  ${answering === each.id && html`<li><${Write} contentId=${content.id} now=${now} parentId=${each.id} done=${() => setAnswering(null)} /></li>`}
                </ul>
              </li>`)}
          </ul>
          <${More} of=${comments} word="Show more comments" />`;
      }}<//>
    </section>
  `;
};
