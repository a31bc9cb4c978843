/**
 * What a live room is, and how each event of its timeline changes it: the twin of the server's `rooms/room.py`.
 *
 * Pure: no socket, no page, no clock. `snapshot + later events == fresh snapshot` holds for every type and is tested on
 * both sides with the same recorded timelines (tests/fixtures/timelines). An event that concerns nothing here, or of a
 * type this page does not know, only moves the position on: an old tab survives a newer server.
 */
import { HISTORY, append, change, lineOf } from "./lines.js";

/**
 * @typedef {import('./lines.js').TimelineEvent} TimelineEvent
 * @typedef {import('./lines.js').Line} Line
 * @typedef {{user_id: number, name: string|null, avatar_url: string|null, role: string, in_room: boolean}} Participant
 * @typedef {{user_id: number, source: string}} Track
 * @typedef {Record<'chat'|'microphones'|'cameras'|'screens'|'hands'|'peers', 'all'|'instructor'>} Policy
 * @typedef {{poll: number, question: string, options: string[], multiple: boolean, hidden: boolean, open: boolean,
 *   tally: number[]|null}} Poll
 * @typedef {{question: number, actor_id: number|null, at: string, text: string, votes: number, resolved: boolean}} Question
 * @typedef {{status: string, host: {id: number, name: string}, participants: Participant[], hands: number[],
 *   floor: number[], muted: {user_id: number, sources: string[]}[], policy: Policy, polls: Poll[],
 *   questions: Question[], tracks: Track[], chat: import('./lines.js').Chat}} Snapshot
 * @typedef {Snapshot & {seq: number, history: Line[], isWhole: boolean}} Room `isWhole`: no line before those here.
 */

/** Polls and questions kept; closed and resolved ones go first. The timeline has them all. */
export const POLLS = 50;
export const QUESTIONS = 100;

/** Sources in the order in which a muted person's are listed. */
export const SOURCES = ["microphone", "camera", "screen", "screen_audio"];

/** @param {Snapshot} snapshot @param {number} [seq] The position the snapshot stands for. @returns {Room} */
export const initial = (snapshot, seq = 0) => ({ ...snapshot, seq, history: [], isWhole: !snapshot.chat.earlier });

/** What of a room the server's snapshot has too. @param {Room} room @returns {Snapshot} */
export const snapshotOf = ({ seq, history, isWhole, ...snapshot }) => snapshot;

/** @param {number[]} users @param {number} user */
const without = (users, user) => (users.includes(user) ? users.filter((other) => other !== user) : users);

/** @param {number[]} users @param {number} user */
const withLast = (users, user) => (users.includes(user) ? users : [...users, user]);

/**
 * At most `kept`; of those that are over the oldest go first, then the oldest of all.
 * @template T @param {T[]} all @param {number} kept @param {(one: T) => boolean} isOver @returns {T[]}
 */
const latest = (all, kept, isOver) => {
  const order = [...all.filter(isOver), ...all.filter((one) => !isOver(one))];
  const gone = new Set(order.slice(0, Math.max(0, all.length - kept)));
  return all.filter((one) => !gone.has(one));
};

/** @param {Poll} poll */
const isClosed = (poll) => !poll.open;

/** @param {Question} question */
const isResolved = (question) => question.resolved;

/** Someone is out of the room: no place in the queue, on the floor or on the stage, but their name stays.
 * @param {Room} room @param {number} user @returns {Room} */
const out = (room, user) => ({
  ...room,
  participants: room.participants.map((one) => (one.user_id === user ? { ...one, in_room: false } : one)),
  hands: without(room.hands, user),
  floor: without(room.floor, user),
  tracks: room.tracks.filter((track) => track.user_id !== user),
});

/** @param {Room} room @param {Record<string, any>} payload @returns {Room} */
const joined = (room, { user_id, role, name, avatar_url }) => {
  const known = room.participants.find((one) => one.user_id === user_id);
  const now = {
    user_id,
    name: name ?? known?.name ?? null,
    avatar_url: avatar_url ?? known?.avatar_url ?? null,
    role,
    in_room: true,
  };
  const participants = known
    ? room.participants.map((one) => (one.user_id === user_id ? now : one))
    : [...room.participants, now];
  return { ...room, participants };
};

