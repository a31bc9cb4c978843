/** What I was told, newest first. */
import { html, useEffect } from "../../vendor/vendor.js";
import { asApiError } from "../api.js";
import { PATH, bodyOf, iconOf, markAllRead, markRead, unread } from "../data/notifications.js";
import { useResource } from "../data/resource.js";
import { tellFailure } from "../data/toasts.js";
import { agoText, whenText } from "../format.js";
import { Icon } from "../parts/icon.js";
import { More } from "../parts/more.js";
import { Empty, Shown } from "../parts/states.js";
import { setTitle } from "../router.js";
import { notificationPath } from "../routes.js";

/** @param {{notification: import("../data/notifications.js").Notification}} props */
const One = ({ notification }) => {
  const { type, title, created_at: at, read_at: readAt } = notification;
  const body = bodyOf(notification);
  return html`
    <li>
      <a class=${`item linked ${readAt ? "" : "fresh"}`} href=${notificationPath(notification)} onClick=${() => void markRead(notification)}>
        <span class=${`item-mark ${type === "live_session_started" ? "live" : ""}`}><${Icon} name=${iconOf(type)} /></span>
        <span class="item-text">
          <span class="item-title"><span>${title}</span>${!readAt && html`<span class="visually-hidden">, unread</span>`}</span>
          ${body && html`<span class="muted small block">${body}</span>`}
        </span>
        <time class="muted small" dateTime=${at} title=${whenText(at)}>${agoText(at)}</time>
      </a>
    </li>
  `;
};

export const NotificationsView = () => {
  useEffect(() => setTitle("Notifications"), []);
  const told = useResource(PATH);
  return html`
    <div class="narrow stack">
      <div class="page-head">
        <h1>Notifications</h1>
        ${unread.value > 0 && html`<button type="button" class="button compact" onClick=${() => markAllRead().catch((error) => tellFailure(asApiError(error)))}><${Icon} name="check" />Mark all as read</button>`}
      </div>
      <${Shown} of=${told} what="Your notifications" rows=${6}>${(/** @type {any[]} */ list) => list.length
        ? html`<ul class="list">${list.map((each) => html`<${One} notification=${each} key=${each.id} />`)}</ul><${More} of=${told} />`
        : html`<${Empty} icon="bell" title="Nothing yet"><p class="muted">You are told here when a class starts, a lesson appears or somebody answers you.</p><//>`}
      <//>
    </div>
  `;
};
