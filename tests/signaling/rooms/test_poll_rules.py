"""Polls and questions: what is told to everybody, what is kept to oneself, what is refused."""

from __future__ import annotations

import pytest

from server.errors import Invalid, NotAllowed
from signaling.rooms.commands import AnswerPoll, AskQuestion, ClosePoll, OpenPoll, ResolveQuestion, VoteQuestion
from signaling.rooms.decide_polls import MOST_OPEN_POLLS, PollIsClosed, PollNotFound, TooManyPolls
from signaling.rooms.decide_questions import (
    MOST_OPEN,
    MOST_OPEN_EACH,
    QuestionIsResolved,
    QuestionNotFound,
    TooManyQuestions,
)
from signaling.rooms.deciding import New, PollAnswered, QuestionVoted
from tests.signaling.rooms.rehearsal import ANA, BO, CLEO, Rehearsal


def a_poll(room: Rehearsal, *, multiple: bool = False) -> int:
    room.act(OpenPoll(ANA, "Clear?", ("Yes", "No", "Partly"), multiple, False))
    return room.room.polls[-1].poll


def a_question(room: Rehearsal, asker: int = BO) -> int:
    room.act(AskQuestion(asker, "Why?"))
    return room.room.questions[-1].question


def test_an_answer_is_private_and_the_same_one_again_changes_nothing() -> None:
    room = Rehearsal()
    poll = a_poll(room)
    before = room.room
    assert room.act(AnswerPoll(BO, poll, (1,))) == [PollAnswered(poll, (1,))]
    assert room.act(AnswerPoll(BO, poll, (1,), known=(1,))) == []
    assert room.act(AnswerPoll(BO, poll, (0,), known=(1,))) == [PollAnswered(poll, (0,))]
    assert room.room == before


def test_choices_are_options_of_the_poll_and_one_unless_it_takes_several() -> None:
    room = Rehearsal()
    single, several = a_poll(room), a_poll(room, multiple=True)
    for wish in (AnswerPoll(BO, single, (0, 1)), AnswerPoll(BO, single, (3,)), AnswerPoll(BO, several, (0, 3))):
        with pytest.raises(Invalid):
            room.act(wish)
    assert room.act(AnswerPoll(BO, several, (2, 0, 2))) == [PollAnswered(several, (0, 2))]


def test_a_poll_is_opened_and_closed_by_the_instructor_and_closing_tells_the_tally() -> None:
    room = Rehearsal()
    poll = a_poll(room)
    with pytest.raises(NotAllowed):
        room.act(OpenPoll(BO, "Lunch?", ("Yes", "No"), False, False))
    with pytest.raises(NotAllowed):
        room.act(ClosePoll(BO, poll))
    assert room.told(ClosePoll(ANA, poll, (2, 0, 1))) == [("poll_closed", {"poll": poll, "tally": [2, 0, 1]})]
    assert room.act(ClosePoll(ANA, poll, (2, 0, 1))) == []
    with pytest.raises(PollIsClosed):
        room.act(AnswerPoll(BO, poll, (0,)))
    with pytest.raises(PollNotFound):
        room.act(AnswerPoll(BO, 999, (0,)))


def test_only_so_many_polls_are_open_at_once() -> None:
    room = Rehearsal()
    polls = [a_poll(room) for _ in range(MOST_OPEN_POLLS)]
    with pytest.raises(TooManyPolls):
        a_poll(room)
    room.act(ClosePoll(ANA, polls[0]))
    assert a_poll(room)


def test_a_vote_is_counted_once_and_told_without_its_voter() -> None:
    room = Rehearsal()
    question = a_question(room)
    told, kept = room.act(VoteQuestion(CLEO, question, True))
    assert isinstance(told, New) and told.is_anonymous
    assert (told.payload, kept) == ({"question": question, "votes": 1}, QuestionVoted(question, True))
    assert room.events[-1].actor_id is None
    assert room.act(VoteQuestion(CLEO, question, True, known=True)) == []
    assert room.act(VoteQuestion(BO, question, False)) == []
    room.act(VoteQuestion(CLEO, question, False, known=True))
    assert room.room.questions[-1].votes == 0


def test_a_question_is_resolved_by_the_instructor_or_its_asker() -> None:
    room = Rehearsal()
    first, second = a_question(room), a_question(room)
    with pytest.raises(NotAllowed):
        room.act(ResolveQuestion(CLEO, first))
    assert room.told(ResolveQuestion(ANA, first)) == [("question_resolved", {"question": first})]
    assert room.told(ResolveQuestion(BO, second)) == [("question_resolved", {"question": second})]
    assert room.act(ResolveQuestion(ANA, first)) == []
    with pytest.raises(QuestionIsResolved):
        room.act(VoteQuestion(CLEO, first, True))
    with pytest.raises(QuestionNotFound):
        room.act(ResolveQuestion(ANA, 999))


def test_questions_are_bounded_by_person_and_by_room() -> None:
    room = Rehearsal()
    mine = [a_question(room, BO) for _ in range(MOST_OPEN_EACH)]
    with pytest.raises(TooManyQuestions, match="You have"):
        a_question(room, BO)
    room.act(ResolveQuestion(BO, mine[0]))
    a_question(room, BO)
    for number in range(MOST_OPEN - MOST_OPEN_EACH):
        a_question(room, 100 + number)
    with pytest.raises(TooManyQuestions, match="Many"):
        a_question(room, CLEO)
