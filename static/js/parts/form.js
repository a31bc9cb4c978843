/**
 * Forms: one way to label a field, to say what is wrong with it, and to wait for the answer.
 *
 * Fields are the browser's own; what was typed is read when the form is sent, so nothing is lost by drawing again.
 */
import { html, useId, useRef, useState } from "../../vendor/vendor.js";
import { asApiError } from "../api.js";
import { Icon } from "./icon.js";

/**
 * Sends once at a time and keeps what went wrong.
 * @param {(values: Record<string, string>, form: HTMLFormElement) => Promise<unknown>} submit
 */
export const useForm = (submit) => {
  const [state, setState] = useState(/** @type {{busy: boolean, error: import("../api_error.js").ApiError | null}} */ ({ busy: false, error: null }));
  const busy = useRef(false);
  const onSubmit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (busy.current) return;
    busy.current = true;
    setState({ busy: true, error: null });
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const values = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, typeof value === "string" ? value.trim() : ""]));
    try {
      await submit(values, form);
      setState({ busy: false, error: null });
    } catch (thrown) {
      setState({ busy: false, error: asApiError(thrown) });
      const wrong = /** @type {HTMLElement | undefined} */ ([...form.elements].find((each) => each instanceof HTMLElement && asApiError(thrown).about(each.getAttribute("name") ?? "")));
      (wrong ?? form).focus();
    } finally {
      busy.current = false;
    }
  };
  return { ...state, onSubmit };
};

/** The server says "needs a date"; the page says "Starts needs a date." @param {string} label @param {string | undefined} fault */
const sentence = (label, fault) => fault && (/^[a-z]/.test(fault) ? `${label} ${fault}` : fault).replace(/[^.!?]$/, "$&.");

/**
 * @param {{label: string, name: string, type?: string, value?: any, hint?: any, error?: import("../api_error.js").ApiError | null,
 *   lines?: number, options?: [string, string][], [attribute: string]: any}} props
 */
export const Field = ({ label, name, type = "text", value, hint, error, lines, options, ...rest }) => {
  const id = useId();
  const fault = sentence(label, error?.about(name));
  const shared = {
    id, name, class: "input", "aria-invalid": fault ? "true" : undefined,
    "aria-describedby": fault ? `${id}-fault` : hint ? `${id}-hint` : undefined, ...rest,
  };
  const box = options
    ? html`<select ...${shared}>${options.map(([key, word]) => html`<option value=${key} key=${key} selected=${key === value}>${word}</option>`)}</select>`
    : lines
      ? html`<textarea ...${shared} rows=${lines} defaultValue=${value ?? ""}></textarea>`
      : html`<input ...${shared} type=${type} defaultValue=${value ?? ""} />`;
  return html`
    <div class="field">
      <label for=${id}>${label}${rest.required ? "" : html` <span class="optional">optional</span>`}</label>
      ${box}
      ${fault ? html`<p class="fault" id=${`${id}-fault`}>${fault}</p>` : hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    </div>
  `;
};

/** What is wrong with the whole form; faults of single fields stand at the fields. @param {{error: import("../api_error.js").ApiError | null}} props */
export const FormFault = ({ error }) => html`
  <div role="alert">${error && html`<p class="notice bad"><${Icon} name="alert" /><span>${error.detail}</span></p>`}</div>
`;
