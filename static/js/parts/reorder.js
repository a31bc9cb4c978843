/**
 * Putting a list in order: by dragging a handle with mouse or thumb, or with the arrow keys on it; Escape gives up.
 *
 * Nothing moves while one drags; a line shows where it would land. What happened is said to a screen reader.
 */
import { html, useEffect, useRef, useState } from "../../vendor/vendor.js";
import { Icon } from "./icon.js";

/** @template T @param {T[]} list @param {number} from @param {number} to the place it then has @returns {T[]} */
export const moved = (list, from, to) => {
  const rest = list.toSpliced(from, 1);
  return rest.toSpliced(Math.max(0, Math.min(rest.length, to)), 0, list[from]);
};

/**
 * @param {{list: any[], apply: (list: any[]) => void}} options
 * @returns {{box: any, said: string, mark: (id: number) => string, grip: (item: any) => any, to: (id: number, place: number) => void}}
 *   `box` is the list's ref, `mark` an item's classes, `grip` its handle
 */
export const useReorder = ({ list, apply }) => {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [drag, setDrag] = useState(/** @type {{id: number, place: number} | null} */ (null));
  const [said, setSaid] = useState("");
  const refocus = useRef(/** @type {string | null} */ (null));
  const placeOf = (/** @type {number} */ id) => list.findIndex((each) => each.id === id);
  const to = (/** @type {number} */ id, /** @type {number} */ place) => {
    const from = placeOf(id);
    const target = Math.max(0, Math.min(list.length - 1, place));
    if (from < 0 || target === from) return;
    apply(moved(list, from, target));
    setSaid(`“${list[from].title}” is now ${target + 1} of ${list.length}`);
  };
  useEffect(() => {
    if (refocus.current) document.getElementById(refocus.current)?.focus();
    refocus.current = null;
  });
  const below = (/** @type {number} */ y) => {
    const rows = [...(box.current?.children ?? [])];
    return rows.filter((row) => { const { top, height } = row.getBoundingClientRect(); return y > top + height / 2; }).length;
  };
  const state = useRef({ drag, below, to, placeOf });
  state.current = { drag, below, to, placeOf };
  useEffect(() => {
    if (!drag) return undefined;
    const move = (/** @type {PointerEvent} */ event) => setDrag((now) => now && { ...now, place: state.current.below(event.clientY) });
    const drop = () => {
      const { drag: now } = state.current;
      setDrag(null);
      if (now) state.current.to(now.id, now.place > state.current.placeOf(now.id) ? now.place - 1 : now.place);
    };
    const end = () => setDrag(null);
    const key = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && end();
    addEventListener("pointermove", move);
    addEventListener("pointerup", drop);
    addEventListener("pointercancel", end);
    addEventListener("keydown", key);
    return () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", drop);
      removeEventListener("pointercancel", end);
      removeEventListener("keydown", key);
    };
  }, [drag !== null]);
  const mark = (/** @type {number} */ id) => {
    if (!drag) return "";
    const place = placeOf(id);
    if (id === drag.id) return "dragged";
    if (drag.place === place) return "drop-before";
    return drag.place === list.length && place === list.length - 1 ? "drop-after" : "";
  };
  const grip = (/** @type {any} */ item) => {
    const down = (/** @type {PointerEvent} */ event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      /** @type {HTMLElement} */ (event.currentTarget).focus();
      setDrag({ id: item.id, place: placeOf(item.id) });
    };
    const key = (/** @type {KeyboardEvent} */ event) => {
      /** @type {Record<string, number>} */
      const places = { ArrowUp: placeOf(item.id) - 1, ArrowDown: placeOf(item.id) + 1, Home: 0, End: list.length - 1 };
      if (!(event.key in places)) return;
      event.preventDefault();
      refocus.current = `grip-${item.id}`;
      to(item.id, places[event.key]);
    };
    return html`<button type="button" class="grip" id=${`grip-${item.id}`} aria-label=${`Move ${item.title}, now ${placeOf(item.id) + 1} of ${list.length}; use the arrow keys`} onPointerDown=${down} onKeyDown=${key}><${Icon} name="grip" /></button>`;
  };
  return { box, said, mark, grip, to };
};
