/** Choosing files and saying what they are; a wrong one is refused here, before a byte is sent. */
import { html, useRef, useState } from "../../vendor/vendor.js";
import { ACCESS } from "../data/content.js";
import { startUpload } from "../data/uploads.js";
import { sizeText } from "../format.js";
import { HEAD_BYTES, RULES, accepted, refusal, titleFrom } from "../upload_rules.js";
import { Field, FormFault, useForm } from "./form.js";
import { Icon } from "./icon.js";

const MOST_AT_ONCE = 20;

/** @typedef {{name: string, why: string}} Refused */

/** @param {File[]} files @param {"video" | "audio"} kind @returns {Promise<{taken: File[], refused: Refused[]}>} */
const judged = async (files, kind) => {
  /** @type {File[]} */ const taken = [];
  /** @type {Refused[]} */ const refused = files.slice(MOST_AT_ONCE).map(({ name }) => ({ name, why: `At most ${MOST_AT_ONCE} files are taken at once. Choose it when these are on their way.` }));
  for (const file of files.slice(0, MOST_AT_ONCE)) {
    const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer().catch(() => new ArrayBuffer(0)));
    const why = refusal({ name: file.name, size: file.size, head }, kind);
    if (why) refused.push({ name: file.name, why });
    else taken.push(file);
  }
  return { taken, refused };
};

/** @param {{files: File[], kind: "video" | "audio"}} props what the box says */
const Said = ({ files, kind }) => {
  const { limit, names } = RULES[kind];
  if (files.length === 0) {
    return html`<span class="grow"><strong>${kind === "video" ? "Choose a video" : "Choose a sound recording"}</strong><span class="muted small block" id="file-hint">${names}, at most ${sizeText(limit)}. One or several; or drop them here.</span></span>`;
  }
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const [first] = files;
  return html`<span class="grow"><strong class="clip block">${files.length === 1 ? first.name : `${files.length} files`}</strong><span class="muted small">${sizeText(total)} · choose ${files.length === 1 ? "another" : "others"}</span></span>`;
};

/** @param {{kind: "video" | "audio", files: File[], refused: Refused[], choose: (files: File[]) => void}} props */
const Drop = ({ kind, files, refused, choose }) => {
  const [isOver, setOver] = useState(false);
  const over = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    setOver(true);
  };
  const drop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    setOver(false);
    const dropped = [...(event.dataTransfer?.files ?? [])];
    if (dropped.length > 0) choose(dropped);
  };
  const picked = (/** @type {any} */ event) => {
    const chosen = [...event.target.files];
    event.target.value = ""; // so that the same file can be chosen once more
    if (chosen.length > 0) choose(chosen);
  };
  return html`
    <div class="stack tight">
      <label class=${`drop ${isOver ? "over" : ""} ${files.length > 0 ? "chosen" : ""}`} onDragOver=${over} onDragLeave=${() => setOver(false)} onDrop=${drop}>
        <input type="file" multiple class="visually-hidden" aria-describedby="file-hint" accept=${accepted(kind)} onChange=${picked} />
        <span class="way-mark"><${Icon} name=${files.length > 0 ? kind : "upload"} /></span>
        <${Said} files=${files} kind=${kind} />
      </label>
      <div role="alert" class="stack tight">${refused.map(({ name, why }) => html`<p class="notice bad" key=${name}><${Icon} name="alert" /><span>${name && html`<strong>${name}</strong>: `}${why}</span></p>`)}</div>
    </div>
  `;
};

/** @param {{course: any, kind: "video" | "audio"}} props */
export const UploadForm = ({ course, kind }) => {
  const [files, setFiles] = useState(/** @type {File[]} */ ([]));
  const [refused, setRefused] = useState(/** @type {Refused[]} */ ([]));
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const isMany = files.length > 1;
  const choose = async (/** @type {File[]} */ wanted) => {
    const { taken, refused: wrong } = await judged(wanted, kind);
    setRefused(wanted.length === 1 ? wrong.map(({ why }) => ({ name: "", why })) : wrong);
    setFiles(taken);
    const box = /** @type {HTMLInputElement | undefined} */ (form.current?.elements.namedItem("title"));
    if (taken.length === 1 && box && !box.value) box.value = titleFrom(taken[0].name);
  };
  const { busy, error, onSubmit } = useForm(async ({ title, description, access_level: accessLevel, is_preview: preview }, sent) => {
    if (files.length === 0) return setRefused([{ name: "", why: "Choose a file first." }]);
    for (const file of files) {
      await startUpload(file, { courseId: course.id, kind, title: isMany ? titleFrom(file.name) : title, description: isMany ? "" : description, accessLevel, isPreview: preview === "on" });
    }
    setFiles([]);
    setRefused([]);
    sent.reset();
    return undefined;
  });
  return html`
    <form class="stack" ref=${form} onSubmit=${onSubmit} tabindex="-1">
      <${FormFault} error=${error} />
      <${Drop} kind=${kind} files=${files} refused=${refused} choose=${choose} />
      <div class="pair">
        ${isMany
          ? html`<p class="muted small">Each is named after its file: ${files.map(({ name }) => `“${titleFrom(name)}”`).join(", ")}. You can change that afterwards.</p>`
          : html`<${Field} label="Title" name="title" required maxlength="200" error=${error} autocomplete="off" />`}
        <${Field} label=${isMany ? "Who may play them" : "Who may play it"} name="access_level" required options=${ACCESS} value="enrolled_only" error=${error} />
      </div>
      <div class="row apart">
        <button class="button primary" aria-disabled=${busy || files.length === 0}><${Icon} name="upload" />${isMany ? `Upload ${files.length} files` : "Upload"}</button>
        <label class="check"><input type="checkbox" name="is_preview" /><span>Preview for everybody</span></label>
      </div>
      ${!isMany && html`<details><summary>Describe it</summary><${Field} label="What it is about" name="description" lines=${3} error=${error} /></details>`}
    </form>
  `;
};
