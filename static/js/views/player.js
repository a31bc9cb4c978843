/** A lesson: played from where one left off, talked about at its moments. */
import { html, useEffect, useRef } from "../../vendor/vendor.js";
import { commentsPath, failureText } from "../data/content.js";
import { useResource } from "../data/resource.js";
import { countText, dayText, durationText } from "../format.js";
import { Comments } from "../parts/comments.js";
import { Icon } from "../parts/icon.js";
import { MediaPlayer } from "../parts/media_player.js";
import { nextOf } from "../parts/next_lesson.js";
import { Reactions } from "../parts/reactions.js";
import { Empty, Failed, Loading } from "../parts/states.js";
import { setTitle } from "../router.js";

/** Not playable, and what to do about it. @param {{content: any, course: any}} props */
const NotYet = ({ content, course }) => {
  if (content.upload_status === "failed") return html`<${Empty} icon="alert" title="This lesson could not be made playable"><p class="muted">${failureText(content.error_code)}</p><//>`;
  if (content.upload_status !== "completed") return html`<${Empty} icon="clock" title="This lesson is being made playable"><p class="muted">It appears here by itself when it is ready.</p><//>`;
  const isPremium = course?.my_role === "student";
  return html`
    <${Empty} icon="lock" title=${isPremium ? "This lesson is for premium places" : "This lesson is for enrolled students"}>
      <p class="muted">${isPremium ? "Your instructor can change your place in the course." : "Enroll in the course to play it."}</p>
      <p><a class="button primary" href=${`/app/courses/${content.course_id}`}>Go to the course</a></p>
    <//>`;
};

const PlayerSkeleton = () => html`<div class="lesson-page"><div class="stack"><div class="skeleton a-stage"></div><${Loading} kind="line" rows=${3} /></div><${Loading} rows=${3} /></div>`;

/** @param {{contentId: number}} props */
export const PlayerView = ({ contentId }) => {
  const lesson = useResource(`/content/${contentId}`);
  const comments = useResource(lesson.value?.file_url ? commentsPath(contentId) : null);
  const course = useResource(lesson.value ? `/courses/${lesson.value.course_id}` : null);
  const lessons = useResource(lesson.value ? `/courses/${lesson.value.course_id}/content` : null);
  const media = useRef(/** @type {HTMLMediaElement | null} */ (null));
  const content = lesson.value;
  useEffect(() => setTitle(content?.title ?? "Lesson"), [content?.title]);
  if (lesson.status === "failed") return html`<${Failed} error=${lesson.error} what="This lesson" retry=${() => lesson.resource?.retry()} />`;
  if (!content) return PlayerSkeleton();
  const isPlayable = Boolean(content.file_url);
  const next = nextOf(lessons.value ?? [], contentId);
  return html`
    <article class="lesson-page">
      <div class="stack lesson-main">
        ${isPlayable ? html`<${MediaPlayer} content=${content} comments=${comments.value ?? []} media=${media} next=${next} key=${content.id} />` : html`<${NotYet} content=${content} course=${course.value} />`}
        <div class="stack tight">
          <p class="small lesson-course clip"><a href=${`/app/courses/${content.course_id}`}>${course.value?.title ?? "The course"}</a></p>
          <h1>${content.title}</h1>
          <p class="muted small facts">
            ${content.duration_seconds && html`<span>${durationText(content.duration_seconds)}</span>`}
            <span>${dayText(content.created_at)}</span>
            ${content.view_count > 0 && html`<span>${countText(content.view_count, "view")}</span>`}
            ${content.my_progress?.completed && html`<span class="badge good"><${Icon} name="check" />Watched</span>`}
          </p>
        </div>
        ${isPlayable && html`<${Reactions} content=${content} />`}
        ${content.description && html`<p class="about">${content.description}</p>`}
        ${next && html`<a class="next-link linked" href=${`/app/content/${next.id}`}><span class="grow"><span class="small muted block">Next lesson</span><span class="clip block">${next.title}</span></span><${Icon} name="forward" /></a>`}
      </div>
      ${isPlayable && html`<${Comments} content=${content} comments=${comments} isInstructor=${course.value?.my_role === "instructor"} media=${media} />`}
    </article>
  `;
};
