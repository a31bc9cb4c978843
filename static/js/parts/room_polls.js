/** Polls: the instructor asks everybody, each answers once and may change it while it is open, the result is one picture. */
import { html, useState } from "../../vendor/vendor.js";

/** @typedef {import("../live/classroom.js").Classroom} Classroom */
/** @typedef {import("../store/room.js").Poll} Poll */

const MOST_OPTIONS = 10;

/** @param {{poll: Poll, tally: number[], answers: number}} props */
const Result = ({ poll, tally, answers }) => html`
  <ul class="room-result">
    ${poll.options.map((option, at) => html`
      <li key=${at}>
        <span>${option}</span><span class="figures muted">${tally[at] ?? 0}</span>
        <progress class="wide" max=${Math.max(1, answers)} value=${tally[at] ?? 0} aria-label=${`${option}: ${tally[at] ?? 0} of ${answers}`}></progress>
      </li>`)}
  </ul>
`;

/** @param {{classroom: Classroom, poll: Poll}} props */
const Answering = ({ classroom, poll }) => {
  const mine = classroom.asides.value.answers[poll.poll];
  const [chosen, choose] = useState(mine ?? []);
  const type = poll.multiple ? "checkbox" : "radio";
  const toggle = (/** @type {number} */ at) =>
    choose(poll.multiple ? (chosen.includes(at) ? chosen.filter((one) => one !== at) : [...chosen, at]) : [at]);
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    classroom.answer(poll.poll, [...chosen].sort((a, b) => a - b));
  };
  const isSame = mine !== undefined && mine.length === chosen.length && mine.every((one) => chosen.includes(one));
  return html`
    <form onSubmit=${send}>
      <fieldset>
        <legend class="visually-hidden">${poll.question}</legend>
        ${poll.options.map((option, at) => html`
          <label class="check" key=${at}>
            <input type=${type} name=${`poll-${poll.poll}`} checked=${chosen.includes(at)} onChange=${() => toggle(at)} />${option}
          </label>`)}
      </fieldset>
      <button class="button compact primary" type="submit" disabled=${!chosen.length || isSame}>
        ${mine === undefined ? "Answer" : isSame ? "Answered" : "Change answer"}</button>
    </form>
  `;
};

/** @param {{classroom: Classroom, poll: Poll}} props */
const OnePoll = ({ classroom, poll }) => {
  const { tallies, answers } = classroom.asides.value;
  const open = tallies[poll.poll] ?? { tally: [], answers: 0 };
  const isShown = !poll.open || classroom.isInstructor || (!poll.hidden && answers[poll.poll] !== undefined);
  const tally = poll.open ? open.tally : (poll.tally ?? []);
  // How many answered is not told at the close; several choices each make the most chosen one the measure.
  const most = poll.open ? open.answers : poll.multiple ? Math.max(0, ...tally) : tally.reduce((sum, one) => sum + one, 0);
  return html`
    <li class="room-poll" data-poll=${poll.poll}>
      <p class="room-ask-text">${poll.question}</p>
      <p class="small muted">
        ${poll.open ? (poll.multiple ? "Choose one or several" : "Choose one") : "Closed"}${poll.open && poll.hidden ? ", the result is shown when it is closed" : ""}${poll.open && classroom.isInstructor ? html`, <span class="figures">${open.answers}</span> answered` : ""}</p>
      ${poll.open && !classroom.isInstructor && html`<${Answering} classroom=${classroom} poll=${poll} />`}
      ${isShown && html`<${Result} poll=${poll} tally=${tally} answers=${most} />`}
      ${poll.open && classroom.isInstructor && html`
        <button type="button" class="button compact" onClick=${() => classroom.wish("poll_close", { poll: poll.poll })}>Close and show the result</button>`}
    </li>
  `;
};

/** @param {{classroom: Classroom}} props */
const NewPoll = ({ classroom }) => {
  const [wrong, say] = useState("");
  const open = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const given = new FormData(form);
    const options = [...new Set(String(given.get("options")).split("\n").map((one) => one.trim()).filter(Boolean))];
    if (options.length < 2 || options.length > MOST_OPTIONS)
      return say(`Write 2 to ${MOST_OPTIONS} different answers, one in each line.`);
    say("");
    const wish = { question: String(given.get("question")).trim(), options, multiple: given.has("multiple"), hidden: given.has("hidden") };
    if (!(await classroom.wish("poll_open", wish))) return;
    form.reset();
    form.closest("details")?.removeAttribute("open"); // the poll stands right below
  };
  return html`
    <details class="room-new">
      <summary>New poll</summary>
      <form class="stack tight" onSubmit=${open}>
        <label class="field"><span class="label">Question</span><input class="input" name="question" required maxlength="300" /></label>
        <label class="field"><span class="label">Answers, one in each line</span>
          <textarea class="input" name="options" rows="3" required maxlength="1100" aria-describedby="room-poll-fault"></textarea></label>
        <p class="fault small" id="room-poll-fault" role="alert">${wrong}</p>
        <label class="check"><input type="checkbox" name="multiple" />Several answers may be chosen</label>
        <label class="check"><input type="checkbox" name="hidden" />Keep the result to myself until it is closed</label>
        <button class="button primary compact" type="submit">Open poll</button>
      </form>
    </details>
  `;
};

/** @param {{classroom: Classroom}} props */
export const RoomPolls = ({ classroom }) => {
  const { room } = classroom.view.value;
  const polls = [...(room?.polls ?? [])].sort((a, b) => Number(b.open) - Number(a.open) || b.poll - a.poll);
  return html`
    <section class="room-group" aria-label="Polls">
      <h3>Polls</h3>
      ${classroom.isInstructor && html`<${NewPoll} classroom=${classroom} />`}
      ${polls.length > 0 && html`<ul class="room-asked">${polls.map((poll) => html`<${OnePoll} key=${poll.poll} poll=${poll} classroom=${classroom} />`)}</ul>`}
      ${!polls.length && html`<p class="small muted">${classroom.isInstructor ? "Ask the class something; answers stay anonymous." : "The instructor has not asked anything yet."}</p>`}
    </section>
  `;
};
