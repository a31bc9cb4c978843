/** The line drawings of the pages, by name; decoration only, a button's words or label say what it does. */
import { html } from "../../vendor/vendor.js";

/** Strokes on a 24 × 24 grid. @type {Record<string, string>} */
const DRAWINGS = {
  again: "M19.5 12a7.5 7.5 0 1 1-2.2-5.3M19.5 3.5v4h-4",
  alert: "M12 8v5M12 16.5v.01M10.3 3.9 2.4 18a2 2 0 0 0 1.7 3h15.8a2 2 0 0 0 1.7-3L13.7 3.9a2 2 0 0 0-3.4 0Z",
  audio: "M4 10v4M8 7v10M12 4v16M16 8v8M20 10v4",
  back: "M15 5l-7 7 7 7",
  bell: "M6 10a6 6 0 1 1 12 0c0 5 2 6 2 7H4c0-1 2-2 2-7ZM10 20.5a2.2 2.2 0 0 0 4 0",
  book: "M4 5.5A2.5 2.5 0 0 1 6.5 3H20v15H6.5A2.5 2.5 0 0 0 4 20.5ZM4 20.5A2.5 2.5 0 0 0 6.5 21H20v-3",
  calendar: "M4 6h16v14H4ZM4 10.5h16M8 3v4M16 3v4",
  captions: "M3 5h18v14H3ZM10.5 10.5a2.2 2.2 0 1 0 0 3M17.5 10.5a2.2 2.2 0 1 0 0 3",
  chart: "M4 20V4M4 20h16M8 16v-4M12 16V8M16 16v-6",
  check: "M5 12.5l4.5 4.5L19 7.5",
  clock: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18ZM12 7.5V12l3 2",
  close: "M6 6l12 12M18 6L6 18",
  comment: "M4 5h16v11H9l-5 4Z",
  compass: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18ZM15.5 8.5l-2 5-5 2 2-5Z",
  confused: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18ZM9 10v.01M15 10v.01M8.5 15.5c1-1.5 2.5 1 3.5 0s2.5-1.5 3.5 0",
  down: "M12 5v14M6 13l6 6 6-6",
  door: "M13 4H5v16h8M10 12h11M17.5 8.5 21 12l-3.5 3.5",
  download: "M12 4v11M7.5 11 12 15.5 16.5 11M4 20h16",
  edit: "M4 20l1-4L16.5 4.5a2.1 2.1 0 0 1 3 3L8 19ZM14.5 6.5l3 3",
  full: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  forward: "M9 5l7 7-7 7",
  heart: "M12 20C5 15.5 3 12 3 8.8A4.6 4.6 0 0 1 7.7 4c1.8 0 3.3 1 4.3 2.6C13 5 14.5 4 16.3 4A4.6 4.6 0 0 1 21 8.8C21 12 19 15.5 12 20Z",
  grip: "M9 5v.01M9 12v.01M9 19v.01M15 5v.01M15 12v.01M15 19v.01",
  idea: "M9 18h6M10 21h4M8.5 15c-2-1.3-3-3.2-3-5.3a6.5 6.5 0 0 1 13 0c0 2.1-1 4-3 5.3Z",
  keys: "M3 6h18v12H3ZM7 10v.01M11 10v.01M15 10v.01M8 14h8",
  live: "M12 10a2 2 0 1 1 0 4 2 2 0 0 1 0-4ZM7.8 16.2a6 6 0 0 1 0-8.4M16.2 7.8a6 6 0 0 1 0 8.4M5 19a10 10 0 0 1 0-14M19 5a10 10 0 0 1 0 14",
  lock: "M5 11h14v10H5ZM8 11V7.5a4 4 0 0 1 8 0V11",
  minus: "M5 12h14",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5Z",
  more: "M5 12v.01M12 12v.01M19 12v.01",
  offline: "M3 3l18 18M8.5 15.5a5 5 0 0 1 6-.7M5 12a10 10 0 0 1 4-2.4M19 12a10 10 0 0 0-5.5-2.9M12 19.5v.01",
  pause: "M8 5v14M16 5v14",
  people: "M9 4.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7ZM2.5 20c.5-4 3-6 6.5-6s6 2 6.5 6M16 5a3.3 3.3 0 0 1 0 6.3M18 14.5c2 .8 3.2 2.7 3.5 5.5",
  play: "M7 4.5v15l12.5-7.5Z",
  plus: "M12 5v14M5 12h14",
  search: "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13ZM15.5 15.5 21 21",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4ZM9 14.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4Z",
  shrink: "M9 4v5H4M20 9h-5V4M15 20v-5h5M4 15h5v5",
  silent: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5ZM16 9.5l5 5M21 9.5l-5 5",
  speaker: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5ZM15.5 9a4.5 4.5 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11",
  sun: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8ZM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  system: "M3 5h18v11H3ZM9 20h6M12 16v4",
  thumb: "M7 11v9H4v-9ZM7 11l4-8c1.7 0 2.7 1.2 2.4 2.9L12.8 9H18a2 2 0 0 1 2 2.4l-1.3 7A2 2 0 0 1 16.7 20H7",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  up: "M12 19V5M6 11l6-6 6 6",
  upload: "M12 20V9M7.5 13 12 8.5 16.5 13M4 4h16",
  video: "M3 6h12v12H3ZM15 11l6-3.5v9L15 13",
};

/** @param {{name: string}} props */
export const Icon = ({ name }) => html`
  <svg class=${name === "more" || name === "grip" ? "icon dots" : "icon"} viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d=${DRAWINGS[name] ?? DRAWINGS.more} /></svg>
`;
