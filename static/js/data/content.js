/** What people do with lessons: change, remove, like, discuss. Each call rejects with an ApiError in words for the page. */
import { api } from "../api.js";
import { renew, resource } from "./resource.js";

/** One picture of small ones, counted along its rows; number n shows what begins at n * seconds_per_tile.
 * @typedef {{url: string, columns: number, rows: number, tile_width: number, tile_height: number, seconds_per_tile: number}} SeekPreview */
/** @typedef {{id: number, course_id: number, title: string, description: string, content_type: "video" | "audio", file_url: string | null,
 *   thumbnail_url: string | null, seek_preview?: SeekPreview | null, duration_seconds: number | null, upload_status: "uploading" | "processing" | "completed" | "failed",
 *   error_code: string | null, captions: {lang: string, label: string, url: string | null}[], access_level: "free" | "premium" | "enrolled_only", is_preview: boolean, view_count: number, like_count: number,
 *   comment_count: number, liked: boolean, my_progress: any, processing_stage?: string | null, processing_percent?: number, bytes_received?: number, file_size?: number, file_name?: string}} Content */

export const ACCESS = /** @type {[string, string][]} */ ([
  ["enrolled_only", "Everybody enrolled"],
  ["premium", "Enrolled with premium"],
  ["free", "Anybody signed in"],
]);

/** Why a file could not be made playable, by the server's word for it. @param {string | null} code @returns {string} */
export const failureText = (code) => {
  const known = /** @type {Record<string, string>} */ ({
    cancelled: "The upload was cancelled.",
    codec_not_allowed: "The film or sound in it is stored in a way Lectern does not know. Export it as MP4 or MP3 and upload that.",
    content_mismatch: "What is inside the file is not what its name says. Export it again and upload that.",
    expired: "The upload was not finished in time. Upload it again.",
    internal: "Something went wrong on the server. Try again.",
    lost: "The server was interrupted before it was done. Upload the file again.",
    no_room: "There was no room left on the server. Tell whoever runs it, then try again.",
    too_large: "The file is larger than allowed.",
    too_long: "The recording is longer than allowed. Cut it into parts.",
    too_many_pixels: "The picture is larger than allowed. Export it in a smaller size.",
    too_many_streams: "There is more than one film in this file. Export only the one you mean.",
    truncated: "The file ends too early. Export it again and upload that.",
    unreadable: "The file is damaged or incomplete. Export it again and upload that.",
  });
  return known[code ?? ""] ?? "The file could not be made playable. Export it again, as MP4 for video or MP3 for sound, and upload that.";
};

/** @param {Content} content @param {Record<string, any>} change */
export const editContent = async (content, change) => {
  await api.patch(`/content/${content.id}`, change);
  renew(`/courses/${content.course_id}`);
  renew(`/content/${content.id}`);
};

/** @param {Content} content @param {File} picture */
export const setContentImage = async (content, picture) => {
  const body = new FormData();
  body.append("file", picture, picture.name);
  await api.put(`/content/${content.id}/thumbnail`, body);
  renew(`/courses/${content.course_id}`);
  renew(`/content/${content.id}`);
};

/** Make it playable again from the kept original. @param {Content} content */
export const retryContent = async (content) => {
  await api.post(`/content/${content.id}/retry`);
  renew(`/courses/${content.course_id}`);
  renew(`/content/${content.id}`);
};

/** Orders on their way, by course: the last one wished is the last one sent. @type {Map<number, number[] | null>} */
const ordering = new Map();

/** @param {number} courseId @param {Content[]} list in the wanted order */
export const orderContent = async (courseId, list) => {
  const lessons = resource(`/courses/${courseId}/content`);
  lessons.change(() => list);
  const isOnItsWay = ordering.has(courseId);
  ordering.set(courseId, list.map(({ id }) => id));
  if (isOnItsWay) return;
  try {
    for (let ids = ordering.get(courseId); ids; ids = ordering.get(courseId)) {
      ordering.set(courseId, null);
      await api.put(`/courses/${courseId}/content/order`, { ids });
    }
  } catch (error) {
    void lessons.load();
    throw error;
  } finally {
    ordering.delete(courseId);
  }
};

/** @typedef {{lang: string, label: string, url: string | null}} Captions */

/** @param {Content} content @param {string} lang @param {string} label @param {File} file WebVTT @returns {Promise<Captions[]>} all of the lesson's */
export const putCaptions = async (content, lang, label, file) => {
  const body = new FormData();
  body.append("label", label);
  body.append("file", file, file.name);
  const { captions } = await api.put(`/content/${content.id}/captions/${encodeURIComponent(lang)}`, body);
  captioned(content, captions);
  return captions;
};

/** @param {Content} content @param {Captions[]} captions @param {string} lang @returns {Promise<Captions[]>} what is left */
export const deleteCaptions = async (content, captions, lang) => {
  await api.del(`/content/${content.id}/captions/${encodeURIComponent(lang)}`);
  const left = captions.filter((each) => each.lang !== lang);
  captioned(content, left);
  return left;
};

/** @param {Content} content @param {Captions[]} captions */
const captioned = (content, captions) => {
  resource(`/content/${content.id}`).change((before) => ({ ...before, captions }));
  renew(`/courses/${content.course_id}/content`);
};

/** @param {Content} content */
export const deleteContent = async (content) => {
  await api.del(`/content/${content.id}`);
  resource(`/courses/${content.course_id}/content`).change((list) => list.filter((/** @type {Content} */ each) => each.id !== content.id));
  renew(`/courses/${content.course_id}`);
};

/** @param {number} contentId @param {string | null} reaction null takes it back @returns {Promise<any>} `{liked, like_count, reactions, my_reaction}` */
export const react = async (contentId, reaction) => {
  const answer = await (reaction ? api.put(`/content/${contentId}/like`, { reaction }) : api.del(`/content/${contentId}/like`));
  if (answer) resource(`/content/${contentId}`).change((before) => ({ ...before, ...answer }));
  return answer;
};

/** @param {number} contentId */
export const commentsPath = (contentId) => `/content/${contentId}/comments`;

/** @param {number} contentId @param {{body: string, at_seconds?: number, parent_id?: number}} comment */
export const addComment = async (contentId, comment) => {
  const added = await api.post(commentsPath(contentId), comment);
  resource(commentsPath(contentId)).change((list) => [...list, added]);
  resource(`/content/${contentId}`).change((before) => ({ ...before, comment_count: before.comment_count + 1 }));
};

/** @param {number} contentId @param {number} commentId @param {string} body */
export const editComment = async (contentId, commentId, body) => {
  const changed = await api.patch(`/comments/${commentId}`, { body });
  resource(commentsPath(contentId)).change((list) => list.map((/** @type {any} */ each) => (each.id === commentId ? { ...each, body, ...changed } : each)));
};

/** @param {number} contentId @param {number} commentId */
export const deleteComment = async (contentId, commentId) => {
  await api.del(`/comments/${commentId}`);
  resource(commentsPath(contentId)).change((list) => list.filter((/** @type {any} */ each) => each.id !== commentId && each.parent_id !== commentId));
  renew(`/content/${contentId}`);
};
