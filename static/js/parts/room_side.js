/** Beside the stage: conversation, people, hands, polls and questions, one at a time; each tab says what is new behind it. */
import { html, useEffect, useRef, useState } from "../../vendor/vendor.js";
import { RoomAsk, waitingFor } from "./room_ask.js";
import { RoomChat } from "./room_chat.js";
import { RoomHands } from "./room_hands.js";
import { RoomPeople } from "./room_people.js";
import { useKeptFocus } from "./kept_focus.js";

/** @typedef {import("../live/classroom.js").Classroom} Classroom */
/** @typedef {"chat"|"people"|"hands"|"ask"} Tab */

/** @type {[Tab, string, any][]} */
const TABS = [["chat", "Chat", RoomChat], ["people", "People", RoomPeople], ["hands", "Hands", RoomHands], ["ask", "Ask", RoomAsk]];

/** Lines of others that came while the conversation was not shown. @param {Classroom} classroom @param {boolean} isShown */
function useUnread(classroom, isShown) {
  const { room, you } = classroom.view.value;
  const last = room?.chat.lines.at(-1)?.seq ?? 0;
  const [read, mark] = useState(last);
  useEffect(() => {
    if (isShown) mark(last);
  }, [isShown, last]);
  return isShown ? 0 : (room?.chat.lines.filter((line) => line.seq > read && line.actor_id !== you?.user_id).length ?? 0);
}

/** @param {{classroom: Classroom, tab: Tab, choose: (tab: Tab) => void}} props */
export const RoomSide = ({ classroom, tab, choose }) => {
  const panel = useKeptFocus();
  const buttons = useRef(/** @type {Record<string, HTMLButtonElement>} */ ({}));
  const { room } = classroom.view.value;
  const unread = useUnread(classroom, tab === "chat");
  const waiting = waitingFor(classroom);
  const here = classroom.people.value.filter((one) => one.in_room).length;
  const marks = {
    chat: unread ? [String(unread), "unread", "live"] : null,
    people: [String(here), "in the room", ""],
    hands: room?.hands.length ? [String(room.hands.length), "raised", "warn"] : null,
    ask: waiting ? [String(waiting), "waiting", "accent"] : null,
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = TABS.findIndex(([name]) => name === tab);
    const [next] = TABS[(at + step + TABS.length) % TABS.length];
    choose(next);
    buttons.current[next]?.focus();
  };
  const [, , Panel] = /** @type {[Tab, string, any]} */ (TABS.find(([name]) => name === tab));
  return html`
    <aside class="room-side" aria-label="Conversation, people, hands, polls and questions">
      <div class="room-tabs" role="tablist" aria-label="Show" onKeyDown=${key}>
        ${TABS.map(([name, word]) => {
          const mark = marks[name];
          return html`
            <button type="button" role="tab" key=${name} id=${`room-tab-${name}`} aria-selected=${tab === name} aria-controls="room-panel"
              tabindex=${tab === name ? 0 : -1} onClick=${() => choose(name)}
              ref=${(/** @type {HTMLButtonElement|null} */ button) => button && (buttons.current[name] = button)}>
              ${word}${mark && html` <span class=${`badge ${mark[2]}`}>${mark[0]}<span class="visually-hidden"> ${mark[1]}</span></span>`}
            </button>`;
        })}
      </div>
      <div class="room-panel" ref=${panel} role="tabpanel" id="room-panel" aria-labelledby=${`room-tab-${tab}`}><${Panel} classroom=${classroom} /></div>
      <p class="visually-hidden" role="status">${room?.hands.length ? `${room.hands.length} raised ${room.hands.length === 1 ? "hand" : "hands"}` : ""}</p>
    </aside>
  `;
};
