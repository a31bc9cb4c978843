/**
 * The conversation: lines as text, own ones from the moment they are written, the older ones on request.
 *
 * It stays at the newest line while the reader is there, and says how many came while they are reading further up.
 */
import { html, useEffect, useLayoutEffect, useRef, useState } from "../../vendor/vendor.js";
import { clockText, dayText } from "../format.js";
import { writers } from "../store/asides.js";
import { nameOf } from "../store/people.js";
import { Avatar } from "./person.js";
import { RoomIcon } from "./room_icon.js";
import { LineEditor, LineMenu, Reactions } from "./room_line_acts.js";

/** Characters of one line (contract). */
const LONGEST = 4000;

/** Pixels from the end at which a reader still counts as being there. */
const NEAR = 60;

/** Seconds within which lines of one person stand under one name. */
const TOGETHER = 180;

/** @typedef {import("../store/lines.js").Line} Line */

/** @param {{classroom: import("../live/classroom.js").Classroom, line: Line, before: Line|undefined, me: number}} props */
const Said = ({ classroom, line, before, me }) => {
  const [isEditing, edit] = useState(false);
  const row = useRef(/** @type {HTMLLIElement|null} */ (null));
  const done = () => {
    edit(false);
    requestAnimationFrame(() => row.current?.querySelector("button")?.focus()); // back to the menu it came from
  };
  const people = classroom.people.value;
  const isFirst = !before || before.actor_id !== line.actor_id || Date.parse(line.at) - Date.parse(before.at) > TOGETHER * 1000;
  const name = nameOf(people, line.actor_id);
  const author = people.find((one) => one.user_id === line.actor_id);
  return html`
    <li class="room-line" ref=${row} data-first=${isFirst} data-own=${line.actor_id === me}>
      ${isFirst && html`
        <${Avatar} person=${{ id: line.actor_id ?? 0, name, avatar_url: author?.avatar_url ?? null }} />
        <p class="room-line-head">
          <span class="room-line-name clip">${line.actor_id === me ? "You" : name}</span>
          ${author?.role === "instructor" && html`<span class="badge accent">Instructor</span>`}
          <time datetime=${line.at} title=${dayText(line.at)}>${clockText(line.at)}</time>
        </p>`}
      ${isEditing && !line.deleted
        ? html`<${LineEditor} classroom=${classroom} line=${line} longest=${LONGEST} onDone=${done} />`
        : html`
          <p class="room-line-text">${line.deleted ? html`<em class="muted">This line was deleted.</em>` : line.text}
            ${line.edited_at && html`<span class="muted small"> (edited)</span>`}</p>
          <${LineMenu} classroom=${classroom} line=${line} me=${me} onEdit=${() => edit(true)} />`}
      <${Reactions} classroom=${classroom} line=${line} me=${me} />
    </li>
  `;
};

/** @param {{line: import("../store/outgoing.js").Outgoing, isConnected: boolean, classroom: import("../live/classroom.js").Classroom}} props */
const OnItsWay = ({ line, isConnected, classroom }) => html`
  <li class="room-line" data-own="true" data-state=${line.state} data-first="true">
    <p class="room-line-text">${line.text}</p>
    <p class="room-line-state small">
      ${line.state === "pending"
        ? isConnected ? "Sending" : "Waiting for the connection"
        : html`
          <span class="room-line-why">${line.why}</span>
          <button type="button" class="button quiet compact" onClick=${() => classroom.sayAgain(line.client_id)}>Send again</button>
          <button type="button" class="button quiet compact" onClick=${() => classroom.discard(line.client_id)}>Discard</button>`}
    </p>
  </li>
`;

/** @param {{onSend: (text: string) => void, onWrite: (isWriting: boolean) => void, isOpen: boolean}} props */
const Writing = ({ onSend, onWrite, isOpen }) => {
  const [text, write] = useState("");
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!text.trim()) return;
    onSend(text.trim());
    onWrite(false);
    write("");
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  };
  const input = (/** @type {any} */ event) => {
    write(event.target.value);
    onWrite(Boolean(event.target.value.trim()));
  };
  if (!isOpen) return html`<p class="room-write muted small">Only the instructor writes right now.</p>`;
  return html`
    <form class="room-write" onSubmit=${send}>
      <label class="visually-hidden" for="room-write">Write to everybody</label>
      <textarea id="room-write" class="input" rows="1" maxlength=${LONGEST} placeholder="Write to everybody" value=${text}
        enterkeyhint="send" onInput=${input} onKeyDown=${key}></textarea>
      <button class="button primary icon" type="submit" aria-label="Send" disabled=${!text.trim()}><${RoomIcon} name="send" /></button>
    </form>
  `;
};

