"""What people do in a room that others must not see: rows of their own tables, in the transaction of the wish.

The last row of a person is current and counts; earlier ones stay, so that a repeated wish is given its own answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select, update

from server.db.database import Reading, Work
from server.live_sessions.tables import PollAnswer, QuestionVote
from signaling.rooms.deciding import PollAnswered, Private
from signaling.rooms.state import Poll, Room


@dataclass(frozen=True, slots=True)
class TallyChanged:
    """Somebody answered an open poll: those who may see its tally are told, soon."""

    live_session_id: int
    poll: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How often each option was chosen, and by how many people in all."""

    counts: tuple[int, ...]
    answers: int


async def keep(work: Work, live_session_id: int, user_id: int, client_id: str, seq: int, kept: Private) -> None:
    """Write one record; `seq` is what its wish is answered."""
    given = {
        "live_session_id": live_session_id,
        "user_id": user_id,
        "client_id": client_id,
        "seq": seq,
        "at": work.now,
        "is_current": True,
    }
    mine: dict[str, Any] = {"live_session_id": live_session_id, "user_id": user_id, "is_current": True}
    if isinstance(kept, PollAnswered):
        before = update(PollAnswer).filter_by(poll=kept.poll, **mine)
        await work.execute(before.values(is_current=False))
        choices = ",".join(map(str, kept.choices))
        await work.execute(insert(PollAnswer).values(poll=kept.poll, choices=choices, **given))
        work.announce(TallyChanged(live_session_id, kept.poll))
    else:
        before = update(QuestionVote).filter_by(question=kept.question, **mine)
        await work.execute(before.values(is_current=False))
        await work.execute(insert(QuestionVote).values(question=kept.question, is_on=kept.is_on, **given))


async def answer_of(read: Reading, live_session_id: int, poll: int, user_id: int) -> tuple[int, ...] | None:
    """What a person answers to a poll now."""
    mine = select(PollAnswer.choices).filter_by(live_session_id=live_session_id, poll=poll, user_id=user_id)
    found = await read.scalar(mine.where(PollAnswer.is_current))
    return _numbers(found) if found is not None else None


async def has_voted(read: Reading, live_session_id: int, question: int, user_id: int) -> bool:
    """Whether a person's vote for a question counts now."""
    mine = select(QuestionVote.is_on).filter_by(live_session_id=live_session_id, question=question, user_id=user_id)
    return bool(await read.scalar(mine.where(QuestionVote.is_current)))


async def tally(read: Reading, live_session_id: int, poll: Poll) -> Tally:
    """Everybody's current answers to a poll."""
    query = (
        select(PollAnswer.choices, func.count())
        .where(PollAnswer.live_session_id == live_session_id, PollAnswer.poll == poll.poll, PollAnswer.is_current)
        .group_by(PollAnswer.choices)
    )
    counts, answers = [0] * len(poll.options), 0
    for choices, people in (await read.execute(query)).all():
        answers += people
        for choice in _numbers(choices):
            counts[choice] += people
    return Tally(tuple(counts), answers)


def has_open(room: Room) -> bool:
    """Whether there is anything that own() would look up."""
    return any(poll.open for poll in room.polls) or any(not question.resolved for question in room.questions)


async def own(read: Reading, room: Room, user_id: int) -> dict[str, Any]:
    """What `user_id` gave to the polls and questions of a room that are still open, and the tallies they may see."""
    polls = [poll for poll in room.polls if poll.open]
    questions = [question.question for question in room.questions if not question.resolved]
    mine: dict[str, Any] = {"live_session_id": room.live_session_id, "user_id": user_id}
    shown: dict[str, Any] = {}
    if polls:
        query = select(PollAnswer.poll, PollAnswer.choices).filter_by(**mine)
        open_ones = PollAnswer.poll.in_([poll.poll for poll in polls])
        found = (await read.execute(query.where(PollAnswer.is_current, open_ones))).all()
        shown["poll_answers"] = [{"poll": poll, "choices": list(_numbers(choices))} for poll, choices in found]
        visible = [poll for poll in polls if may_see_tally(room, poll, user_id)]
        shown["poll_tallies"] = [tally_shown(p, await tally(read, room.live_session_id, p)) for p in visible]
    if questions:
        voted = select(QuestionVote.question).filter_by(**mine)
        counted = (QuestionVote.is_current, QuestionVote.is_on, QuestionVote.question.in_(questions))
        shown["question_votes"] = list(await read.scalars(voted.where(*counted)))
    return shown


def may_see_tally(room: Room, poll: Poll, user_id: int) -> bool:
    """A hidden poll's tally is the instructor's until it is closed."""
    return not poll.hidden or user_id == room.host_id


def tally_shown(poll: Poll, found: Tally) -> dict[str, Any]:
    """A tally as clients see it."""
    return {"poll": poll.poll, "tally": list(found.counts), "answers": found.answers}


def _numbers(choices: str) -> tuple[int, ...]:
    return tuple(int(one) for one in choices.split(","))
