"""Many people's connections take their seats, or go, in one transaction and with as many statements as for one.

When a class begins or a network comes back, the writer's groups are nearly all of one kind; a statement each would be
most of what a join costs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, and_, bindparam, delete, select, tuple_, update
from sqlalchemy.orm.attributes import set_committed_value

from server.db.base import Base, UtcDateTime
from server.db.bulk import BulkInsert, elements
from server.db.database import Work
from server.db.glances import Question
from server.live_sessions.tables import LiveSession, Participation, RoomConnection
from signaling.rooms.commands import Leave, Vacate
from signaling.rooms.state import TimelineEvent

BRIDGED = timedelta(seconds=30)  # whoever was away for longer has a gap in the attendance, though the seat was held
_PEOPLE: BindParameter[int] = bindparam("people", expanding=True)
_CONNECTIONS: BindParameter[str] = bindparam("connections", expanding=True)
_ROOM: BindParameter[int] = bindparam("room")
_stays, _here, _rooms = (
    Base.metadata.tables[table.__tablename__] for table in (Participation, RoomConnection, LiveSession)
)
_OPEN = and_(_stays.c.live_session_id == _ROOM, _stays.c.user_id.in_(_PEOPLE), _stays.c.left_at.is_(None))
_OF_ROOM = _here.c.live_session_id == _ROOM
# Made once and without entities: a crowd asks the same again and again, and the room's own row waits for the end.
_HELD = Question(  # among others' seats
    lambda among: select(_stays.c.live_session_id, _stays.c.user_id, _stays.c.last_seen_at).where(
        among(_stays.c.live_session_id, "rooms"),
        among(_stays.c.user_id, "people"),
        _stays.c.left_at.is_(None),
        _stays.c.last_seen_at.is_not(None),
    )
)
_BEGIN = BulkInsert(_stays, ("live_session_id", "user_id", "role", "joined_at", "last_seen_at", "left_at"))
_CLOSE = update(_stays).where(_OPEN, _stays.c.last_seen_at.is_not(None)).values(left_at=_stays.c.last_seen_at)
# A tab that takes its seat again is there already, and stays as it is.
_CONNECT = BulkInsert(_here, ("connection_id", "live_session_id", "user_id", "lease_id", "joined_at"), or_keep=True)
_SEATS_SQLITE = select(*elements("seats", 2))
_SEATS_POSTGRESQL: BindParameter[Any] = bindparam("seats", expanding=True)
_TAKE_SQLITE, _TAKE_POSTGRESQL = (
    update(_stays)
    .where(
        tuple_(_stays.c.live_session_id, _stays.c.user_id).in_(seats),
        _stays.c.left_at.is_(None),
        _stays.c.last_seen_at.is_not(None),
    )
    .values(last_seen_at=None)
    for seats in (_SEATS_SQLITE, _SEATS_POSTGRESQL)
)
_room, _reached = elements("rooms", 2)
_MOVE_SQLITE, _MOVE_POSTGRESQL = (
    update(_rooms).where(_rooms.c.id == room).values(last_seq=seq, empty_since=None)
    for room, seq in ((_room, _reached), (bindparam("moved"), bindparam("reached")))
)
_HOLD = (
    update(_stays)
    .where(_OPEN, _stays.c.last_seen_at.is_(None))
    .values(last_seen_at=bindparam("now", type_=UtcDateTime))
)
_DISCONNECT = delete(_here).where(_OF_ROOM, _here.c.connection_id.in_(_CONNECTIONS))
_STAYING = select(_here.c.user_id).where(_OF_ROOM, _here.c.user_id.in_(_PEOPLE))


Seat = tuple[int, int]  # a live session and a person


async def held_since(work: Work, seats: Collection[Seat]) -> dict[Seat, datetime]:
    """Of these, the seats that only are held for their people, and since when; who is connected is left out."""
    rooms, people = ({seat[place] for seat in seats} for place in (0, 1))
    found = await work.ask(_HELD, {"rooms": list(rooms), "people": list(people)})
    held = {(live_session_id, user_id): seen_at for live_session_id, user_id, seen_at in found}
    return {seat: held[seat] for seat in seats if seat in held}


async def begin_stays(work: Work, joined: Sequence[tuple[LiveSession, Sequence[TimelineEvent]]]) -> None:
    """What `participant_joined` means for rows, in each of these rooms."""
    stays = []
    for row, events in joined:
        row.empty_since = None
        stays += _stays_of(work, row, {event.payload["user_id"]: event.payload["role"] for event in events})
    await _BEGIN.run(work, stays)


async def move_on(work: Work, reached: Mapping[LiveSession, int]) -> None:
    """Somebody is in these rooms, whose logs have come so far: said at once, not row by row at the end."""
    positions = [(row.id, seq) for row, seq in reached.items()]
    if work.is_sqlite:
        await work.execute(_MOVE_SQLITE, {"rooms": json.dumps(positions)})
    else:
        await work.execute(_MOVE_POSTGRESQL, [{"moved": room, "reached": seq} for room, seq in positions])
    for row, seq in reached.items():
        set_committed_value(row, "last_seq", seq)
        set_committed_value(row, "empty_since", None)


async def begin_again(work: Work, row: LiveSession, roles: Mapping[int, str]) -> None:
    """These people come back to held seats, but late: one interval of their attendance ends, another begins."""
    await work.execute(_CLOSE, {"room": row.id, "people": list(roles)})
    await _BEGIN.run(work, _stays_of(work, row, roles))


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
        if work.is_sqlite:
            await work.execute(_TAKE_SQLITE, {"seats": json.dumps(list(older))})
        else:
            await work.execute(_TAKE_POSTGRESQL, {"seats": list(older)})
    here = {"lease_id": lease_id, "joined_at": work.now}
    rows = [
        {**here, "live_session_id": live_session_id, "connection_id": connection_id, "user_id": user_id}
        for connection_id, (live_session_id, user_id) in taken
    ]
    await _CONNECT.run(work, rows)


async def disconnect(work: Work, row: LiveSession, wishes: Sequence[Vacate | Leave]) -> set[int]:
    """The connections go; the people who have no other in this room, whose seats are then held from now."""
    people = {wish.user_id for wish in wishes}
    await work.execute(_DISCONNECT, {"room": row.id, "connections": [wish.connection_id for wish in wishes]})
    staying = await work.execute(_STAYING, {"room": row.id, "people": list(people)})
    people -= {user_id for (user_id,) in staying}
    if people:
        await work.execute(_HOLD, {"room": row.id, "people": list(people), "now": work.now})
    return people
