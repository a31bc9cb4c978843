/**
 * A recording being played: from where one left off on whatever device, at one's own speed, by mouse, thumb or keyboard.
 *
 * The controls are our own, because the browser's know neither what was seen, nor small pictures, nor what comes next;
 * everything they do is said to a screen reader as well.
 */
import { html, useEffect, useMemo, useRef, useState } from "../../vendor/vendor.js";
import { WatchReport, freshAddress } from "../data/watching.js";
import { playText } from "../format.js";
import { speedFrom, wishOf } from "../player_keys.js";
import { Icon } from "./icon.js";
import { KeysHelp } from "./keys_help.js";
import { NextLesson, goesOn } from "./next_lesson.js";
import { PlayerBar } from "./player_bar.js";
import { SeekLine } from "./seek_line.js";
import { captionsWanted, keptCaptions, keptSpeed, useCaptions } from "./watching_habits.js";

const NEAR_END_SECONDS = 5; // who stopped this near the end starts anew
const RENEW_MS = 10_000; // an address that fails again sooner than this is not the address's fault

/** @param {number} position @param {number | null} duration */
const startingPoint = (position, duration) => (duration !== null && position > duration - NEAR_END_SECONDS ? 0 : position);

/** @param {HTMLMediaElement} media */
const bufferedTo = ({ buffered, currentTime }) => {
  for (let n = 0; n < buffered.length; n++) if (buffered.start(n) <= currentTime + 0.5 && buffered.end(n) >= currentTime) return buffered.end(n);
  return 0;
};

