"""What people may do in a live room: decide() turns a command into new events or a refusal.

Pure: nothing here awaits, so a hundred joins are tested without a loop; timeline.py makes the events durable and
numbers them. A command that changes nothing yields no events, and then nothing is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from server.errors import Conflict, Invalid, NotAllowed
from server.live_sessions.commands import EndLiveSession, StartLiveSession
from signaling.rooms.state import Room


class SessionNotLive(Conflict):
    code, sentence = "session_not_live", "This class is not live."


class InvalidStatus(Conflict):
    code, sentence = "invalid_status", "The class is over or cancelled."


class RoomFull(Conflict):
    code, sentence = "room_full", "Every seat in this class is taken."


class NotInRoom(Conflict):
    code, sentence = "not_in_room", "That person is not in the room."


@dataclass(frozen=True, slots=True)
class New:
    """An event that has not been numbered yet."""

    type: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Enter:
    """A connection takes its person's seat; `is_lapsed` when the seat held so far ran out unnoticed."""

    user_id: int
    name: str
    avatar_url: str | None
    role: str
    connection_id: str
    is_lapsed: bool = False


@dataclass(frozen=True, slots=True)
class Vacate:
    """A connection went without a word: its person's seat is held for a while."""

    user_id: int
    connection_id: str


@dataclass(frozen=True, slots=True)
class Leave:
    """A person's stay ends. With `connection_id` only when it was their last connection."""

    user_id: int
    connection_id: str | None = None


@dataclass(frozen=True, slots=True)
class PostChat:
    user_id: int
    text: str
    reply_to: int | None = None


@dataclass(frozen=True, slots=True)
class RaiseHand:
    user_id: int


@dataclass(frozen=True, slots=True)
class LowerHand:
    user_id: int
    of_user_id: int


@dataclass(frozen=True, slots=True)
class GiveFloor:
    user_id: int
    to_user_id: int


@dataclass(frozen=True, slots=True)
class TakeFloor:
    user_id: int
    from_user_id: int


@dataclass(frozen=True, slots=True)
class PublishTracks:
    """A person sends exactly these sources from now on."""

    user_id: int
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnpublishTracks:
    """These sources of a person stopped; None means all."""

    user_id: int
    sources: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class LoseTracks:
    """The worker that forwarded this room is gone, and every track with it."""


Command = TypeVar("Command")
Decide = Callable[[Room, Any], Sequence[New]]
DECIDES: dict[type, Decide] = {}


def decides(command: type[Command]) -> Callable[[Callable[[Room, Command], Sequence[New]]], Decide]:
    """Declare how one command is judged."""

    def declare(judge: Callable[[Room, Command], Sequence[New]]) -> Decide:
        DECIDES[command] = judge
        return judge

    return declare


def decide(room: Room, command: object) -> Sequence[New]:
    """The events `command` leads to. Raises a LecternError when it is refused."""
    return DECIDES[type(command)](room, command)


def _person(type: str, user_id: int) -> New:
    return New(type, {"user_id": user_id})


def _require_live(room: Room) -> None:
    if room.status != "live":
        raise SessionNotLive()


def _require_host(room: Room, user_id: int) -> None:
    if user_id != room.host_id:
        raise NotAllowed("Only the instructor may do this.")


@decides(StartLiveSession)
def start(room: Room, wish: StartLiveSession) -> Sequence[New]:
    _require_host(room, wish.actor_id)
    if room.status == "live":
        return ()
    if room.status != "scheduled":
        raise InvalidStatus()
    return (New("session_started", {}),)


@decides(EndLiveSession)
def end(room: Room, wish: EndLiveSession) -> Sequence[New]:
    """Everybody leaves with it; a class that never began cannot end."""
    if wish.actor_id is not None:
        _require_host(room, wish.actor_id)
    if room.status == "ended":
        return ()
    if room.status != "live":
        raise InvalidStatus("A class that is not live cannot be ended.")
    left = [New("participant_left", {"user_id": p.user_id, "role": p.role}) for p in room.present]
    return (New("session_ended", {"reason": wish.reason}), *left)


