/**
 * A recording being played: from where one left off, at one's own speed, by mouse, thumb or keyboard.
 *
 * The browser's own controls, because they work everywhere; around them what those lack: going on at the same place,
 * skipping, speed, a line that shows what was seen and where others said something.
 */
import { html, useEffect, useRef, useState } from "../../vendor/vendor.js";
import { WatchReport, freshAddress } from "../data/watching.js";
import { playText } from "../format.js";
import { Icon } from "./icon.js";

const SPEEDS = [0.75, 1, 1.25, 1.5, 1.75, 2];
const NEAR_END_SECONDS = 5; // who stopped this near the end starts anew
const RENEW_MS = 10_000; // an address that fails again sooner than this is not the address's fault

/** @param {number} position @param {number | null} duration */
const startingPoint = (position, duration) => (duration !== null && position > duration - NEAR_END_SECONDS ? 0 : position);

/** Keys, as people know them from elsewhere. @param {KeyboardEvent} event @param {HTMLMediaElement} media @param {(rate: number) => void} setRate */
const onKey = (event, media, setRate) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.closest("input, textarea, select, dialog, [contenteditable]")) return;
  const isControl = target.closest("button, a, summary, video, audio") !== null;
  const jump = (/** @type {number} */ by) => {
    media.currentTime = Math.max(0, Math.min(media.duration || 0, media.currentTime + by));
  };
  /** @type {Record<string, () => void>} */
  const keys = {
    k: () => void (media.paused ? media.play().catch(() => undefined) : media.pause()),
    j: () => jump(-10),
    l: () => jump(10),
    m: () => { media.muted = !media.muted; },
    f: () => void (document.fullscreenElement ? document.exitFullscreen() : media.requestFullscreen?.()),
    ">": () => setRate(SPEEDS[Math.min(SPEEDS.length - 1, SPEEDS.indexOf(media.playbackRate) + 1)]),
    "<": () => setRate(SPEEDS[Math.max(0, SPEEDS.indexOf(media.playbackRate) - 1)]),
  };
  // A focused control, the player included, has its own meaning for space and arrows.
  if (!isControl) Object.assign(keys, { " ": keys.k, ArrowLeft: () => jump(-5), ArrowRight: () => jump(5) });
  const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  act();
};

/** What was seen, and where others said something. @param {{duration: number, watched: [number, number][], comments: any[], seek: (at: number) => void}} props */
const Strip = ({ duration, watched, comments, seek }) => html`
  <div class="strip">
    <svg viewBox="0 0 1000 8" preserveAspectRatio="none" aria-hidden="true">
      <rect class="strip-ground" width="1000" height="8" />
      ${watched.map(([from, to]) => html`<rect class="strip-seen" key=${from} x=${(1000 * from) / duration} width=${(1000 * (to - from)) / duration} height="8" />`)}
    </svg>
    ${comments.map(({ id, at_seconds: at, user, body }) => html`
      <button type="button" class="strip-mark" key=${id} ref=${(/** @type {HTMLElement | null} */ mark) => mark && (mark.style.left = `${(100 * at) / duration}%`)}
        title=${`${playText(at)} ${user.name}: ${body.slice(0, 80)}`} aria-label=${`Go to ${playText(at)}, comment by ${user.name}`} onClick=${() => seek(at)}></button>`)}
  </div>
`;

