/**
 * Which pictures can be seen, and how large: those of tiles scrolled out of view, and all while the tab is hidden, are
 * paused in the server, and of a camera sent in layers it gives the one that fits. A picture pauses a moment after it
 * went out of sight and comes back at once, from its next keyframe.
 */

/** Seconds out of sight before a picture is paused: a glance at another tab costs nobody a keyframe. */
const PATIENCE_SECONDS = 3;

/** Seconds a tile has to keep its size before it is told, so that dragging a window asks for one keyframe and not for many. */
const SIZE_SECONDS = 0.4;

/** Widths are told in steps of so many pixels. */
const STEP = 40;

/** Seconds until what could not be told is told again. */
const RETRY_SECONDS = 2;

/** @param {number} user_id @param {string} source */
const keyOf = (user_id, source) => `${user_id}-${source}`;

export class Looking {
  /**
   * @param {{wish: (event: string, payload: object) => Promise<any>, isHidden: () => boolean,
   *   after: (seconds: number, act: () => void) => unknown}} ports `isHidden`: nobody can see any picture.
   */
  constructor({ wish, isHidden, after }) {
    this.wish = wish;
    this.isHidden = isHidden;
    this.after = after;
    /** What the lines carry. @type {{user_id: number, source: string}[]} */
    this.carried = [];
    /** Tiles that are out of view. @type {Set<string>} */
    this.unseen = new Set();
    /** @type {Set<string>} */
    this.paused = new Set();
    /** Pixels across, by tile. @type {Map<string, number>} */
    this.widths = new Map();
    /** Counts changes of size, so that only the last one is told. */
    this.sizing = 0;
    /** What the server was told on this connection. */
    this.told = "";
    this.isTelling = false;
    /** Counts looks, so that only the last one pauses. */
    this.turn = 0;
  }

  /** The lines as they are now; none: the next connection is another. @param {import("./subscriber.js").Slot[]} slots */
  carry(slots) {
    this.carried = slots.flatMap(({ kind, binding }) =>
      kind === "video" && binding ? [{ user_id: binding.user_id, source: binding.source }] : []);
    if (!slots.length) this.told = "";
    this.look();
  }

  /** A tile has come into view or gone out of it. @param {number} user_id @param {string} source @param {boolean} isSeen */
  saw(user_id, source, isSeen) {
    if (isSeen) this.unseen.delete(keyOf(user_id, source));
    else this.unseen.add(keyOf(user_id, source));
    this.look();
  }

  /** A tile has another size. @param {number} user_id @param {string} source @param {number} width in pixels of the screen */
  sized(user_id, source, width) {
    const key = keyOf(user_id, source);
    const steps = Math.ceil(width / STEP) * STEP;
    if (!steps || this.widths.get(key) === steps) return;
    this.widths.set(key, steps);
    const mine = ++this.sizing;
    this.after(SIZE_SECONDS, () => void (mine === this.sizing && this.#tell()));
  }

  /** Something may have come into sight or gone out of it. */
  look() {
    const mine = ++this.turn;
    const out = this.#outOfSight();
    this.paused = new Set([...this.paused].filter((key) => out.has(key)));
    this.#tell();
    if (out.size === this.paused.size) return;
    this.after(PATIENCE_SECONDS, () => {
      if (mine !== this.turn) return;
      this.paused = this.#outOfSight();
      this.#tell();
    });
  }

  #outOfSight() {
    const keys = this.carried.map(({ user_id, source }) => keyOf(user_id, source));
    return new Set(this.isHidden() ? keys : keys.filter((key) => this.unseen.has(key)));
  }

  async #tell() {
    const sources = this.carried.map((one) => {
      const key = keyOf(one.user_id, one.source);
      const width = this.widths.get(key);
      return { ...one, ...(width ? { width } : {}), paused: this.paused.has(key) };
    });
    const text = JSON.stringify(sources);
    if (this.isTelling || !sources.length || text === this.told) return;
    if (!this.told && sources.every(({ paused, width }) => !paused && !width)) return;
    this.isTelling = true;
    this.told = text;
    try {
      await this.wish("media_prefer", { sources });
    } catch {
      if (this.told === text) this.told = " "; // it may or may not have been heard
      this.after(RETRY_SECONDS, () => this.#tell());
      return;
    } finally {
      this.isTelling = false;
    }
    this.#tell();
  }
}
