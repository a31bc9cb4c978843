/** The room's own line drawings, beside those every page has; decoration only, the words are on the button. */
import { html } from "../../vendor/vendor.js";

/** Strokes on a 24 × 24 grid. @type {Record<string, string>} */
const DRAWINGS = {
  camera: "M3 7.5A1.5 1.5 0 0 1 4.5 6H14a1.5 1.5 0 0 1 1.5 1.5v9A1.5 1.5 0 0 1 14 18H4.5A1.5 1.5 0 0 1 3 16.5ZM15.5 10.5 21 7v10l-5.5-3.5",
  "camera-off": "M3 3l18 18M8 6h6a1.5 1.5 0 0 1 1.5 1.5V11L21 7v10l-2.5-1.6M15.5 16v.5A1.5 1.5 0 0 1 14 18H4.5A1.5 1.5 0 0 1 3 16.5v-9c0-.7.5-1.3 1.1-1.5",
  microphone: "M12 3a3 3 0 0 1 3 3v5a3 3 0 1 1-6 0V6a3 3 0 0 1 3-3ZM5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21M8.5 21h7",
  "microphone-off": "M3 3l18 18M9 9v2a3 3 0 0 0 4.6 2.5M15 10.5V6a3 3 0 0 0-5.8-1M5.5 11a6.5 6.5 0 0 0 10.3 5.3M18.5 11a6.5 6.5 0 0 1-.7 2.9M12 17.5V21M8.5 21h7",
  screen: "M3 5h18v11H3ZM8 20h8M12 16v4M12 13V8.5M9.5 10.5 12 8l2.5 2.5",
  hand: "M8 12.5V6.2a1.3 1.3 0 0 1 2.6 0V11M10.6 11V4.3a1.3 1.3 0 0 1 2.6 0V11M13.2 11V5.3a1.3 1.3 0 0 1 2.6 0V12M15.8 12V8.3a1.3 1.3 0 0 1 2.6 0V14a7 7 0 0 1-7 7c-2.6 0-4.2-1.1-5.5-3.2L3.6 14a1.4 1.4 0 0 1 2.3-1.6L8 15",
  sound: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5ZM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11",
  "sound-off": "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5ZM16 9.5l5 5M21 9.5l-5 5",
  send: "M4 12 20 4.5 15.5 20l-4-6.5ZM11.5 13.5 20 4.5",
  stop: "M6.5 6.5h11v11h-11Z",
};

/** @param {{name: string}} props */
export const RoomIcon = ({ name }) => html`
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d=${DRAWINGS[name]} /></svg>
`;
