/** What comes after a lesson: goes on to it by itself, unless somebody says no. */
import { html, signal, useEffect, useState } from "../../vendor/vendor.js";
import { navigate } from "../router.js";
import { Icon } from "./icon.js";

export const COUNTDOWN_SECONDS = 8;

/** The lesson that was gone on to and should play at once. @type {{value: number | null}} */
export const goesOn = signal(/** @type {number | null} */ (null));

/** The lesson after this one that this person may play. @param {any[]} lessons in order @param {number} contentId */
export const nextOf = (lessons, contentId) => {
  const place = lessons.findIndex(({ id }) => id === contentId);
  return place < 0 ? null : lessons.slice(place + 1).find((each) => each.upload_status === "completed" && each.file_url) ?? null;
};

/** @param {{lesson: any, stay: () => void}} props */
export const NextLesson = ({ lesson, stay }) => {
  const [left, setLeft] = useState(COUNTDOWN_SECONDS);
  const go = () => {
    goesOn.value = lesson.id;
    navigate(`/app/content/${lesson.id}`);
  };
  useEffect(() => {
    const timer = setTimeout(() => (left <= 1 ? go() : setLeft(left - 1)), 1000);
    return () => clearTimeout(timer);
  }, [left]);
  return html`
    <div class="next-card" role="group" aria-label="Next lesson">
      <p class="small">Next in <span class="figures">${left}</span> s</p>
      <p class="next-title">${lesson.title}</p>
      <div class="row tight">
        <button type="button" class="button primary" onClick=${go}><${Icon} name="play" />Play now</button>
        <button type="button" class="button" onClick=${stay}>Stay here</button>
      </div>
    </div>
  `;
};
