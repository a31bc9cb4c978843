/** A file for a spreadsheet, which the address bar could not ask for, having no token. */
import { html, useState } from "../../vendor/vendor.js";
import { api, asApiError } from "../api.js";
import { tellFailure } from "../data/toasts.js";
import { Icon } from "./icon.js";

/** @param {{path: string, name: string, word?: string, className?: string}} props name: of the file, without its ending */
export const Download = ({ path, name, word = "Download as CSV", className = "button" }) => {
  const [busy, setBusy] = useState(false);
  const act = async () => {
    if (busy) return;
    setBusy(true);
    try {
      const url = URL.createObjectURL(await api.blob(path));
      const link = document.createElement("a");
      link.href = url;
      link.download = `${name}.csv`.replace(/[\\/:*?"<>|]+/g, " ");
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } catch (error) {
      tellFailure(asApiError(error));
    }
    setBusy(false);
  };
  return html`<button type="button" class=${className} aria-disabled=${busy} onClick=${act}><${Icon} name="download" />${busy ? "Preparing…" : word}</button>`;
};
