"""Questions to the instructor: anyone asks, everyone may vote for them, answered ones are resolved."""

from __future__ import annotations

from collections.abc import Sequence

from server.errors import Conflict, Missing
from signaling.rooms.commands import AskQuestion, ResolveQuestion, VoteQuestion
from signaling.rooms.deciding import New, Private, QuestionVoted, decides, require_host, require_live
from signaling.rooms.state import Question, Room

MOST_OPEN = 80  # unresolved questions in a room; another is refused until one is resolved
MOST_OPEN_EACH = 10  # of one person, so that nobody crowds the others out


class TooManyQuestions(Conflict):
    code, sentence = "too_many_questions", "Many questions are waiting; ask again when some are resolved."


class QuestionNotFound(Missing):
    code, sentence = "question_not_found", "There is no such question in this class."


class QuestionIsResolved(Conflict):
    code, sentence = "question_resolved", "This question is resolved."


@decides(AskQuestion)
def ask(room: Room, wish: AskQuestion) -> Sequence[New]:
    require_live(room)
    waiting = [question for question in room.questions if not question.resolved]
    if len(waiting) >= MOST_OPEN:
        raise TooManyQuestions()
    if sum(question.actor_id == wish.user_id for question in waiting) >= MOST_OPEN_EACH:
        raise TooManyQuestions(f"You have {MOST_OPEN_EACH} questions waiting; let some be resolved first.")
    return (New("question_asked", {"text": wish.text}),)


@decides(VoteQuestion)
def vote(room: Room, wish: VoteQuestion) -> Sequence[New | Private]:
    """Everybody learns the count; who voted stays in the private row."""
    require_live(room)
    question = _found(room, wish.question)
    if question.resolved:
        raise QuestionIsResolved()
    if wish.known == wish.is_on:
        return ()
    votes = question.votes + (1 if wish.is_on else -1)
    told = New("question_voted", {"question": question.question, "votes": votes}, is_anonymous=True)
    return (told, QuestionVoted(question.question, wish.is_on))


@decides(ResolveQuestion)
def resolve(room: Room, wish: ResolveQuestion) -> Sequence[New]:
    """By the instructor, or by whoever asked it."""
    require_live(room)
    question = _found(room, wish.question)
    if question.actor_id != wish.user_id:
        require_host(room, wish.user_id)
    if question.resolved:
        return ()
    return (New("question_resolved", {"question": question.question}),)


def _found(room: Room, number: int) -> Question:
    for question in room.questions:
        if question.question == number:
            return question
    raise QuestionNotFound()
