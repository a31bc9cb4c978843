/**
 * One picture of the stage: a person or their screen, with name, voice and what is missing.
 *
 * A line of the connection changes hands silently, so the picture stays hidden until the first frame that came after
 * the change; until then the person's mark is shown, never somebody else under their name.
 */
import { html, useEffect, useRef, useState } from "../../vendor/vendor.js";
import { Avatar } from "./person.js";
import { RoomIcon } from "./room_icon.js";

/** @typedef {import("../store/tiles.js").Tile} Shown */

/**
 * Whether a frame came after the line changed hands; RTP timestamps wrap at 32 bit (RFC 3550, 5.1).
 * @param {number|undefined} frame @param {number|undefined} last the timestamp of the last frame that was somebody else's
 */
const isTheirs = (frame, last) => frame === undefined || last === undefined || ((frame - last) | 0) > 0;

/** @param {{track: MediaStreamTrack, since: number, after?: number, isMirrored: boolean, label: string, onShown: (is: boolean) => void}} props */
const Picture = ({ track, since, after, isMirrored, label, onShown }) => {
  const video = useRef(/** @type {HTMLVideoElement|null} */ (null));
  useEffect(() => {
    const element = /** @type {HTMLVideoElement} */ (video.current);
    element.srcObject = new MediaStream([track]);
    element.play().catch(() => {}); // muted pictures may always play; taken away meanwhile is no failure
    return () => {
      element.srcObject = null;
    };
  }, [track]);
  useEffect(() => {
    const element = /** @type {HTMLVideoElement} */ (video.current);
    onShown(false);
    /** @type {number} */ let wait;
    const look = () => {
      wait = element.requestVideoFrameCallback((_, { rtpTimestamp }) => (isTheirs(rtpTimestamp, after) ? onShown(true) : look()));
    };
    look();
    return () => element.cancelVideoFrameCallback(wait);
  }, [track, since]);
  return html`<video ref=${video} class=${isMirrored ? "is-mirrored" : ""} muted autoplay playsinline aria-label=${label}></video>`;
};

/** How wide a picture of the usual shape is drawn in a box, in pixels of the screen. @param {DOMRectReadOnly} box */
const drawn = ({ width, height }) => Math.min(width, (height * 16) / 9) * devicePixelRatio;

/**
 * @param {{tile: Shown, isSpeaking: boolean, note: string, onSeen: (is: boolean) => void, onSized: (width: number) => void}} props
 * `note`: what to know about it now, in words; `onSeen`: it is in view, or not any more; `onSized`: pixels across.
 */
export const RoomTile = ({ tile, isSpeaking, note, onSeen, onSized }) => {
  const figure = useRef(/** @type {HTMLElement|null} */ (null));
  useEffect(() => {
    const view = new IntersectionObserver((entries) => onSeen(Boolean(entries.at(-1)?.isIntersecting)));
    const size = new ResizeObserver((entries) => entries.slice(-1).forEach((entry) => onSized(drawn(entry.contentRect))));
    for (const observer of [view, size]) observer.observe(/** @type {HTMLElement} */ (figure.current));
    return () => {
      view.disconnect();
      size.disconnect();
      onSeen(true);
    };
  }, []);
  const { person, source, track, since } = tile;
  const [isShown, show] = useState(false);
  const name = person.is_you ? `${person.name} (you)` : person.name;
  const isScreen = source === "screen";
  return html`
    <figure ref=${figure} class="room-tile" data-source=${source} data-shown=${Boolean(track) && isShown} data-speaking=${isSpeaking && !isScreen}
      data-user=${person.user_id}>
      ${track && html`
        <${Picture} track=${track} since=${since} after=${tile.after} isMirrored=${tile.isMirrored} onShown=${show}
          label=${isScreen ? `Screen of ${name}` : `Camera of ${name}`} />`}
      ${!(track && isShown) && html`
        <div class="room-tile-mark">
          <${Avatar} person=${{ id: person.user_id, name: person.name, avatar_url: person.avatar_url }} />
          ${note && html`<p class="room-tile-note">${note}</p>`}
        </div>`}
      <figcaption>
        ${!isScreen && tile.isSilent && html`<${RoomIcon} name="microphone-off" /><span class="visually-hidden">Microphone off:</span>`}
        <span class="clip">${isScreen ? `${name}: screen` : name}</span>
        ${!isScreen && person.role === "instructor" && html`<span class="room-tile-role">Instructor</span>`}
      </figcaption>
    </figure>
  `;
};
