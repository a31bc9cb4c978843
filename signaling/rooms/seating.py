"""Many people's connections take their seats, or go, in one transaction and with as many statements as for one.

When a class begins or a network comes back, the writer's groups are nearly all of one kind; a statement each would be
most of what a join costs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import BindParameter, and_, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from server.db.base import Base, UtcDateTime
from server.db.database import Reading, Work
from server.live_sessions.tables import LiveSession, Participation, RoomConnection
from signaling.rooms.commands import Enter, Leave, Vacate
from signaling.rooms.state import TimelineEvent

BRIDGED = timedelta(seconds=30)  # whoever was away for longer has a gap in the attendance, though the seat was held
_PEOPLE: BindParameter[int] = bindparam("people", expanding=True)
_CONNECTIONS: BindParameter[str] = bindparam("connections", expanding=True)
_ROOM: BindParameter[int] = bindparam("room")
_stays, _here = (Base.metadata.tables[table.__tablename__] for table in (Participation, RoomConnection))
_OPEN = and_(_stays.c.live_session_id == _ROOM, _stays.c.user_id.in_(_PEOPLE), _stays.c.left_at.is_(None))
_OF_ROOM = _here.c.live_session_id == _ROOM
# Made once and without entities: a crowd asks the same again and again, and the room's own row waits for the end.
_HELD = select(_stays.c.user_id, _stays.c.last_seen_at).where(_OPEN, _stays.c.last_seen_at.is_not(None))
_BEGIN = insert(_stays)
_CLOSE = update(_stays).where(_OPEN, _stays.c.last_seen_at.is_not(None)).values(left_at=_stays.c.last_seen_at)
# A tab that takes its seat again is there already, and stays as it is.
_CONNECT_SQLITE = sqlite.insert(_here).on_conflict_do_nothing()
_CONNECT_POSTGRESQL = postgresql.insert(_here).on_conflict_do_nothing()
_TAKE = update(_stays).where(_OPEN, _stays.c.last_seen_at.is_not(None)).values(last_seen_at=None)
_HOLD = (
    update(_stays)
    .where(_OPEN, _stays.c.last_seen_at.is_(None))
    .values(last_seen_at=bindparam("now", type_=UtcDateTime))
)
_DISCONNECT = delete(_here).where(_OF_ROOM, _here.c.connection_id.in_(_CONNECTIONS))
_STAYING = select(_here.c.user_id).where(_OF_ROOM, _here.c.user_id.in_(_PEOPLE))


async def held_since(read: Reading, live_session_id: int, user_ids: Collection[int]) -> dict[int, datetime]:
    """Of these people, those whose seat only is held for them, and since when; who is connected is left out."""
    return dict((await read.execute(_HELD, {"room": live_session_id, "people": list(user_ids)})).all())


async def begin_stays(work: Work, row: LiveSession, joined: Sequence[TimelineEvent]) -> None:
    """What `participant_joined` means for rows."""
    row.empty_since = None
    await _begin(work, row, {event.payload["user_id"]: event.payload["role"] for event in joined})


async def begin_again(work: Work, row: LiveSession, roles: Mapping[int, str]) -> None:
    """These people come back to held seats, but late: one interval of their attendance ends, another begins."""
    await work.execute(_CLOSE, {"room": row.id, "people": list(roles)})
    await _begin(work, row, roles)


async def _begin(work: Work, row: LiveSession, roles: Mapping[int, str]) -> None:
    stays = [
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
    await work.execute(_BEGIN, stays)


async def connect(
    work: Work, row: LiveSession, wishes: Sequence[Enter], lease_id: int, *, begun: Collection[int] = ()
) -> None:
    """Each connection takes (or keeps) its person's seat; the stays of the people in `begun` were begun in this work.

    Nobody else has seen those yet, so nobody holds a seat in them. An older stay is looked at whatever was read before:
    the end of another process's lease changes it without the room's lock.
    """
    if older := {wish.user_id for wish in wishes}.difference(begun):
        await work.execute(_TAKE, {"room": row.id, "people": list(older)})
    people = {wish.connection_id: wish.user_id for wish in wishes}
    here = {"live_session_id": row.id, "lease_id": lease_id, "joined_at": work.now}
    rows = [{**here, "connection_id": found, "user_id": user_id} for found, user_id in people.items()]
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
