/** Choosing a file and saying what it is; a wrong one is refused here, before a byte is sent. */
import { html, useRef, useState } from "../../vendor/vendor.js";
import { ACCESS } from "../data/content.js";
import { startUpload } from "../data/uploads.js";
import { sizeText } from "../format.js";
import { HEAD_BYTES, RULES, accepted, refusal, titleFrom } from "../upload_rules.js";
import { Field, FormFault, useForm } from "./form.js";
import { Icon } from "./icon.js";

/** @param {{kind: "video" | "audio", file: File | null, reason: string, choose: (file: File) => void}} props */
const Drop = ({ kind, file, reason, choose }) => {
  const [isOver, setOver] = useState(false);
  const { limit, names } = RULES[kind];
  const over = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    setOver(true);
  };
  const drop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    setOver(false);
    const dropped = event.dataTransfer?.files[0];
    if (dropped) choose(dropped);
  };
  return html`
    <div class="stack tight">
      <label class=${`drop ${isOver ? "over" : ""} ${file ? "chosen" : ""}`} onDragOver=${over} onDragLeave=${() => setOver(false)} onDrop=${drop}>
        <input type="file" class="visually-hidden" aria-describedby="file-hint" accept=${accepted(kind)} onChange=${(/** @type {any} */ event) => event.target.files[0] && choose(event.target.files[0])} />
        <span class="way-mark"><${Icon} name=${file ? kind : "upload"} /></span>
        ${file
          ? html`<span class="grow"><strong class="clip block">${file.name}</strong><span class="muted small">${sizeText(file.size)} · choose another</span></span>`
          : html`<span class="grow"><strong>${kind === "video" ? "Choose a video" : "Choose a sound recording"}</strong><span class="muted small block" id="file-hint">${names}, at most ${sizeText(limit)}. Or drop it here.</span></span>`}
      </label>
      <div role="alert">${reason && html`<p class="notice bad"><${Icon} name="alert" /><span>${reason}</span></p>`}</div>
    </div>
  `;
};

/** @param {{course: any, kind: "video" | "audio"}} props */
export const UploadForm = ({ course, kind }) => {
  const [file, setFile] = useState(/** @type {File | null} */ (null));
  const [reason, setReason] = useState("");
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const choose = async (/** @type {File} */ wanted) => {
    const head = new Uint8Array(await wanted.slice(0, HEAD_BYTES).arrayBuffer().catch(() => new ArrayBuffer(0)));
    const why = refusal({ name: wanted.name, size: wanted.size, head }, kind);
    setReason(why ?? "");
    setFile(why ? null : wanted);
    const box = /** @type {HTMLInputElement | undefined} */ (form.current?.elements.namedItem("title"));
    if (!why && box && !box.value) box.value = titleFrom(wanted.name);
  };
  const { busy, error, onSubmit } = useForm(async ({ title, description, access_level: accessLevel, is_preview: preview }, sent) => {
    if (!file) return setReason("Choose a file first.");
    startUpload(file, { courseId: course.id, kind, title, description, accessLevel, isPreview: preview === "on" });
    setFile(null);
    sent.reset();
    return undefined;
  });
  return html`
    <form class="stack" ref=${form} onSubmit=${onSubmit} tabindex="-1">
      <${FormFault} error=${error} />
      <${Drop} kind=${kind} file=${file} reason=${reason} choose=${choose} />
      <div class="pair">
        <${Field} label="Title" name="title" required maxlength="200" error=${error} autocomplete="off" />
        <${Field} label="Who may play it" name="access_level" required options=${ACCESS} value="enrolled_only" error=${error} />
      </div>
      <div class="row apart">
        <button class="button primary" aria-disabled=${busy || !file}><${Icon} name="upload" />Upload</button>
        <label class="check"><input type="checkbox" name="is_preview" /><span>Preview for everybody</span></label>
      </div>
      <details><summary>Describe it</summary><${Field} label="What it is about" name="description" lines=${3} error=${error} /></details>
    </form>
  `;
};
