/**
 * Tells the server where somebody is in a recording and what they have seen, so that any device goes on there.
 *
 * Every few seconds while playing, at every pause and jump, and once more when the page goes away.
 */
import { api } from "../api.js";
import { Watching } from "../watching.js";
import { resource } from "./resource.js";

const EVERY_MS = 10_000;

export class WatchReport {
  #watching = new Watching();
  #revision = 0;
  #sentAt = 0;
  #position = 0;
  #isSending = false;
  #isOwed = false;

  /** @param {{id: number, my_progress: {revision?: number, position_seconds?: number} | null}} content */
  constructor(content) {
    this.contentId = content.id;
    this.#revision = content.my_progress?.revision ?? 0;
    this.#position = content.my_progress?.position_seconds ?? 0;
  }

  /** What the server knows; true when that is more than we have told. @param {{revision: number} | null} progress */
  heard(progress) {
    const isNews = (progress?.revision ?? 0) > this.#revision;
    this.#revision = Math.max(this.#revision, progress?.revision ?? 0);
    return isNews;
  }

  /** @param {number} position @param {number} rate @param {boolean} isPlaying */
  at(position, rate, isPlaying) {
    this.#position = position;
    if (isPlaying) this.#watching.played(position, rate);
    if (isPlaying && performance.now() - this.#sentAt > EVERY_MS) void this.send();
  }

  /** Playing begins or goes on here. @param {number} position */
  begin(position) {
    this.#watching.cut(position);
  }

  /** Playing ends here for now; what led up to it counts. @param {number} position @param {number} rate */
  rest(position, rate) {
    this.#watching.played(position, rate);
    this.cut(position);
  }

  /** @param {number} position where a jump landed */
  cut(position) {
    this.#position = position;
    this.#watching.cut(position);
    void this.send();
  }

  /** Where it is and what was seen since the last time. One request at a time; what fails is told with the next. */
  async send() {
    if (this.#isSending) {
      this.#isOwed = true;
      return;
    }
    this.#isSending = true;
    this.#sentAt = performance.now();
    const watched = this.#watching.take();
    this.#revision += 1;
    try {
      const report = { position_seconds: this.#position, watched, revision: this.#revision };
      const now = await api.put(`/content/${this.contentId}/progress`, report, { keepalive: true });
      // Another device has told more meanwhile: ours was passed over, and comes again under a later number.
      if ((now?.revision ?? 0) > report.revision) this.#watching.giveBack(watched);
      this.#revision = Math.max(this.#revision, now?.revision ?? 0);
      resource(`/content/${this.contentId}`).change((before) => ({ ...before, my_progress: now ?? before.my_progress }));
    } catch {
      this.#watching.giveBack(watched);
    }
    this.#isSending = false;
    if (this.#isOwed) {
      this.#isOwed = false;
      void this.send();
    }
  }
}

/** A new address for the same bytes, when the old one has run out. @param {number} contentId @returns {Promise<string>} */
export const freshAddress = async (contentId) => {
  const { url, thumbnail_url: thumbnail } = await api.post(`/content/${contentId}/ticket`);
  resource(`/content/${contentId}`).change((before) => ({ ...before, file_url: url, thumbnail_url: thumbnail ?? before.thumbnail_url }));
  return url;
};
