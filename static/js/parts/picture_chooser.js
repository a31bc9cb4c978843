/** Choosing another picture for a course or a lesson; what is certainly wrong is refused before a byte is sent. */
import { html, useState } from "../../vendor/vendor.js";
import { asApiError } from "../api.js";
import { tell, tellFailure } from "../data/toasts.js";
import { pictureRefusal, PICTURE_TYPES } from "../upload_rules.js";
import { Icon } from "./icon.js";

/** @param {{send: (picture: File) => Promise<unknown>}} props */
export const PictureChooser = ({ send }) => {
  const [busy, setBusy] = useState(false);
  const choose = async (/** @type {any} */ event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (!file || busy) return;
    const reason = pictureRefusal(file);
    if (reason) return tell({ title: reason, icon: "alert", tone: "bad" });
    setBusy(true);
    await send(file).then(() => tell({ title: "The picture is changed" }), (error) => tellFailure(asApiError(error)));
    setBusy(false);
  };
  return html`
    <p class="muted">JPEG, PNG, GIF or WebP, at most 5 MB.</p>
    <p><label class="button file-button" aria-disabled=${busy}><${Icon} name="upload" />${busy ? "Sending…" : "Choose a picture"}<input type="file" class="visually-hidden" accept=${PICTURE_TYPES.join(",")} onChange=${choose} /></label></p>
  `;
};
