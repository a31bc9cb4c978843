"""How commands are judged: each type by the one function that declares it; what a judgment consists of.

A judgment is a sequence of new events and private records, or a refusal. An event is told to everyone in the room; a
private record is a row of its own table, read by nobody but its owner and the count. Nothing at all means that the
command changed nothing, and then nothing is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from server.errors import Conflict, NotAllowed
from signaling.rooms.state import Room


class SessionNotLive(Conflict):
    code, sentence = "session_not_live", "This class is not live."


class NotInRoom(Conflict):
    code, sentence = "not_in_room", "That person is not in the room."


@dataclass(frozen=True, slots=True)
class New:
    """An event that has not been numbered yet; an anonymous one names neither its actor nor their client_id."""

    type: str
    payload: Mapping[str, Any]
    is_anonymous: bool = False


@dataclass(frozen=True, slots=True)
class PollAnswered:
    """Private: what the actor answers to a poll from now on."""

    poll: int
    choices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class QuestionVoted:
    """Private: whether the actor's vote for a question counts from now on."""

    question: int
    is_on: bool


Private = PollAnswered | QuestionVoted
Command = TypeVar("Command")
Decide = Callable[[Room, Any], Sequence[New | Private]]
DECIDES: dict[type, Decide] = {}


def decides(
    command: type[Command],
) -> Callable[[Callable[[Room, Command], Sequence[New | Private]]], Callable[[Room, Command], Sequence[New | Private]]]:
    """Declare how one command is judged."""

    def declare(
        judge: Callable[[Room, Command], Sequence[New | Private]],
    ) -> Callable[[Room, Command], Sequence[New | Private]]:
        DECIDES[command] = judge
        return judge

    return declare


def decide(room: Room, command: object) -> Sequence[New | Private]:
    """What `command` leads to. Raises a LecternError when it is refused."""
    return DECIDES[type(command)](room, command)


def person(type: str, user_id: int) -> New:
    """An event that is about one person and says nothing more."""
    return New(type, {"user_id": user_id})


def require_live(room: Room) -> None:
    """Raises SessionNotLive."""
    if room.status != "live":
        raise SessionNotLive()


def require_host(room: Room, user_id: int) -> None:
    """Raises NotAllowed for everybody but the instructor."""
    if user_id != room.host_id:
        raise NotAllowed("Only the instructor may do this.")
