/** The keys of the player, over everything; closes on Escape, on its button, and on the key that opened it. */
import { html, useEffect, useRef } from "../../vendor/vendor.js";
import { HELP } from "../player_keys.js";

/** @param {{close: () => void}} props */
export const KeysHelp = ({ close }) => {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => dialog.current?.showModal(), []);
  return html`
    <dialog class="dialog keys-help" ref=${dialog} onClose=${close} aria-labelledby="keys-title" onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "?" && dialog.current?.close()}>
      <form method="dialog" class="stack">
        <h2 id="keys-title">Keys</h2>
        <dl class="keys">
          ${HELP.map(([keys, says]) => html`<div key=${says}><dt>${keys.map((key) => (key === "…" ? " … " : html`<kbd key=${key}>${key}</kbd>`))}</dt><dd>${says}</dd></div>`)}
        </dl>
        <div class="row dialog-do"><button class="button primary" autofocus>Close</button></div>
      </form>
    </dialog>
  `;
};