@decides(Enter)
def enter(room: Room, wish: Enter) -> Sequence[New]:
    _require_live(room)
    lapsed = leave(room, Leave(wish.user_id)) if wish.is_lapsed else ()
    if room.is_in(wish.user_id) and not lapsed:
        return ()
    others = sum(1 for p in room.present if p.user_id not in (room.host_id, wish.user_id))
    if room.max_participants is not None and wish.user_id != room.host_id and others >= room.max_participants:
        raise RoomFull()
    joined = {"user_id": wish.user_id, "role": wish.role, "name": wish.name, "avatar_url": wish.avatar_url}
    return (*lapsed, New("participant_joined", joined))


@decides(Vacate)
def vacate(room: Room, wish: Vacate) -> Sequence[New]:
    return ()


@decides(Leave)
def leave(room: Room, wish: Leave) -> Sequence[New]:
    found = room.participants.get(wish.user_id)
    if found is None or not found.in_room:
        return ()
    return (New("participant_left", {"user_id": wish.user_id, "role": found.role}),)


@decides(PostChat)
def post_chat(room: Room, wish: PostChat) -> Sequence[New]:
    _require_live(room)
    if wish.reply_to is not None and not 1 <= wish.reply_to <= room.seq:
        raise Invalid(errors=[{"pointer": "/reply_to", "detail": "is no line of this class"}])
    return (New("chat_posted", {"text": wish.text, "reply_to": wish.reply_to}),)


@decides(RaiseHand)
def raise_hand(room: Room, wish: RaiseHand) -> Sequence[New]:
    _require_live(room)
    if wish.user_id == room.host_id:
        raise NotAllowed("The instructor has the floor anyway.")
    if wish.user_id in room.hands or wish.user_id in room.floor:
        return ()
    return (_person("hand_raised", wish.user_id),)


@decides(LowerHand)
def lower_hand(room: Room, wish: LowerHand) -> Sequence[New]:
    _require_live(room)
    if wish.of_user_id != wish.user_id:
        _require_host(room, wish.user_id)
    if wish.of_user_id not in room.hands:
        return ()
    return (_person("hand_lowered", wish.of_user_id),)


@decides(GiveFloor)
def give_floor(room: Room, wish: GiveFloor) -> Sequence[New]:
    _require_live(room)
    _require_host(room, wish.user_id)
    if not room.is_in(wish.to_user_id):
        raise NotInRoom()
    if wish.to_user_id in room.floor or wish.to_user_id == room.host_id:
        return ()
    return (_person("floor_given", wish.to_user_id),)


@decides(TakeFloor)
def take_floor(room: Room, wish: TakeFloor) -> Sequence[New]:
    """The instructor takes it; whoever has it may give it back. Their tracks end with it."""
    _require_live(room)
    if wish.from_user_id != wish.user_id:
        _require_host(room, wish.user_id)
    if wish.from_user_id not in room.floor:
        return ()
    return (_person("floor_taken", wish.from_user_id), *_unpublished(room, wish.from_user_id, None))


@decides(PublishTracks)
def publish_tracks(room: Room, wish: PublishTracks) -> Sequence[New]:
    _require_live(room)
    for source in wish.sources:
        if not room.may_publish(wish.user_id, source):
            raise NotAllowed("You may send sound and picture once you are given the floor.")
    stopped = tuple(s for u, s in room.tracks if u == wish.user_id and s not in wish.sources)
    started = [
        New("track_published", {"user_id": wish.user_id, "source": source})
        for source in wish.sources
        if (wish.user_id, source) not in room.tracks
    ]
    return (*_unpublished(room, wish.user_id, stopped), *started)


@decides(UnpublishTracks)
def unpublish_tracks(room: Room, wish: UnpublishTracks) -> Sequence[New]:
    return _unpublished(room, wish.user_id, wish.sources)


@decides(LoseTracks)
def lose_tracks(room: Room, wish: LoseTracks) -> Sequence[New]:
    return tuple(New("track_unpublished", {"user_id": u, "source": s}) for u, s in room.tracks)


def _unpublished(room: Room, user_id: int, sources: tuple[str, ...] | None) -> tuple[New, ...]:
    return tuple(
        New("track_unpublished", {"user_id": u, "source": s})
        for u, s in room.tracks
        if u == user_id and (sources is None or s in sources)
    )
