"""Many people's connections take their seats, or go, in one transaction and with as many statements as for one.

When a class begins or a network comes back, the writer's groups are nearly all of one kind; a statement each would be
most of what a join costs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, and_, bindparam, delete, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from server.db.base import Base, UtcDateTime
from server.db.database import Reading, Work
from server.live_sessions.tables import LiveSession, Participation, RoomConnection
from signaling.rooms.commands import Leave, Vacate
from signaling.rooms.state import TimelineEvent

BRIDGED = timedelta(seconds=30)  # whoever was away for longer has a gap in the attendance, though the seat was held
_PEOPLE: BindParameter[int] = bindparam("people", expanding=True)
_CONNECTIONS: BindParameter[str] = bindparam("connections", expanding=True)
_ROOM: BindParameter[int] = bindparam("room")
_stays, _here = (Base.metadata.tables[table.__tablename__] for table in (Participation, RoomConnection))
_OPEN = and_(_stays.c.live_session_id == _ROOM, _stays.c.user_id.in_(_PEOPLE), _stays.c.left_at.is_(None))
_OF_ROOM = _here.c.live_session_id == _ROOM
# Made once and without entities: a crowd asks the same again and again, and the room's own row waits for the end.
_OPEN_SEATS = and_(
    tuple_(_stays.c.live_session_id, _stays.c.user_id).in_(bindparam("seats", expanding=True)),
    _stays.c.left_at.is_(None),
)
_HELD = select(_stays.c.live_session_id, _stays.c.user_id, _stays.c.last_seen_at).where(
    _OPEN_SEATS, _stays.c.last_seen_at.is_not(None)
)
_BEGIN = insert(_stays)
_CLOSE = update(_stays).where(_OPEN, _stays.c.last_seen_at.is_not(None)).values(left_at=_stays.c.last_seen_at)
# A tab that takes its seat again is there already, and stays as it is.
_CONNECT_SQLITE = sqlite.insert(_here).on_conflict_do_nothing()
_CONNECT_POSTGRESQL = postgresql.insert(_here).on_conflict_do_nothing()
_TAKE = update(_stays).where(_OPEN_SEATS, _stays.c.last_seen_at.is_not(None)).values(last_seen_at=None)
_HOLD = (
    update(_stays)
    .where(_OPEN, _stays.c.last_seen_at.is_(None))
    .values(last_seen_at=bindparam("now", type_=UtcDateTime))
)
_DISCONNECT = delete(_here).where(_OF_ROOM, _here.c.connection_id.in_(_CONNECTIONS))
_STAYING = select(_here.c.user_id).where(_OF_ROOM, _here.c.user_id.in_(_PEOPLE))


Seat = tuple[int, int]  # a live session and a person


async def held_since(read: Reading, seats: Collection[Seat]) -> dict[Seat, datetime]:
    """Of these, the seats that only are held for their people, and since when; who is connected is left out."""
    found = await read.execute(_HELD, {"seats": list(seats)})
    return {(live_session_id, user_id): seen_at for live_session_id, user_id, seen_at in found}


async def begin_stays(work: Work, joined: Iterable[tuple[LiveSession, Sequence[TimelineEvent]]]) -> None:
    """What `participant_joined` means for rows, in each of these rooms."""
    stays = []
    for row, events in joined:
        if events:
            row.empty_since = None
            stays += _stays_of(work, row, {event.payload["user_id"]: event.payload["role"] for event in events})
    if stays:
        await work.execute(_BEGIN, stays)


async def begin_again(work: Work, row: LiveSession, roles: Mapping[int, str]) -> None:
    """These people come back to held seats, but late: one interval of their attendance ends, another begins."""
    await work.execute(_CLOSE, {"room": row.id, "people": list(roles)})
    await work.execute(_BEGIN, _stays_of(work, row, roles))


def _stays_of(work: Work, row: LiveSession, roles: Mapping[int, str]) -> list[dict[str, Any]]:
    return [
        {
            "live_session_id": row.id,
            "user_id": user_id,
            "role": role,
            "joined_at": work.now,
            "last_seen_at": None,
            "left_at": None,
        }
        for user_id, role in roles.items()
    ]


async def connect(
    work: Work, taken: Collection[tuple[str, Seat]], lease_id: int, *, begun: Collection[Seat] = ()
) -> None:
    """Each of these connections takes (or keeps) its person's seat; the stays in `begun` were begun in this work.

    Nobody else has seen those yet, so nobody holds a seat in them. An older stay is looked at whatever was read before:
    the end of another process's lease changes it without the room's lock.
    """
    if older := {seat for _, seat in taken}.difference(begun):
        await work.execute(_TAKE, {"seats": list(older)})
    here = {"lease_id": lease_id, "joined_at": work.now}
    rows = [
        {**here, "live_session_id": live_session_id, "connection_id": connection_id, "user_id": user_id}
        for connection_id, (live_session_id, user_id) in taken
    ]
    await work.execute(_CONNECT_SQLITE if work.is_sqlite else _CONNECT_POSTGRESQL, rows)


async def disconnect(work: Work, row: LiveSession, wishes: Sequence[Vacate | Leave]) -> set[int]:
    """The connections go; the people who have no other in this room, whose seats are then held from now."""
    people = {wish.user_id for wish in wishes}
    await work.execute(_DISCONNECT, {"room": row.id, "connections": [wish.connection_id for wish in wishes]})
    staying = await work.execute(_STAYING, {"room": row.id, "people": list(people)})
    people -= {user_id for (user_id,) in staying}
    if people:
        await work.execute(_HOLD, {"room": row.id, "people": list(people), "now": work.now})
    return people
