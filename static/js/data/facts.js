/**
 * What the live connection says about things pages show: a session that changed, who is here, how processing goes.
 *
 * A fact either carries all that changed and is put in place, or it makes what is being looked at load again. After a
 * reconnect everything looked at loads again, because facts were missed.
 */
import { effect, signal } from "../../vendor/vendor.js";
import { live } from "../socket.js";
import { renew, resource } from "./resource.js";

/** @typedef {{content_id: number, stage: string, percent: number, revision: number}} Processing */

/** How far the server is with each uploaded file. @type {{value: Record<number, Processing>}} */
export const processing = signal(/** @type {Record<number, Processing>} */ ({}));

/** @param {Processing} now steps may arrive out of order; the revision orders them */
const step = (now) => {
  const before = processing.value[now.content_id];
  if (before && before.revision > now.revision) return;
  processing.value = { ...processing.value, [now.content_id]: now };
};

/** @param {Processing} fact */
const settled = (fact) => {
  const { [fact.content_id]: _gone, ...rest } = processing.value;
  processing.value = rest;
  renew("/courses/");
  renew(`/content/${fact.content_id}`);
};

/** @param {any} fact */
const sessionChanged = (fact) => {
  const session = fact.live_session ?? fact;
  renew("/live-sessions/mine");
  renew("/courses/student/my-courses");
  renew("/courses/instructor/my-courses");
  if (session.course_id) renew(`/courses/${session.course_id}`);
  if (session.id) renew(`/live-sessions/${session.id}`);
};

/** @param {{course_id?: number, changes: {user_id: number, online: boolean}[]}} fact */
const presence = ({ course_id: courseId, changes }) => {
  if (!courseId) return;
  const now = new Map(changes.map((each) => [each.user_id, each]));
  resource(rosterPath(courseId)).change((list) =>
    list.map((/** @type {any} */ each) => (now.has(each.user?.id) ? { ...each, online: now.get(each.user.id)?.online } : each)),
  );
};

/** @param {number | string} courseId */
export const rosterPath = (courseId) => `/courses/${courseId}/enrollments?limit=200`;

/** Once per page load. */
export const startFacts = () => {
  live.on("live_session", sessionChanged);
  live.on("presence", presence);
  live.on("content_processing", step);
  live.on("content_ready", settled);
  live.on("content_failed", settled);
  let wasOnline = false;
  effect(() => {
    const now = live.status.value;
    if (now === "online" && wasOnline) renew("/");
    wasOnline ||= now === "online";
  });
};
