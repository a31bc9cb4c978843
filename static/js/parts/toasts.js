/** Where short messages appear; polite to screen readers, out of the way of the page's main action. */
import { html } from "../../vendor/vendor.js";
import { dismiss, toasts } from "../data/toasts.js";
import { Icon } from "./icon.js";

/** @param {{toast: import("../data/toasts.js").Toast}} props */
const One = ({ toast: { key, title, body, icon = "check", tone = "", action } }) => {
  const act = () => {
    action?.run?.();
    dismiss(key);
  };
  return html`
    <li class=${`toast ${tone}`}>
      <span class="toast-mark"><${Icon} name=${icon} /></span>
      <div class="grow"><p class="toast-title">${title}</p>${body && html`<p class="muted small">${body}</p>`}</div>
      ${action && (action.href
        ? html`<a class=${`button compact ${tone === "live" ? "live" : ""}`} href=${action.href} onClick=${act}>${action.label}</a>`
        : html`<button class="button compact" type="button" onClick=${act}>${action.label}</button>`)}
      <button class="button icon compact quiet" type="button" aria-label="Dismiss" onClick=${() => dismiss(key)}><${Icon} name="close" /></button>
    </li>
  `;
};

export const Toasts = () => html`
  <div class="toasts" role="region" aria-label="Messages" aria-live="polite" aria-relevant="additions">
    <ol class="toast-list">
      ${toasts.value.map((toast) => html`<${One} toast=${toast} key=${toast.key} />`)}
    </ol>
  </div>
`;
