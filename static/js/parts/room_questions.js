/** Questions to the instructor: anyone asks, everyone may want one answered, the most wanted stand first. */
import { html, useState } from "../../vendor/vendor.js";
import { nameOf } from "../store/people.js";

/** @typedef {import("../live/classroom.js").Classroom} Classroom */
/** @typedef {import("../store/room.js").Question} Question */

/** @param {{classroom: Classroom, question: Question}} props */
const Asked = ({ classroom, question }) => {
  const me = classroom.view.value.you?.user_id;
  const isMine = question.actor_id === me;
  const isVoted = classroom.asides.value.votes.includes(question.question);
  return html`
    <li class="room-question" data-question=${question.question} data-resolved=${question.resolved}>
      <button type="button" class="button compact room-vote" aria-pressed=${isVoted} disabled=${question.resolved}
        aria-label=${`${question.votes} want this answered; ${isVoted ? "take your vote back" : "vote for it"}`}
        onClick=${() => classroom.vote(question.question, !isVoted)}><span aria-hidden="true">▲</span> <span class="figures">${question.votes}</span></button>
      <div class="grow">
        <p class="room-ask-text">${question.text}</p>
        <p class="small muted">${isMine ? "You" : nameOf(classroom.people.value, question.actor_id)}</p>
      </div>
      ${!question.resolved && (isMine || classroom.isInstructor) && html`
        <button type="button" class="button quiet compact" onClick=${() => classroom.wish("question_resolve", { question: question.question })}>
          Resolve<span class="visually-hidden">: ${question.text}</span></button>`}
    </li>
  `;
};

/** @param {{classroom: Classroom}} props */
const Asking = ({ classroom }) => {
  const [text, write] = useState("");
  const ask = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (text.trim() && (await classroom.wish("question_ask", { text: text.trim() }))) write("");
  };
  return html`
    <form class="row tight fixed room-asking" onSubmit=${ask}>
      <input class="input" aria-label="Your question" placeholder="Ask a question" maxlength="500" value=${text}
        onInput=${(/** @type {any} */ event) => write(event.target.value)} />
      <button class="button primary" type="submit" disabled=${!text.trim()}>Ask</button>
    </form>
  `;
};

/** @param {{classroom: Classroom}} props */
export const RoomQuestions = ({ classroom }) => {
  const all = classroom.view.value.room?.questions ?? [];
  const waiting = all.filter((one) => !one.resolved).sort((a, b) => b.votes - a.votes || a.question - b.question);
  const resolved = all.filter((one) => one.resolved);
  const rows = (/** @type {Question[]} */ some) =>
    html`<ul class="room-asked">${some.map((one) => html`<${Asked} key=${one.question} question=${one} classroom=${classroom} />`)}</ul>`;
  return html`
    <section class="room-group" aria-label="Questions">
      <h3>Questions</h3>
      <${Asking} classroom=${classroom} />
      ${waiting.length > 0 ? rows(waiting) : html`<p class="small muted">No question is waiting.</p>`}
      ${resolved.length > 0 && html`<details><summary>Resolved <span class="figures">${resolved.length}</span></summary>${rows(resolved)}</details>`}
    </section>
  `;
};
