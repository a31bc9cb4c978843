"""A class begins and ends; people come, stay and leave."""

from __future__ import annotations

from collections.abc import Sequence

from server.errors import Conflict
from server.live_sessions.commands import EndLiveSession, StartLiveSession
from server.live_sessions.rules import RemovedFromSession
from signaling.rooms.commands import Enter, GiveUpSeat, Leave, Vacate
from signaling.rooms.deciding import New, Private, decides, require_host, require_live
from signaling.rooms.state import Room


class InvalidStatus(Conflict):
    code, sentence = "invalid_status", "The class is over or cancelled."


class RoomFull(Conflict):
    code, sentence = "room_full", "Every seat in this class is taken."


@decides(StartLiveSession)
def start(room: Room, wish: StartLiveSession) -> Sequence[New]:
    require_host(room, wish.actor_id)
    if room.status == "live":
        return ()
    if room.status != "scheduled":
        raise InvalidStatus()
    return (New("session_started", {}),)


@decides(EndLiveSession)
def end(room: Room, wish: EndLiveSession) -> Sequence[New]:
    """Open polls close with their tally, then everybody leaves; a class that never began cannot end."""
    if wish.actor_id is not None:
        require_host(room, wish.actor_id)
    if room.status == "ended":
        return ()
    if room.status != "live":
        raise InvalidStatus("A class that is not live cannot be ended.")
    closed = [New("poll_closed", {"poll": poll, "tally": list(tally)}) for poll, tally in wish.known]
    left = [New("participant_left", {"user_id": p.user_id, "role": p.role}) for p in room.present]
    return (*closed, New("session_ended", {"reason": wish.reason}), *left)


@decides(Enter)
def enter(room: Room, wish: Enter) -> Sequence[New | Private]:
    require_live(room)
    if wish.user_id in room.removed:
        raise RemovedFromSession()
    lapsed = leave(room, Leave(wish.user_id)) if wish.is_lapsed else ()
    if room.is_in(wish.user_id) and not lapsed:
        return ()
    if room.max_participants is not None and wish.user_id != room.host_id:
        others = sum(1 for p in room.present if p.user_id not in (room.host_id, wish.user_id))
        if others >= room.max_participants:
            raise RoomFull()
    joined = {"user_id": wish.user_id, "role": wish.role, "name": wish.name, "avatar_url": wish.avatar_url}
    return (*lapsed, New("participant_joined", joined))


@decides(Vacate)
def vacate(room: Room, wish: Vacate) -> Sequence[New]:
    return ()


@decides(GiveUpSeat)
def give_up_seat(room: Room, wish: GiveUpSeat) -> Sequence[New | Private]:
    return leave(room, Leave(wish.user_id)) if wish.is_lapsed else ()


@decides(Leave)
def leave(room: Room, wish: Leave) -> Sequence[New]:
    found = room.participants.get(wish.user_id)
    if found is None or not found.in_room:
        return ()
    return (New("participant_left", {"user_id": wish.user_id, "role": found.role}),)
