/** A button that opens a small list of things to do; closes on Escape, on a choice and on a click elsewhere. */
import { html, useLayoutEffect, useRef, useState } from "../../vendor/vendor.js";

/** @param {{label: any, title?: string, className?: string, children: any}} props title: what it is for, where the label is only a drawing */
export const Menu = ({ label, title, className = "button icon", children }) => {
  const [isOpen, setOpen] = useState(false);
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  useLayoutEffect(() => { // before it is seen: a key pressed at once must count
    if (!isOpen) return undefined;
    const close = (/** @type {Event} */ event) => {
      if (event instanceof KeyboardEvent) {
        if (event.key !== "Escape") return;
        box.current?.querySelector("button")?.focus();
      } else if (event.target instanceof Node && box.current?.contains(event.target)) return;
      setOpen(false);
    };
    box.current?.querySelector(".menu-list")?.scrollIntoView({ block: "nearest" }); // in a scrolled list it would end below its edge
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("keydown", close);
    };
  }, [isOpen]);
  /** Before what was chosen happens: a question it asks gives the focus back to where it was, and its button goes with the menu. */
  const choosing = () => box.current?.querySelector("button")?.focus();
  const chosen = (/** @type {MouseEvent} */ event) => {
    if (event.target instanceof Element && event.target.closest("a, button")) setOpen(false);
  };
  return html`
    <div class="menu" ref=${box} onFocusOut=${(/** @type {FocusEvent} */ event) => {
      if (event.relatedTarget instanceof Node && !box.current?.contains(event.relatedTarget)) setOpen(false);
    }}>
      <button type="button" class=${className} aria-expanded=${isOpen} aria-label=${title} onClick=${() => setOpen(!isOpen)}>${label}</button>
      ${isOpen && html`<div class="menu-list" onClickCapture=${choosing} onClick=${chosen}>${children}</div>`}
    </div>
  `;
};
