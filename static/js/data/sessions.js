/** What people do with live sessions outside the room. Each call rejects with an ApiError in words for the page. */
import { api } from "../api.js";
import { renew } from "./resource.js";

export const MINE = "/live-sessions/mine";

/** @typedef {{id: number, course_id: number | null, title: string, description: string, status: "scheduled" | "live" | "ended" | "cancelled",
 *   scheduled_at: string | null, duration_minutes: number | null, started_at: string | null, ended_at: string | null,
 *   host: {id: number, name: string}, participant_count: number, invited_count: number, my_role: string | null, course_title?: string}} LiveSession */

/** @param {LiveSession | {course_id?: number | null}} session */
const changed = (session) => {
  renew(MINE);
  if (session.course_id) renew(`/courses/${session.course_id}`);
};

/** @param {{course_id: number, title: string, description?: string, scheduled_at?: string, duration_minutes?: number, start_now?: boolean}} wanted
 * @returns {Promise<LiveSession>} */
export const createSession = async (wanted) => {
  const session = await api.post("/live-sessions", wanted);
  changed(session);
  return session;
};

/** @param {LiveSession} session @param {Record<string, any>} change */
export const editSession = async (session, change) => {
  await api.patch(`/live-sessions/${session.id}`, change);
  changed(session);
};

/** @param {LiveSession} session @returns {Promise<any>} */
export const startSession = async (session) => {
  const answer = await api.patch(`/live-sessions/${session.id}/start`);
  changed(session);
  return answer;
};

/** @param {LiveSession} session */
export const endSession = async (session) => {
  await api.patch(`/live-sessions/${session.id}/end`);
  changed(session);
};

/** @param {LiveSession} session */
export const cancelSession = async (session) => {
  await api.del(`/live-sessions/${session.id}`);
  changed(session);
};

/** @param {LiveSession[]} list @returns {LiveSession[]} live ones, then those to come, soonest first, then past ones, latest first */
export const inOrder = (list) => {
  const rank = (/** @type {LiveSession} */ each) => ({ live: 0, scheduled: 1, ended: 2, cancelled: 2 })[each.status];
  const at = (/** @type {LiveSession} */ each) => Date.parse(each.started_at ?? each.scheduled_at ?? "9999-01-01T00:00:00Z");
  return [...list].sort((a, b) => rank(a) - rank(b) || (rank(a) === 2 ? at(b) - at(a) : at(a) - at(b)) || a.id - b.id);
};