/** @param {Room} room @param {Record<string, any>} payload @returns {Room} */
const muted = (room, { user_id, sources, muted: on }) => {
  const before = room.muted.find((one) => one.user_id === user_id)?.sources ?? [];
  const after = SOURCES.filter((s) => (sources.includes(s) ? on : before.includes(s)));
  const others = room.muted.filter((one) => one.user_id !== user_id);
  return { ...room, muted: after.length ? [...others, { user_id, sources: after }] : others };
};

/** @param {Room} room @param {TimelineEvent} event @returns {Room} */
const posted = (room, event) => {
  const { chat, left } = append(room.chat, lineOf(event));
  const history = [...room.history, ...left];
  return { ...room, chat, history: history.slice(-HISTORY), isWhole: room.isWhole && history.length <= HISTORY };
};

/** @param {Room} room @param {TimelineEvent} event @returns {Room} */
const changed = (room, event) => ({
  ...room,
  chat: { ...room.chat, lines: change(room.chat.lines, event) },
  history: change(room.history, event),
});

/** @type {(room: Room, user: number, source: string) => Track[]} */
const tracksBut = (room, user, source) => room.tracks.filter((t) => t.user_id !== user || t.source !== source);

/** @type {Record<string, (room: Room, event: TimelineEvent) => Room>} */
const EVOLVES = {
  session_started: (room) => ({ ...room, status: "live" }),
  session_ended: (room) => ({ ...room, status: "ended", hands: [], floor: [], tracks: [] }),
  participant_joined: (room, { payload }) => joined(room, payload),
  participant_left: (room, { payload }) => out(room, payload.user_id),
  participant_removed: (room, { payload }) => out(room, payload.user_id),
  participant_muted: (room, { payload }) => muted(room, payload),
  chat_posted: posted,
  chat_edited: changed,
  chat_deleted: changed,
  chat_reacted: changed,
  hand_raised: (room, { payload }) => ({ ...room, hands: withLast(room.hands, payload.user_id) }),
  hand_lowered: (room, { payload }) => ({ ...room, hands: without(room.hands, payload.user_id) }),
  floor_given: (room, { payload }) => ({
    ...room,
    hands: without(room.hands, payload.user_id),
    floor: withLast(room.floor, payload.user_id),
  }),
  floor_taken: (room, { payload }) => ({ ...room, floor: without(room.floor, payload.user_id) }),
  policy_changed: (room, { payload }) => ({ ...room, policy: /** @type {Policy} */ ({ ...payload }) }),
  poll_opened: (room, { seq, payload: { question, options, multiple, hidden } }) => ({
    ...room,
    polls: latest(
      [...room.polls, { poll: seq, question, options, multiple, hidden, open: true, tally: null }],
      POLLS,
      isClosed,
    ),
  }),
  poll_closed: (room, { payload: { poll, tally } }) => ({
    ...room,
    polls: room.polls.map((one) => (one.poll === poll ? { ...one, open: false, tally: tally ?? null } : one)),
  }),
  question_asked: (room, { seq, at, actor_id, payload: { text } }) => ({
    ...room,
    questions: latest(
      [...room.questions, { question: seq, actor_id, at, text, votes: 0, resolved: false }],
      QUESTIONS,
      isResolved,
    ),
  }),
  question_voted: (room, { payload: { question, votes } }) => ({
    ...room,
    questions: room.questions.map((one) => (one.question === question ? { ...one, votes } : one)),
  }),
  question_resolved: (room, { payload: { question } }) => ({
    ...room,
    questions: room.questions.map((one) => (one.question === question ? { ...one, resolved: true } : one)),
  }),
  track_published: (room, { payload: { user_id, source } }) => ({
    ...room,
    tracks: [...tracksBut(room, user_id, source), { user_id, source }],
  }),
  track_unpublished: (room, { payload: { user_id, source } }) => ({
    ...room,
    tracks: tracksBut(room, user_id, source),
  }),
};

/** Every timeline type this store knows; a test holds it against the contract. */
export const TYPES = Object.keys(EVOLVES);

/**
 * The room after one event.
 * @param {Room} room @param {TimelineEvent} event @returns {Room}
 */
export const evolve = (room, event) => ({ ...(EVOLVES[event.type]?.(room, event) ?? room), seq: event.seq });

/**
 * The room after a page of events; those at or below its position are already in it.
 * @param {Room} room @param {TimelineEvent[]} events @returns {Room}
 */
export const evolveAll = (room, events) =>
  events.reduce((now, event) => (event.seq > now.seq ? evolve(now, event) : now), room);
