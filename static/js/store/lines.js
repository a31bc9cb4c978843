/**
 * The chat window of a room: the last hundred lines exactly as a fresh snapshot would have them, and behind it the
 * lines this tab has already shown.
 *
 * Pure. The window must agree with the server's twin to the letter; `history` is the browser's own and never compared.
 */

/**
 * @typedef {{
 *   seq: number, at: string, actor_id: number|null, client_id: string|null, text: string|null, reply_to: number|null,
 *   edited_at: string|null, deleted: boolean, reactions: Record<string, number[]>,
 * }} Line
 * @typedef {{lines: Line[], earlier: boolean}} Chat
 * @typedef {{seq: number, at: string, type: string, actor_id: number|null, client_id?: string|null,
 *   payload: Record<string, any>}} TimelineEvent
 */

/** Lines in a snapshot; the oldest leaves the window when the next arrives, and `earlier` says that it did. */
export const WINDOW = 100;

/** Lines this tab keeps behind the window for scrolling back; the oldest beyond this are asked for again. */
export const HISTORY = 2000;

/** @param {TimelineEvent} event A `chat_posted`. @returns {Line} */
export const lineOf = (event) => ({
  seq: event.seq,
  at: event.at,
  actor_id: event.actor_id,
  client_id: event.client_id ?? null,
  text: event.payload.deleted ? null : event.payload.text,
  reply_to: event.payload.reply_to ?? null,
  edited_at: null,
  deleted: event.payload.deleted === true,
  reactions: {},
});

/**
 * The window after one more line, with what left it.
 * @param {Chat} chat @param {Line} line @returns {{chat: Chat, left: Line[]}}
 */
export function append(chat, line) {
  const all = [...chat.lines, line];
  const over = Math.max(0, all.length - WINDOW);
  return { chat: { lines: all.slice(over), earlier: chat.earlier || over > 0 }, left: all.slice(0, over) };
}

/** @param {Line} line @param {TimelineEvent} event @returns {Line} */
const reacted = (line, event) => {
  const { emoji, on } = event.payload;
  const others = (line.reactions[emoji] ?? []).filter((user) => user !== event.actor_id);
  const people = on && event.actor_id !== null ? [...others, event.actor_id] : others;
  const { [emoji]: _gone, ...rest } = line.reactions;
  return { ...line, reactions: people.length ? { ...line.reactions, [emoji]: people } : rest };
};

/** An older edit whose text was blanked by a later deletion says nothing any more.
 * @param {Line} line @param {TimelineEvent} event @returns {Line} */
const edited = (line, event) =>
  event.payload.deleted ? line : { ...line, text: event.payload.text, edited_at: event.at };

/** @type {Record<string, (line: Line, event: TimelineEvent) => Line>} */
const CHANGES = {
  chat_edited: edited,
  chat_deleted: (line) => ({ ...line, text: null, reply_to: null, edited_at: null, deleted: true, reactions: {} }),
  chat_reacted: reacted,
};

/** Lines after an edit, deletion or reaction; a line that is not among them changes nothing.
 * @param {Line[]} lines @param {TimelineEvent} event @returns {Line[]} */
export const change = (lines, event) => {
  const apply = CHANGES[event.type];
  return lines.map((line) => (line.seq === event.payload.seq && !line.deleted ? apply(line, event) : line));
};

/** Older lines read from the timeline, put before what is there.
 * @param {Line[]} history @param {TimelineEvent[]} events In order. @returns {Line[]} */
export function withEarlier(history, events) {
  /** @type {Line[]} */
  let lines = [];
  for (const event of events) {
    if (event.type === "chat_posted") lines.push(lineOf(event));
    else if (event.type in CHANGES) lines = change(lines, event);
  }
  const known = new Set(history.map((line) => line.seq));
  return [...lines.filter((line) => !known.has(line.seq)), ...history];
}
