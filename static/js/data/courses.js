/** What people do with courses and with who belongs to them. Each call rejects with an ApiError in words for the page. */
import { api } from "../api.js";
import { rosterPath } from "./facts.js";
import { renew, resource } from "./resource.js";

export const MINE = "/courses/student/my-courses";
export const TAUGHT = "/courses/instructor/my-courses";

/** @param {string} query @param {string} [category] @returns {string} */
export const catalogPath = (query, category = "") => {
  const asked = new URLSearchParams();
  if (query) asked.set("query", query);
  if (category) asked.set("category", category);
  return `/courses${asked.size ? `?${asked}` : ""}`;
};

/** @param {number} courseId */
const changed = (courseId) => {
  renew(`/courses/${courseId}`);
  renew(MINE);
  renew(TAUGHT);
};

/** @param {{title: string, description: string, category: string, status: string}} wanted @returns {Promise<any>} the course */
export const createCourse = async (wanted) => {
  const course = await api.post("/courses", wanted);
  renew(TAUGHT);
  return course;
};

/** @param {number} courseId @param {Record<string, any>} change */
export const editCourse = async (courseId, change) => {
  const course = await api.patch(`/courses/${courseId}`, change);
  resource(`/courses/${courseId}`).change((before) => ({ ...before, ...course }));
  changed(courseId);
};

/** @param {number} courseId @param {File} image */
export const setCourseImage = async (courseId, image) => {
  const body = new FormData();
  body.append("file", image, image.name);
  await api.put(`/courses/${courseId}/thumbnail`, body);
  changed(courseId);
};

/** @param {number} courseId */
export const archiveCourse = async (courseId) => {
  await api.del(`/courses/${courseId}`);
  changed(courseId);
};

/** @param {number} courseId */
export const enroll = async (courseId) => {
  await api.post(`/courses/${courseId}/enroll`);
  renew("/courses");
};

/** @param {number} courseId */
export const leave = async (courseId) => {
  await api.del(`/courses/${courseId}/enroll`);
  renew("/courses");
};

/** @param {number} courseId @param {string[]} emails @returns {Promise<any[]>} an answer per address */
export const addPeople = async (courseId, emails) => {
  const answer = await api.post(`/courses/${courseId}/enrollments`, { emails });
  changed(courseId);
  return Array.isArray(answer) ? answer : answer.results ?? answer.enrollments ?? [];
};

/** @param {number} courseId @param {number} userId @param {"standard" | "premium"} tier */
export const changeTier = async (courseId, userId, tier) => {
  await api.patch(`/courses/${courseId}/enrollments/${userId}`, { tier });
  resource(rosterPath(courseId)).change((list) => list.map((/** @type {any} */ each) => (each.user?.id === userId ? { ...each, tier } : each)));
};

/** @param {number} courseId @param {number} userId */
export const revoke = async (courseId, userId) => {
  await api.del(`/courses/${courseId}/enrollments/${userId}`);
  changed(courseId);
};
