/** Changing what a lesson is called, who may play it and the picture it is shown with. */
import { html, useEffect, useRef } from "../../vendor/vendor.js";
import { ACCESS, editContent, setContentImage } from "../data/content.js";
import { tell } from "../data/toasts.js";
import { Field, FormFault, useForm } from "./form.js";
import { PictureChooser } from "./picture_chooser.js";

/** @param {{content: import("../data/content.js").Content, close: () => void}} props */
export const ContentDialog = ({ content, close }) => {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => dialog.current?.showModal(), []);
  const { busy, error, onSubmit } = useForm(async ({ title, description, access_level: level, is_preview: preview }) => {
    await editContent(content, { title, description, access_level: level, is_preview: preview === "on" });
    tell({ title: "Saved" });
    dialog.current?.close();
  });
  return html`
    <dialog class="dialog" ref=${dialog} onClose=${close} aria-labelledby="content-title">
      <form class="stack" onSubmit=${onSubmit} tabindex="-1">
        <h2 id="content-title">Change the lesson</h2>
        <${FormFault} error=${error} />
        <${Field} label="Title" name="title" required maxlength="200" value=${content.title} error=${error} />
        <${Field} label="What it is about" name="description" lines=${3} value=${content.description} error=${error} />
        <${Field} label="Who may play it" name="access_level" required options=${ACCESS} value=${content.access_level} error=${error} />
        <label class="check"><input type="checkbox" name="is_preview" defaultChecked=${content.is_preview} /><span>A preview: anybody signed in may play it before enrolling</span></label>
        ${content.upload_status !== "uploading" && html`
          <section class="stack tight" aria-labelledby="content-picture">
            <h3 id="content-picture">Picture</h3>
            <${PictureChooser} send=${(/** @type {File} */ picture) => setContentImage(content, picture)} />
          </section>`}
        <div class="row dialog-do">
          <button class="button" type="button" onClick=${() => dialog.current?.close()}>Cancel</button>
          <button class="button primary" aria-disabled=${busy}>${busy ? "Saving…" : "Save"}</button>
        </div>
      </form>
    </dialog>
  `;
};
