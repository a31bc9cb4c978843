/** The player's controls: play, time, sound, speed, captions, the whole screen, the keys. */
import { html } from "../../vendor/vendor.js";
import { playText } from "../format.js";
import { SPEEDS } from "../player_keys.js";
import { Icon } from "./icon.js";

/**
 * @param {{view: {position: number, isPlaying: boolean, isMuted: boolean, volume: number, rate: number, captions: string, isFull: boolean}, duration: number,
 *   tracks: {lang: string, label: string}[], isVideo: boolean, act: (wish: any) => void, setVolume: (volume: number) => void,
 *   setRate: (rate: number) => void, setCaptions: (lang: string) => void}} props
 */
export const PlayerBar = ({ view, duration, tracks, isVideo, act, setVolume, setRate, setCaptions }) => html`
  <div class="player-bar" role="group" aria-label="Player">
    <button type="button" class="button icon compact quiet" aria-label=${view.isPlaying ? "Pause" : "Play"} onClick=${() => act({ what: "toggle" })}><${Icon} name=${view.isPlaying ? "pause" : "play"} /></button>
    <button type="button" class="button compact quiet skip-by" aria-label="10 seconds back" onClick=${() => act({ what: "skip", by: -10 })}>−10</button>
    <button type="button" class="button compact quiet skip-by" aria-label="10 seconds on" onClick=${() => act({ what: "skip", by: 10 })}>+10</button>
    <span class="figures small player-time">${playText(view.position)} <span class="muted">/ ${playText(duration)}</span></span>
    <span class="grow"></span>
    <button type="button" class="button icon compact quiet" aria-label=${view.isMuted ? "Sound on" : "Sound off"} onClick=${() => act({ what: "mute" })}><${Icon} name=${view.isMuted || view.volume === 0 ? "silent" : "speaker"} /></button>
    <input type="range" class="player-volume" aria-label="Volume" min="0" max="1" step="0.05" value=${view.isMuted ? 0 : view.volume} onInput=${(/** @type {any} */ event) => setVolume(Number(event.target.value))} />
    <label class="speed"><span class="visually-hidden">Speed</span>
      <select class="input" value=${view.rate} onChange=${(/** @type {any} */ event) => setRate(Number(event.target.value))}>
        ${SPEEDS.map((each) => html`<option key=${each} value=${each} selected=${each === view.rate}>${each} ×</option>`)}
      </select>
    </label>
    ${tracks.length > 0 && html`
      <label class="speed captions-choice"><span class="visually-hidden">Captions</span>
        <span class="captions-mark" data-on=${view.captions !== ""} aria-hidden="true">CC</span>
        <select class="input" value=${view.captions} onChange=${(/** @type {any} */ event) => setCaptions(event.target.value)}>
          <option value="" selected=${view.captions === ""}>CC off</option>
          ${tracks.map(({ lang, label }) => html`<option key=${lang} value=${lang} selected=${lang === view.captions}>${label}</option>`)}
        </select>
      </label>`}
    <button type="button" class="button icon compact quiet keys-button" aria-label="Keys" onClick=${() => act({ what: "help" })}><${Icon} name="keys" /></button>
    ${isVideo && html`<button type="button" class="button icon compact quiet" aria-label=${view.isFull ? "Leave the full screen" : "Fill the screen"} onClick=${() => act({ what: "full" })}><${Icon} name=${view.isFull ? "shrink" : "full"} /></button>`}
  </div>
`;
