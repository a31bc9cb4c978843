/**
 * What the person was told: the number on the bell, the list, and a toast for what arrives while a page is open.
 *
 * The live connection delivers each notification to every tab, some of them twice after a reconnect; an id already seen is
 * dropped. Only what is news now becomes a toast: an old one that arrives on connecting just counts.
 */
import { signal } from "../../vendor/vendor.js";
import { api } from "../api.js";
import { whenText } from "../format.js";
import { notificationPath } from "../routes.js";
import { live } from "../socket.js";
import { renew, resource } from "./resource.js";
import { tell } from "./toasts.js";

/** @typedef {{id: number, type: string, title: string, body: string, data: Record<string, any>, created_at: string, read_at: string | null}} Notification */

const NEWS_SECONDS = 120;
const SAID = "lectern.said"; // notification ids rise whoever they are for, so one number does for every person of a tab
const SEEN_KEPT = 500; // far more than a reconnect repeats
export const PATH = "/notifications";

export const unread = signal(0);

/** @type {Set<number>} */
const seen = new Set();

/** @param {string} type @returns {string} */
export const iconOf = (type) =>
  type.startsWith("live_session") ? (type === "live_session_started" ? "live" : "calendar")
    : type.startsWith("content") ? "video"
      : type.startsWith("enrollment") ? "people" : "comment";

/** What it is about, and the local hour where there is one. @param {Notification} notification @returns {string} */
export const bodyOf = ({ type, body, data }) =>
  [body, type === "live_session_cancelled" ? "" : whenText(data?.scheduled_at)].filter(Boolean).join(" · ");

export const loadUnread = async () => {
  const answer = await api.get("/notifications/unread-count").catch(() => null);
  if (answer) unread.value = answer.unread ?? answer.count ?? 0;
};

/** @param {Notification} notification */
const arrive = (notification) => {
  live.notificationsAfter(notification.id);
  if (seen.has(notification.id)) return;
  seen.add(notification.id);
  if (seen.size > SEEN_KEPT) seen.delete(/** @type {number} */ (seen.values().next().value));
  if (resource(PATH).state.value.value?.some((/** @type {Notification} */ each) => each.id === notification.id)) return;
  resource(PATH).change((list) => [notification, ...list]);
  void loadUnread();
  const { course_id: courseId } = notification.data ?? {};
  if (courseId) renew(`/courses/${courseId}`);
  if (notification.type.startsWith("enrollment")) renew("/courses/student/my-courses");
  renew("/live-sessions/mine");
  if (notification.read_at || Date.now() - Date.parse(notification.created_at) > NEWS_SECONDS * 1000) return;
  announce(notification);
};

/** What this tab said already is not said again after a reload. @param {number} id @returns {boolean} */
const isSaid = (id) => {
  const said = Number(sessionStorage.getItem(SAID) ?? 0);
  if (id > said) sessionStorage.setItem(SAID, String(id));
  return id <= said;
};

/** @param {Notification} notification */
const announce = (notification) => {
  if (isSaid(notification.id)) return;
  const path = notificationPath(notification);
  if (location.pathname === path) return;
  const isLive = notification.type === "live_session_started";
  tell({
    title: notification.title,
    body: bodyOf(notification),
    icon: iconOf(notification.type),
    tone: isLive ? "live" : undefined,
    stays: isLive,
    action: { label: isLive ? "Join" : "Open", href: path, run: () => void markRead(notification) },
  });
};

/** @param {Notification} notification */
export const markRead = async (notification) => {
  if (notification.read_at) return;
  const read_at = new Date().toISOString();
  resource(PATH).change((list) => list.map((/** @type {Notification} */ each) => (each.id === notification.id ? { ...each, read_at } : each)));
  unread.value = Math.max(0, unread.value - 1);
  await api.patch(`/notifications/${notification.id}/read`).catch(loadUnread);
};

/** Rejects with an ApiError. */
export const markAllRead = async () => {
  await api.post("/notifications/read-all");
  const read_at = new Date().toISOString();
  resource(PATH).change((list) => list.map((/** @type {Notification} */ each) => ({ ...each, read_at: each.read_at ?? read_at })));
  unread.value = 0;
};

/** Once per page load: hear of new ones. */
export const startNotifications = () => live.on("notification", arrive);
