/** The line of a recording: where it is, what was seen, where others said something; a picture of where one points. */
import { html, useRef, useState } from "../../vendor/vendor.js";
import { playText } from "../format.js";
import { tileAt } from "../seek_preview.js";

const EDGE_REM = 6; // half of the widest preview: it stays inside the player

/** @param {{at: number, share: number, preview: any}} props share: 0 to 1 of the line */
const Preview = ({ at, share, preview }) => {
  const tile = tileAt(preview, at);
  const place = (/** @type {HTMLElement | null} */ box) => {
    if (box) box.style.left = `clamp(${EDGE_REM}rem, ${100 * share}%, calc(100% - ${EDGE_REM}rem))`;
  };
  const show = (/** @type {HTMLElement | null} */ picture) => {
    if (!picture || !tile) return;
    picture.style.width = `${tile.width}px`;
    picture.style.height = `${tile.height}px`;
    picture.style.backgroundImage = `url("${preview.url}")`;
    picture.style.backgroundPosition = `-${tile.x}px -${tile.y}px`;
  };
  return html`
    <div class="seek-preview" ref=${place} aria-hidden="true">
      ${tile && html`<span class="seek-picture" ref=${show}></span>`}
      <span class="figures">${playText(at)}</span>
    </div>`;
};

/**
 * @param {{duration: number, position: number, buffered: number, watched: [number, number][], comments: any[], preview: any,
 *   seek: (at: number) => void}} props
 */
export const SeekLine = ({ duration, position, buffered, watched, comments, preview, seek }) => {
  const line = useRef(/** @type {HTMLElement | null} */ (null));
  const [pointed, setPointed] = useState(/** @type {number | null} */ (null));
  const share = (/** @type {PointerEvent} */ event) => {
    const { left, width } = /** @type {HTMLElement} */ (line.current).getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - left) / Math.max(1, width)));
  };
  const down = (/** @type {PointerEvent} */ event) => {
    if (event.button !== 0) return;
    line.current?.setPointerCapture(event.pointerId);
    setPointed(share(event));
    seek(share(event) * duration);
  };
  const move = (/** @type {PointerEvent} */ event) => {
    setPointed(share(event));
    if (line.current?.hasPointerCapture(event.pointerId)) seek(share(event) * duration);
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    /** @type {Record<string, number>} */
    const to = { Home: 0, End: duration, PageUp: position + 60, PageDown: position - 60 };
    if (!(event.key in to)) return;
    event.preventDefault();
    seek(Math.max(0, Math.min(duration, to[event.key])));
  };
  const part = (/** @type {number} */ seconds) => (1000 * Math.min(seconds, duration)) / duration;
  return html`
    <div class="strip">
      <div class="strip-line" role="slider" tabindex="0" ref=${line} aria-label="Where in the lesson" aria-valuemin="0" aria-valuemax=${Math.floor(duration)}
        aria-valuenow=${Math.floor(Math.min(position, duration))} aria-valuetext=${`${playText(position)} of ${playText(duration)}`}
        onPointerDown=${down} onPointerMove=${move} onPointerLeave=${() => setPointed(null)} onKeyDown=${key}>
        <svg viewBox="0 0 1000 8" preserveAspectRatio="none" aria-hidden="true">
          <rect class="strip-ground" width="1000" height="8" />
          <rect class="strip-buffered" width=${part(buffered)} height="8" />
          ${watched.map(([from, to]) => html`<rect class="strip-seen" key=${from} x=${part(from)} width=${Math.max(0, part(to) - part(from))} height="8" />`)}
          <rect class="strip-played" width=${part(position)} height="8" />
        </svg>
        <span class="strip-knob" ref=${(/** @type {HTMLElement | null} */ knob) => knob && (knob.style.left = `${part(position) / 10}%`)}></span>
      </div>
      ${comments.map(({ id, at_seconds: at, user, body }) => html`
        <button type="button" class="strip-mark" key=${id} ref=${(/** @type {HTMLElement | null} */ mark) => mark && (mark.style.left = `${(100 * at) / duration}%`)}
          title=${`${playText(at)} ${user.name}: ${body.slice(0, 80)}`} aria-label=${`Go to ${playText(at)}, comment by ${user.name}`} onClick=${() => seek(at)}></button>`)}
      ${pointed !== null && html`<${Preview} at=${pointed * duration} share=${pointed} preview=${preview} />`}
    </div>
  `;
};
