/** What the class asks and is asked: polls and questions, one under the other. */
import { html } from "../../vendor/vendor.js";
import { RoomPolls } from "./room_polls.js";
import { RoomQuestions } from "./room_questions.js";

/** @param {{classroom: import("../live/classroom.js").Classroom}} props */
export const RoomAsk = ({ classroom }) => html`
  <div class="room-scroll" tabindex="0" role="region" aria-label="Polls and questions">
    <${RoomPolls} classroom=${classroom} />
    <${RoomQuestions} classroom=${classroom} />
  </div>
`;

/** Polls this person has not answered, and questions that wait. @param {import("../live/classroom.js").Classroom} classroom @returns {number} */
export function waitingFor(classroom) {
  const { room } = classroom.view.value;
  if (!room) return 0;
  const { answers } = classroom.asides.value;
  const polls = room.polls.filter((poll) => poll.open && (classroom.isInstructor || answers[poll.poll] === undefined)).length;
  return polls + room.questions.filter((question) => !question.resolved).length;
}