/** @param {{content: any, comments: any[], media: {current: HTMLMediaElement | null}, next: any}} props */
export const MediaPlayer = ({ content, comments, media, next }) => {
  const [source] = useState(() => ({ url: content.file_url, renewedAt: 0 }));
  const [beginsAt, setBeginsAt] = useState(() => startingPoint(content.my_progress?.position_seconds ?? 0, content.duration_seconds));
  const [view, setView] = useState({ position: beginsAt, buffered: 0, isPlaying: false, isMuted: false, volume: 1, rate: keptSpeed(), isFull: false, hasBegun: false });
  const [fault, setFault] = useState("");
  const [said, setSaid] = useState("");
  const [isHelping, setHelping] = useState(false);
  const [isOver, setOver] = useState(false);
  const stage = useRef(/** @type {HTMLElement | null} */ (null));
  const report = useRef(/** @type {WatchReport | null} */ (null));
  report.current ??= new WatchReport(content);
  const isVideo = content.content_type === "video";
  const duration = content.duration_seconds ?? 0;
  const tracks = useMemo(() => content.captions ?? [], [JSON.stringify((content.captions ?? []).map((/** @type {any} */ each) => [each.lang, each.label, each.url?.split("?")[0]]))]);
  const { captions, words, setCaptions } = useCaptions(media, tracks, isVideo);
  const here = () => /** @type {HTMLMediaElement} */ (media.current);
  const look = () => {
    const { currentTime, paused, ended, muted, volume, playbackRate } = here();
    setView((before) => ({
      position: currentTime, buffered: bufferedTo(here()), isPlaying: !paused && !ended, isMuted: muted, volume, rate: playbackRate,
      isFull: document.fullscreenElement !== null, hasBegun: before.hasBegun || !paused,
    }));
  };

  const play = () => here().play().catch((error) => error.name === "NotAllowedError" && setSaid("Press play to begin"));
  const seek = (/** @type {number} */ at) => {
    here().currentTime = Math.max(0, Math.min(duration || here().duration || 0, at));
    setOver(false);
    look();
  };
  const setRate = (/** @type {number} */ rate) => {
    here().playbackRate = rate;
    keptSpeed(rate);
    setSaid(`Speed ${rate}`);
  };
  const chooseCaptions = (/** @type {string} */ lang) => {
    keptCaptions(lang);
    setCaptions(lang);
    setSaid(lang ? `Captions: ${tracks.find((/** @type {any} */ each) => each.lang === lang)?.label}` : "Captions off");
  };
  const full = () => {
    const screen = /** @type {any} */ (media.current);
    if (document.fullscreenElement) void document.exitFullscreen();
    else if (stage.current?.requestFullscreen) stage.current.requestFullscreen().catch(() => undefined);
    else screen.webkitEnterFullscreen?.(); // phones that fill the screen with films alone
  };
  /** @param {any} wish see player_keys.js */
  const act = (wish) => {
    const { paused, muted, volume, currentTime, playbackRate } = here();
    if (wish.what === "toggle") {
      if (paused) void play();
      else here().pause();
      setSaid(paused ? "Playing" : `Paused at ${playText(currentTime)}`);
    } else if (wish.what === "skip" || wish.what === "to") {
      const at = Math.max(0, Math.min(duration, wish.what === "to" ? wish.part * duration : currentTime + wish.by));
      seek(at);
      setSaid(playText(at));
    } else if (wish.what === "faster") setRate(speedFrom(playbackRate, wish.by));
    else if (wish.what === "mute") {
      here().muted = !muted;
      setSaid(muted ? "Sound on" : "Sound off");
    } else if (wish.what === "louder") {
      here().volume = Math.max(0, Math.min(1, volume + wish.by));
      setSaid(`Volume ${Math.round(100 * here().volume)} %`);
    } else if (wish.what === "captions") {
      if (tracks.length > 0) chooseCaptions(captions ? "" : captionsWanted(tracks));
      else setSaid("This lesson has no captions");
    } else if (wish.what === "full") isVideo && full();
    else if (wish.what === "help") setHelping((before) => !before);
  };
  const latest = useRef(act);
  latest.current = act;

  useEffect(() => {
    const keys = (/** @type {KeyboardEvent} */ event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      if (event.ctrlKey || event.metaKey || event.altKey || !media.current) return;
      if (target.closest("input:not([type=range]):not([type=checkbox]), textarea, dialog, [contenteditable]")) return;
      const wish = wishOf(event.key, target.closest("button, a, summary, select, input, [role=menuitem]") !== null);
      if (!wish || (target.closest("select") && event.key.length === 1)) return;
      event.preventDefault();
      latest.current(wish);
    };
    const leaving = () => document.visibilityState === "hidden" && void report.current?.send();
    const filled = () => media.current && look();
    document.addEventListener("keydown", keys);
    document.addEventListener("visibilitychange", leaving);
    document.addEventListener("fullscreenchange", filled);
    if (goesOn.value === content.id) void play();
    goesOn.value = null;
    return () => {
      document.removeEventListener("keydown", keys);
      document.removeEventListener("visibilitychange", leaving);
      document.removeEventListener("fullscreenchange", filled);
      void report.current?.send();
    };
  }, []);
  useEffect(() => {
    // What this tab remembered was older than what another device has told meanwhile.
    const at = startingPoint(content.my_progress?.position_seconds ?? 0, content.duration_seconds);
    if (view.hasBegun || !report.current?.heard(content.my_progress) || at === beginsAt) return;
    setBeginsAt(at);
    if (here().readyState > 0) seek(at);
  }, [content.my_progress?.revision]);

  const ready = () => {
    if (source.renewedAt === 0 && beginsAt > 0) here().currentTime = beginsAt;
    here().playbackRate = view.rate;
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
  const tick = () => {
    report.current?.at(here().currentTime, here().playbackRate, !here().paused && !here().seeking);
    look();
  };
  const rest = () => {
    report.current?.rest(here().currentTime, here().playbackRate);
    look();
  };
  const ended = () => {
    rest();
    setOver(true);
    setSaid(next ? `The end. Next: ${next.title}` : "The end");
  };
  const begin = () => {
    report.current?.begin(here().currentTime);
    setOver(false);
    look();
  };
  const Tag = content.content_type;
  return html`
    <section class="player" ref=${stage} aria-label=${`Player: ${content.title}`}>
      <div class=${`player-stage ${Tag}`}>
        ${!isVideo && html`<span class="player-wave" aria-hidden="true"><${Icon} name="audio" /></span>`}
        <${Tag} ref=${media} src=${source.url} poster=${isVideo ? content.thumbnail_url ?? undefined : undefined} playsinline preload="metadata"
          aria-label=${content.title} onClick=${() => isVideo && act({ what: "toggle" })} onLoadedMetadata=${ready} onError=${failed} onTimeUpdate=${tick}
          onPlaying=${begin} onPause=${rest} onEnded=${ended} onSeeked=${() => report.current?.cut(here().currentTime)}
          onRateChange=${look} onVolumeChange=${look} onProgress=${look}>
          ${tracks.filter((/** @type {any} */ each) => each.url).map((/** @type {any} */ each) => html`<track key=${each.lang + each.url.split("?")[0]} kind="captions" srclang=${each.lang} label=${each.label} src=${each.url} />`)}
        <//>
        ${words && html`<p class="player-words">${words}</p>`}
        ${!view.hasBegun && isVideo && html`<button type="button" class="player-start" aria-label=${beginsAt > 0 ? `Go on at ${playText(beginsAt)}` : "Begin"} onClick=${() => act({ what: "toggle" })}><${Icon} name="play" /></button>`}
        ${isOver && next && html`<${NextLesson} lesson=${next} stay=${() => setOver(false)} key=${next.id} />`}
        <div role="alert" class="player-fault">${fault && html`<p class="notice bad"><${Icon} name="alert" /><span>${fault}</span></p>`}</div>
      </div>
      ${duration > 0 && html`<${SeekLine} duration=${duration} position=${view.position} buffered=${view.buffered} watched=${content.my_progress?.watched ?? []} preview=${content.seek_preview}
        comments=${comments.filter(({ at_seconds: at }) => typeof at === "number" && at <= duration)} seek=${seek} />`}
      <${PlayerBar} view=${{ ...view, captions }} duration=${duration} tracks=${tracks} isVideo=${isVideo} act=${act} setRate=${setRate} setCaptions=${chooseCaptions}
        setVolume=${(/** @type {number} */ volume) => { here().volume = volume; here().muted = volume === 0; }} />
      <p class="visually-hidden" role="status">${said}</p>
      ${isHelping && html`<${KeysHelp} close=${() => setHelping(false)} />`}
    </section>
  `;
};