/** @param {{content: any, comments: any[], media: {current: HTMLMediaElement | null}}} props */
export const MediaPlayer = ({ content, comments, media }) => {
  const [rate, setRate] = useState(1);
  const [fault, setFault] = useState("");
  const [source] = useState(() => ({ url: content.file_url, renewedAt: 0 }));
  const [beginsAt] = useState(() => startingPoint(content.my_progress?.position_seconds ?? 0, content.duration_seconds));
  const report = useRef(/** @type {WatchReport | null} */ (null));
  report.current ??= new WatchReport(content);
  const choose = (/** @type {number} */ wanted) => {
    setRate(wanted);
    if (media.current) media.current.playbackRate = wanted;
  };
  const here = () => /** @type {HTMLMediaElement} */ (media.current);
  useEffect(() => {
    const keys = (/** @type {KeyboardEvent} */ event) => media.current && onKey(event, media.current, choose);
    const leaving = () => document.visibilityState === "hidden" && void report.current?.send();
    document.addEventListener("keydown", keys);
    document.addEventListener("visibilitychange", leaving);
    return () => {
      document.removeEventListener("keydown", keys);
      document.removeEventListener("visibilitychange", leaving);
      void report.current?.send();
    };
  }, []);
  const ready = () => {
    if (source.renewedAt === 0 && beginsAt > 0) here().currentTime = beginsAt;
    setFault("");
  };
  const failed = async () => {
    if (performance.now() - source.renewedAt < RENEW_MS && source.renewedAt > 0) return setFault("This recording cannot be played right now. Reload the page, or come back later.");
    source.renewedAt = performance.now();
    const { currentTime: at, paused } = here();
    try {
      here().src = await freshAddress(content.id);
      here().currentTime = at || beginsAt;
      if (!paused) await here().play();
    } catch (error) {
      setFault(/** @type {any} */ (error).detail ?? "The server cannot be reached. Check your connection and reload the page.");
    }
    return undefined;
  };
  const tick = () => report.current?.at(here().currentTime, here().playbackRate, !here().paused && !here().seeking);
  const rest = () => report.current?.rest(here().currentTime, here().playbackRate);
  const seek = (/** @type {number} */ at) => {
    here().currentTime = at;
    here().focus({ preventScroll: true });
  };
  const skip = (/** @type {number} */ by) => { here().currentTime = Math.max(0, here().currentTime + by); };
  const Tag = content.content_type;
  return html`
    <div class="player">
      <div class=${`player-stage ${Tag}`}>
        ${Tag === "audio" && html`<span class="player-wave" aria-hidden="true"><${Icon} name="audio" /></span>`}
        <${Tag} ref=${media} src=${source.url} poster=${Tag === "video" ? content.thumbnail_url ?? undefined : undefined} controls playsinline preload="metadata"
          aria-label=${content.title} onLoadedMetadata=${ready} onError=${failed} onTimeUpdate=${tick}
          onPlaying=${() => report.current?.begin(here().currentTime)} onPause=${rest} onEnded=${rest} onSeeked=${() => report.current?.cut(here().currentTime)}
          onRateChange=${() => setRate(here().playbackRate)} />
        <div role="alert" class="player-fault">${fault && html`<p class="notice bad"><${Icon} name="alert" /><span>${fault}</span></p>`}</div>
      </div>
      ${content.duration_seconds > 0 && html`<${Strip} duration=${content.duration_seconds} watched=${content.my_progress?.watched ?? []}
        comments=${comments.filter(({ at_seconds: at }) => typeof at === "number" && at <= content.duration_seconds)} seek=${seek} />`}
      <div class="row apart player-do">
        <div class="row tight">
          <button type="button" class="button compact" aria-label="10 s back" onClick=${() => skip(-10)}><${Icon} name="back" />10 s</button>
          <button type="button" class="button compact" aria-label="10 s on" onClick=${() => skip(10)}>10 s<${Icon} name="forward" /></button>
          <label class="speed"><span class="visually-hidden">Speed</span>
            <select class="input" value=${rate} onChange=${(/** @type {any} */ event) => choose(Number(event.target.value))}>
              ${SPEEDS.map((each) => html`<option key=${each} value=${each} selected=${each === rate}>${each} ×</option>`)}
            </select>
          </label>
        </div>
        ${beginsAt > 0 && html`<p class="muted small">You were at ${playText(beginsAt)}</p>`}
      </div>
    </div>
  `;
};