/** Who else is writing; its line is always there, so that nothing moves when it is filled.
 * @param {{classroom: import("../live/classroom.js").Classroom}} props */
const Writers = ({ classroom }) => {
  const names = writers(classroom.asides.value, classroom.view.value.you?.user_id).map((user) => nameOf(classroom.people.value, user));
  const who = names.length > 2 ? "Several people" : names.join(" and ");
  return html`<p class="room-writers small muted clip" aria-hidden="true">${names.length > 0 && `${who} ${names.length > 1 ? "are" : "is"} writing`}</p>`;
};

/** @param {{classroom: import("../live/classroom.js").Classroom}} props */
export const RoomChat = ({ classroom }) => {
  const { room, you, isCurrent } = classroom.view.value;
  const outgoing = classroom.outgoing.value;
  const box = useRef(/** @type {HTMLDivElement|null} */ (null));
  const isAtEnd = useRef(true);
  const kept = useRef(0);
  const [unread, count] = useState(0);
  const lines = room ? [...room.history, ...room.chat.lines] : [];
  const last = lines.at(-1)?.seq ?? 0;
  const first = lines[0]?.seq ?? 0;
  const toEnd = () => box.current?.scrollTo({ top: box.current.scrollHeight });

  useLayoutEffect(() => {
    if (isAtEnd.current) toEnd();
    else if (last > kept.current && lines.at(-1)?.actor_id !== you?.user_id) count((now) => now + 1);
    kept.current = last;
  }, [last, outgoing.length]);
  useEffect(() => {
    if (!box.current) return undefined;
    // The keyboard of a phone opens, a reaction makes a line taller: who was at the end still is.
    const grown = new ResizeObserver(() => isAtEnd.current && toEnd());
    for (const element of [box.current, ...box.current.children]) grown.observe(element);
    return () => grown.disconnect();
  }, [Boolean(room && you), Boolean(room?.isWhole), Boolean(lines.length || outgoing.length)]);
  const height = useRef(0);
  useLayoutEffect(() => {
    // Older lines were put on top: what is being read stays where it is.
    if (box.current && !isAtEnd.current) box.current.scrollTop += box.current.scrollHeight - height.current;
  }, [first]);
  useEffect(() => {
    height.current = box.current?.scrollHeight ?? 0;
  });
  if (!room || !you) return null;

  const scrolled = () => {
    const { scrollTop = 0, scrollHeight = 0, clientHeight = 0 } = box.current ?? {};
    isAtEnd.current = scrollHeight - scrollTop - clientHeight < NEAR;
    if (isAtEnd.current && unread) count(0);
  };
  const send = (/** @type {string} */ text) => {
    isAtEnd.current = true;
    classroom.say(text);
  };
  return html`
    <div class="room-chat">
      <div class="room-lines" ref=${box} onScroll=${scrolled} tabindex="0" role="region" aria-label="Conversation">
        ${!room.isWhole && html`
          <button type="button" class="button quiet compact room-earlier" disabled=${classroom.loadingEarlier.value}
            onClick=${() => classroom.loadEarlier()}>${classroom.loadingEarlier.value ? "Loading" : "Earlier messages"}</button>`}
        ${!lines.length && !outgoing.length && html`<p class="room-nothing">Nothing has been said yet. Write the first line; everybody in the class reads it.</p>`}
        <div role="log" aria-live="polite" aria-label="Messages"><ol>
          ${lines.map((line, at) => html`<${Said} key=${line.seq} classroom=${classroom} line=${line} before=${lines[at - 1]} me=${you.user_id} />`)}
          ${outgoing.map((line) => html`<${OnItsWay} key=${line.client_id} line=${line} isConnected=${isCurrent} classroom=${classroom} />`)}
        </ol></div>
      </div>
      ${unread > 0 && html`
        <button type="button" class="button compact room-unread" onClick=${toEnd}>${unread} new ${unread === 1 ? "message" : "messages"}</button>`}
      <${Writers} classroom=${classroom} />
      <${Writing} onSend=${send} onWrite=${(/** @type {boolean} */ on) => classroom.listening.write(on)} isOpen=${classroom.mayWrite} />
    </div>
  `;
};
