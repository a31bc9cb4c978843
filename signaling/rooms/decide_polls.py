"""Polls: the instructor opens and closes them, each person answers once and may answer anew while it is open."""

from __future__ import annotations

from collections.abc import Sequence

from server.errors import Conflict, Invalid, Missing
from signaling.rooms.commands import AnswerPoll, ClosePoll, OpenPoll
from signaling.rooms.deciding import New, PollAnswered, Private, decides, require_host, require_live
from signaling.rooms.state import Poll, Room

MOST_OPEN_POLLS = 20  # another is refused until one is closed


class TooManyPolls(Conflict):
    code, sentence = "too_many_polls", f"At most {MOST_OPEN_POLLS} polls are open at once; close one first."


class PollNotFound(Missing):
    code, sentence = "poll_not_found", "There is no such poll in this class."


class PollIsClosed(Conflict):
    code, sentence = "poll_closed", "This poll is closed."


@decides(OpenPoll)
def open_poll(room: Room, wish: OpenPoll) -> Sequence[New]:
    require_live(room)
    require_host(room, wish.user_id)
    if sum(poll.open for poll in room.polls) >= MOST_OPEN_POLLS:
        raise TooManyPolls()
    told = {
        "question": wish.question,
        "options": list(wish.options),
        "multiple": wish.is_multiple,
        "hidden": wish.is_hidden,
    }
    return (New("poll_opened", told),)


@decides(AnswerPoll)
def answer_poll(room: Room, wish: AnswerPoll) -> Sequence[Private]:
    """Nothing of it goes into the timeline, which everybody reads."""
    require_live(room)
    poll = _found(room, wish.poll)
    if not poll.open:
        raise PollIsClosed()
    if not poll.multiple and len(wish.choices) != 1:
        raise Invalid(errors=[{"pointer": "/choices", "detail": "must be exactly one option"}])
    if any(choice >= len(poll.options) for choice in wish.choices):
        raise Invalid(errors=[{"pointer": "/choices", "detail": "names an option this poll does not have"}])
    choices = tuple(sorted(set(wish.choices)))
    return () if choices == wish.known else (PollAnswered(poll.poll, choices),)


@decides(ClosePoll)
def close_poll(room: Room, wish: ClosePoll) -> Sequence[New]:
    """With it everybody learns the tally, a hidden poll's too."""
    require_live(room)
    require_host(room, wish.user_id)
    poll = _found(room, wish.poll)
    if not poll.open:
        return ()
    return (New("poll_closed", {"poll": poll.poll, "tally": list(wish.known)}),)


def _found(room: Room, number: int) -> Poll:
    for poll in room.polls:
        if poll.poll == number:
            return poll
    raise PollNotFound()
