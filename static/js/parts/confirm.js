/** A question before something that cannot be taken back; a promise of the answer, so that callers read top to bottom. */
import { html, signal, useEffect, useRef } from "../../vendor/vendor.js";

/** @typedef {{title: string, body?: string, yes: string, no?: string, answer: (sure: boolean) => void}} Question */

const asked = signal(/** @type {Question | null} */ (null));

/** @param {Omit<Question, "answer">} question @returns {Promise<boolean>} */
export const confirmed = (question) =>
  new Promise((resolve) => {
    asked.value?.answer(false);
    asked.value = { ...question, answer: resolve };
  });

/** Drawn once by the shell. */
export const ConfirmDialog = () => {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const question = asked.value;
  useEffect(() => {
    if (question) dialog.current?.showModal();
  }, [question]);
  if (!question) return null;
  const close = () => {
    question.answer(dialog.current?.returnValue === "yes");
    asked.value = null;
  };
  return html`
    <dialog class="dialog" ref=${dialog} onClose=${close} aria-labelledby="confirm-title">
      <form method="dialog" class="stack">
        <h2 id="confirm-title">${question.title}</h2>
        ${question.body && html`<p class="muted">${question.body}</p>`}
        <div class="row dialog-do">
          <button class="button" value="no" autofocus>${question.no ?? "Go back"}</button>
          <button class="button live" value="yes">${question.yes}</button>
        </div>
      </form>
    </dialog>
  `;
};
