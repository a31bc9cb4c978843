/** The keyboard's place in a part of the page whose buttons come and go: when the one it was on is gone, it stays in that part. */
import { useEffect, useRef } from "../../vendor/vendor.js";

/** Give the answer to the part as its `ref`; what in it can be scrolled (or has `tabindex="0"`) takes the focus over. */
export function useKeptFocus() {
  const part = useRef(/** @type {HTMLElement|null} */ (null));
  useEffect(() => {
    let isInside = false;
    const moved = (/** @type {FocusEvent} */ { target }) => (isInside = target instanceof Node && Boolean(part.current?.contains(target)));
    const touched = () => (isInside = false); // a hand on the page: nobody loses their place by it
    const changed = new MutationObserver(() => {
      if (!isInside || document.activeElement !== document.body) return;
      /** @type {HTMLElement|null|undefined} */ (part.current?.querySelector('[tabindex="0"]'))?.focus({ preventScroll: true });
    });
    document.addEventListener("focusin", moved);
    document.addEventListener("pointerdown", touched);
    if (part.current) changed.observe(part.current, { childList: true, subtree: true });
    return () => {
      changed.disconnect();
      document.removeEventListener("focusin", moved);
      document.removeEventListener("pointerdown", touched);
    };
  }, []);
  return part;
}
