/**
 * Which pictures the stage shows, in order: screens first, then everyone on the stage, each with or without a camera.
 *
 * Pure. Whose frames a slot carries is only ever read from its binding.
 */
import { stage } from "./people.js";

/**
 * @typedef {{
 *   key: string, person: import("./people.js").Person, source: "camera"|"screen", track: MediaStreamTrack|null, since: number,
 *   after?: number, isComing: boolean, isUnplayable: boolean, isSilent: boolean, isMirrored: boolean,
 * }} Tile `after`: the RTP timestamp of the line's last frame that
 * was somebody else's; `isComing`: a picture is sent but not here yet; `isUnplayable`: this browser lacks its codec; `isSilent`: no microphone is sent; `isMirrored`: one's own face.
 */

/**
 * @param {import("./room.js").Room} room @param {import("./people.js").Person[]} everyone
 * @param {{slots: import("../media/subscriber.js").Slot[], tracks: Map<string, MediaStreamTrack>, isMuted: boolean, isTest: boolean}} media
 * @returns {Tile[]}
 */
export function tiles(room, everyone, { slots, tracks, isMuted, isTest }) {
  const byId = new Map(everyone.map((one) => [one.user_id, one]));
  const sends = (/** @type {number} */ user, /** @type {string} */ source) =>
    room.tracks.some((track) => track.user_id === user && track.source === source);
  /** @type {(user: number, source: "camera"|"screen") => Tile|null} */
  const tile = (user, source) => {
    const person = byId.get(user);
    if (!person) return null;
    const slot = slots.find((one) => one.kind === "video" && one.binding?.user_id === user && one.binding.source === source);
    const isUnplayable = Boolean(slot?.binding?.refused);
    const track = (person.is_you ? tracks.get(source) : isUnplayable ? null : slot?.track) ?? null;
    const isSilent = person.is_you ? isMuted || !tracks.has("microphone") : !sends(user, "microphone");
    const isComing = !person.is_you && !track && sends(user, source);
    const isMirrored = person.is_you && source === "camera" && !isTest;
    const since = slot?.since ?? 0;
    const after = slot?.binding?.after;
    return { key: `${user}-${source}`, person, source, track, since, after, isComing, isUnplayable, isSilent, isMirrored };
  };
  const users = stage(room);
  const screens = users.filter((user) => (byId.get(user)?.is_you ? tracks.has("screen") : sends(user, "screen")));
  return [...screens.map((user) => tile(user, "screen")), ...users.map((user) => tile(user, "camera"))].filter(
    (one) => one !== null,
  );
}
