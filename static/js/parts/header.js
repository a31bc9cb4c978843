/** The head of every page: where one can go, what is new, who one is. On a phone the ways move to the thumb's edge. */
import { html } from "../../vendor/vendor.js";
import { session } from "../api.js";
import { unread } from "../data/notifications.js";
import { activeUploads } from "../data/uploads.js";
import { route } from "../router.js";
import { AccountMenu } from "./account_menu.js";
import { Icon } from "./icon.js";

/** @typedef {{href: string, word: string, short: string, icon: string, pages: string[]}} Way */

/** @returns {Way[]} */
const ways = () => [
  { href: "/app/courses", word: "My courses", short: "Courses", icon: "book", pages: ["courses", "course", "course_new", "player"] },
  { href: "/app/sessions", word: "Live sessions", short: "Live", icon: "live", pages: ["sessions", "attendance"] },
  ...(session.value?.role === "student" ? [] : [{ href: "/app/manage", word: "Manage sessions", short: "Manage", icon: "calendar", pages: ["manage"] }]),
  { href: "/app/catalog", word: "Catalog", short: "Catalog", icon: "compass", pages: ["catalog"] },
];

/** @param {{className: string, label: string, isShort?: boolean}} props */
export const Ways = ({ className, label, isShort = false }) => html`
  <nav class=${className} aria-label=${label}>
    ${ways().map(({ href, word, short, icon, pages }) => html`
      <a href=${href} key=${href} aria-current=${pages.includes(route.value.page) ? "page" : undefined}>
        <${Icon} name=${icon} /><span>${isShort ? short : word}</span>
      </a>`)}
  </nav>
`;

const Bell = () => {
  const count = unread.value;
  const shown = count > 99 ? "99+" : String(count);
  return html`
    <a class="bell button icon quiet" href="/app/notifications" aria-label=${count ? `Notifications, ${count} unread` : "Notifications"}
      aria-current=${route.value.page === "notifications" ? "page" : undefined}>
      <${Icon} name="bell" />${count > 0 && html`<span class="bell-count" aria-hidden="true">${shown}</span>`}
    </a>
  `;
};

const Uploading = () => {
  const running = activeUploads.value;
  if (running.length === 0 || route.value.page === "manage") return null;
  const sent = running.reduce((sum, each) => sum + each.sent, 0);
  const total = running.reduce((sum, each) => sum + each.total, 0);
  return html`
    <a class="badge accent uploading" href=${`/app/manage/${running[0].courseId}/${running[0].kind}`}>
      <${Icon} name="upload" />Uploading ${Math.floor((100 * sent) / Math.max(1, total))} %
    </a>`;
};

export const Brand = () => html`
  <a class="brand" href="/app/courses" aria-label="Lectern, my courses">
    <img src="/static/icon.svg" alt="" width="28" height="28" /><span>Lectern</span>
  </a>
`;

export const Header = () => html`
  <header class="header">
    <${Brand} />
    <${Ways} className="ways" label="Main" />
    <div class="header-end">
      <${Uploading} />
      <${Bell} />
      <${AccountMenu} />
    </div>
  </header>
`;
