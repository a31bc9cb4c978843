/** The captions of a lesson, for its instructor: which there are, one more, one less. */
import { html, useEffect, useRef, useState } from "../../vendor/vendor.js";
import { asApiError } from "../api.js";
import { deleteCaptions, putCaptions } from "../data/content.js";
import { tell, tellFailure } from "../data/toasts.js";
import { Field, FormFault, useForm } from "./form.js";
import { Icon } from "./icon.js";

/** What people are asked for first; any other language has its tag. */
const TAGS = ["en", "de", "fr", "es", "pt", "it", "nl", "pl", "uk", "tr", "ar", "hi", "zh", "ja", "ko"];
const LARGEST_BYTES = 1_048_576;

/** A language by its own name. @param {string} tag @returns {string} */
const nameOf = (tag) => {
  try {
    return new Intl.DisplayNames([tag], { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag;
  }
};

/** @param {{content: import("../data/content.js").Content, close: () => void}} props */
export const CaptionsDialog = ({ content, close }) => {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const [captions, setCaptions] = useState(content.captions ?? []);
  const [reason, setReason] = useState("");
  useEffect(() => dialog.current?.showModal(), []);
  const { busy, error, onSubmit } = useForm(async ({ lang }, form) => {
    const file = /** @type {HTMLInputElement} */ (form.elements.namedItem("file")).files?.[0];
    if (!file) return setReason("Choose a WebVTT file (.vtt) first.");
    if (file.size > LARGEST_BYTES) return setReason("A caption file has at most 1 MB.");
    setReason("");
    setCaptions(await putCaptions(content, lang, nameOf(lang), file));
    tell({ title: `Captions in ${nameOf(lang)} are there` });
    form.reset();
    return undefined;
  });
  const remove = (/** @type {string} */ lang) => deleteCaptions(content, captions, lang).then(setCaptions, (thrown) => tellFailure(asApiError(thrown)));
  return html`
    <dialog class="dialog" ref=${dialog} onClose=${close} aria-labelledby="captions-title">
      <div class="stack">
        <h2 id="captions-title">Captions of “${content.title}”</h2>
        ${captions.length > 0 ? html`
          <ul class="list">${captions.map(({ lang, label }) => html`
            <li class="item captions-item" key=${lang}>
              <div class="item-text"><p class="item-title">${label}</p><p class="muted small">${lang}</p></div>
              <button type="button" class="button icon compact quiet" aria-label=${`Remove the captions in ${label}`} onClick=${() => remove(lang)}><${Icon} name="trash" /></button>
            </li>`)}</ul>` : html`<p class="muted">There are none yet. Captions help who cannot hear, and who learns the language.</p>`}
        <form class="stack" onSubmit=${onSubmit} tabindex="-1">
          <${FormFault} error=${error} />
          <${Field} label="Language" name="lang" required options=${TAGS.map((tag) => [tag, nameOf(tag)])} value=${TAGS[0]} error=${error} />
          <div class="field"><label for="captions-file">Caption file</label><input class="input" id="captions-file" type="file" name="file" accept=".vtt,text/vtt" /><span class="hint">WebVTT, at most 1 MB. An older file in the same language is replaced.</span></div>
          <div role="alert">${reason && html`<p class="notice bad"><${Icon} name="alert" /><span>${reason}</span></p>`}</div>
          <div class="row dialog-do">
            <button class="button" type="button" onClick=${() => dialog.current?.close()}>Close</button>
            <button class="button primary" aria-disabled=${busy}><${Icon} name="upload" />${busy ? "Sending…" : "Upload"}</button>
          </div>
        </form>
      </div>
    </dialog>
  `;
};
