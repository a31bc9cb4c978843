/** What somebody likes while watching, kept in this browser: their speed, their captions. */
import { useEffect, useState } from "../../vendor/vendor.js";
import { SPEEDS } from "../player_keys.js";

const SPEED = "lectern.speed";
const CAPTIONS = "lectern.captions"; // a language, or empty for none

/** @param {string} name @param {string} [value] @returns {string | null} a browser that keeps nothing is as good */
const kept = (name, value) => {
  try {
    if (value !== undefined) localStorage.setItem(name, value);
    return localStorage.getItem(name);
  } catch {
    return null;
  }
};

/** @param {number} [rate] to be kept @returns {number} */
export const keptSpeed = (rate) => {
  const found = Number(kept(SPEED, rate === undefined ? undefined : String(rate)));
  return SPEEDS.includes(found) ? found : 1;
};

/** @param {string} lang to be kept */
export const keptCaptions = (lang) => void kept(CAPTIONS, lang);

/** The captions to show to who wants some: those chosen before, in the browser's language, or the first. @param {{lang: string}[]} tracks @returns {string} */
export const captionsWanted = (tracks) => {
  const spoken = (/** @type {string} */ tag) => tracks.find(({ lang }) => lang === tag) ?? tracks.find(({ lang }) => lang.split("-")[0] === tag.split("-")[0]);
  for (const tag of [kept(CAPTIONS) ?? "", ...navigator.languages]) {
    const found = tag && spoken(tag);
    if (found) return found.lang;
  }
  return tracks[0]?.lang ?? "";
};

/**
 * Which captions are shown. Over a film the browser draws them; of sound alone it draws nothing, so their `words` are ours to show.
 * @param {{current: HTMLMediaElement | null}} media @param {{lang: string}[]} tracks @param {boolean} isVideo
 * @returns {{captions: string, words: string, setCaptions: (lang: string) => void}}
 */
export const useCaptions = (media, tracks, isVideo) => {
  const [captions, setCaptions] = useState(() => (kept(CAPTIONS) ? captionsWanted(tracks) : ""));
  const [words, setWords] = useState("");
  useEffect(() => {
    const heard = [...(media.current?.textTracks ?? [])];
    const shown = heard.find(({ language }) => language === captions);
    for (const each of heard) each.mode = each !== shown ? "disabled" : isVideo ? "showing" : "hidden";
    setWords("");
    if (!shown || isVideo) return undefined;
    const say = () => setWords([...(shown.activeCues ?? [])].map((cue) => /** @type {VTTCue} */ (cue).getCueAsHTML().textContent).join("\n"));
    shown.addEventListener("cuechange", say);
    say();
    return () => shown.removeEventListener("cuechange", say);
  }, [captions, tracks]);
  return { captions: tracks.some(({ lang }) => lang === captions) ? captions : "", words, setCaptions };
};
