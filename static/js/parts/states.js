/**
 * What a page shows when it has nothing to show: still loading, empty, failed.
 *
 * Placeholders take the room of what will come, so that nothing jumps when it does.
 */
import { html } from "../../vendor/vendor.js";
import { Icon } from "./icon.js";

/** @param {{rows?: number, kind?: "row" | "card" | "line"}} props */
export const Loading = ({ rows = 4, kind = "row" }) => html`
  <div class=${`skeletons of-${kind}`} role="status">
    <span class="visually-hidden">Loading</span>
    ${Array.from({ length: rows }, (_, at) => html`<div class=${`skeleton a-${kind}`} key=${at} aria-hidden="true"></div>`)}
  </div>
`;

/** @param {{icon: string, title: string, children?: any}} props a sentence, and what to do about it */
export const Empty = ({ icon, title, children }) => html`
  <div class="empty">
    <span class="empty-mark"><${Icon} name=${icon} /></span>
    <p class="empty-title">${title}</p>
    ${children && html`<div class="stack tight">${children}</div>`}
  </div>
`;

/** @param {{error: import("../api_error.js").ApiError | null, retry?: () => void, what?: string}} props */
export const Failed = ({ error, retry, what = "This" }) => html`
  <div class="empty" role="alert">
    <span class="empty-mark bad"><${Icon} name=${error?.status === 0 ? "offline" : "alert"} /></span>
    <p class="empty-title">${error?.status === 404 ? `${what} is not here` : `${what} could not be shown`}</p>
    <p class="muted">${error?.status === 404 ? "It may have been removed, or it is not open to you." : error?.detail}</p>
    ${retry && error?.status !== 404 && error?.status !== 403 && html`<button class="button" type="button" onClick=${retry}>Try again</button>`}
    ${!(retry && error?.status !== 404 && error?.status !== 403) && html`<a class="button" href="/app/courses">Go to my courses</a>`}
  </div>
`;

/**
 * The three states of a resource in one place.
 * @param {{of: any, what?: string, rows?: number, kind?: "row" | "card" | "line", children: (value: any) => any}} props
 */
export const Shown = ({ of, what, rows, kind, children }) => {
  if (of.status === "failed") return html`<${Failed} error=${of.error} what=${what} retry=${() => of.resource.retry()} />`;
  if (of.value === undefined) return html`<${Loading} rows=${rows} kind=${kind} />`;
  return children(of.value);
};
