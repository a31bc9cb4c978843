/**
 * Who belongs to the class, who is here, and what each may do now: read from the room, the roster and presence.
 *
 * Pure. The roster says who is enrolled, presence who is connected, the timeline who has been in the room: a person
 * appears once, under the name any of the three knows.
 */

/**
 * @typedef {import("./room.js").Room} Room
 * @typedef {{user: {id: number, name: string, avatar_url: string|null}, role: string, online: boolean, in_room: boolean}} RosterEntry
 * @typedef {{user_id: number, role: string, may?: string[]}} You
 * @typedef {{user_id: number, name: string, avatar_url: string|null, role: string, online: boolean, in_room: boolean,
 *   hand: number, has_floor: boolean, is_you: boolean}} Person
 */

/** Shown until a name arrives; never an id. */
const SOMEBODY = "Someone";

/** @param {Room} room @param {RosterEntry[]} roster @param {You|null} you @returns {Person[]} Instructor first, then who is here, then by name. */
export function people(room, roster, you) {
  /** @type {Map<number, Omit<Person, "hand"|"has_floor"|"is_you">>} */
  const all = new Map();
  for (const { user, role, online, in_room } of roster)
    all.set(user.id, { user_id: user.id, name: user.name, avatar_url: user.avatar_url, role, online, in_room });
  for (const one of room.participants) {
    if (all.has(one.user_id)) continue; // presence knows better than the timeline who is connected
    all.set(one.user_id, { ...one, name: one.name ?? SOMEBODY, online: one.in_room });
  }
  if (!all.has(room.host.id)) {
    const { id, name } = room.host;
    all.set(id, { user_id: id, name, avatar_url: null, role: "instructor", online: false, in_room: false });
  }
  return [...all.values()]
    .map((one) => ({
      ...one,
      in_room: one.in_room || one.user_id === you?.user_id,
      online: one.online || one.user_id === you?.user_id,
      hand: room.hands.indexOf(one.user_id) + 1,
      has_floor: room.floor.includes(one.user_id),
      is_you: one.user_id === you?.user_id,
    }))
    .sort(byPlace);
}

/** @param {Person} one */
const place = (one) => (one.role === "instructor" ? 0 : one.in_room ? 1 : one.online ? 2 : 3);

/** @param {Person} a @param {Person} b */
const byPlace = (a, b) => place(a) - place(b) || a.name.localeCompare(b.name) || a.user_id - b.user_id;

/** @param {Person[]} all @param {number|null} user */
export const nameOf = (all, user) => all.find((one) => one.user_id === user)?.name ?? SOMEBODY;

/**
 * The roster after a presence fact. `unknown` tells that somebody is not on it, so that it is asked for again.
 * @param {RosterEntry[]} roster
 * @param {{user_id: number, online: boolean, in_room: boolean}[]} changes
 * @returns {{roster: RosterEntry[], unknown: boolean}}
 */
export function withPresence(roster, changes) {
  const news = new Map(changes.map((change) => [change.user_id, change]));
  const known = new Set(roster.map((entry) => entry.user.id));
  return {
    roster: roster.map((entry) => {
      const change = news.get(entry.user.id);
      return change ? { ...entry, online: change.online, in_room: change.in_room } : entry;
    }),
    unknown: changes.some((change) => change.in_room && !known.has(change.user_id)),
  };
}

/** The policy that opens each source to everybody. */
const OPENED_BY = /** @type {const} */ ({
  microphone: "microphones", camera: "cameras", screen: "screens", screen_audio: "screens",
});

/**
 * Whether this person may send a source now. The server enforces it where packets flow; the page only follows.
 * @param {Room} room @param {You|null} you @param {keyof typeof OPENED_BY} source
 */
export function maySend(room, you, source) {
  if (!you || room.status !== "live") return false;
  if (room.muted.find((one) => one.user_id === you.user_id)?.sources.includes(source)) return false;
  if (you.role === "instructor" || room.policy[OPENED_BY[source]] === "all") return true;
  return room.floor.includes(you.user_id) && (source === "microphone" || source === "camera");
}

/** Who is on the stage, in order: the instructor, then the floor as it was given, then anyone else who is sending.
 * @param {Room} room @returns {number[]} */
export const stage = (room) => [...new Set([room.host.id, ...room.floor, ...room.tracks.map((track) => track.user_id)])];
