"""Many people's connections take their seats, or go, in one transaction and with as many statements as for one.

When a class begins or a network comes back, the writer's groups are nearly all of one kind; a statement each would be
most of what a join costs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from server.db.database import Reading, Work
from server.live_sessions.tables import LiveSession, Participation, RoomConnection
from signaling.rooms.commands import Enter, Leave, Vacate
from signaling.rooms.state import TimelineEvent


async def held_since(read: Reading, live_session_id: int, user_ids: Collection[int]) -> dict[int, datetime]:
    """Of these people, those whose seat only is held for them, and since when; who is connected is left out."""
    seats = select(Participation.user_id, Participation.last_seen_at).where(
        Participation.live_session_id == live_session_id,
        Participation.user_id.in_(user_ids),
        Participation.left_at.is_(None),
        Participation.last_seen_at.is_not(None),
    )
    return dict((await read.execute(seats)).all())


async def begin_stays(work: Work, row: LiveSession, joined: Sequence[TimelineEvent]) -> None:
    """What `participant_joined` means for rows."""
    row.empty_since = None
    stays = [
        {
            "live_session_id": row.id,
            "user_id": event.payload["user_id"],
            "role": event.payload["role"],
            "joined_at": work.now,
            "last_seen_at": None,
            "left_at": None,
        }
        for event in joined
    ]
    await work.execute(insert(Participation), stays)


async def connect(work: Work, row: LiveSession, wishes: Sequence[Enter], lease_id: int) -> None:
    """Each connection takes (or keeps) its person's seat."""
    await work.execute(
        update(Participation)
        .where(
            Participation.live_session_id == row.id,
            Participation.user_id.in_([wish.user_id for wish in wishes]),
            Participation.left_at.is_(None),
        )
        .values(last_seen_at=None)
        .execution_options(synchronize_session=False)
    )
    people = {wish.connection_id: wish.user_id for wish in wishes}
    known = select(RoomConnection.connection_id).where(
        RoomConnection.live_session_id == row.id, RoomConnection.connection_id.in_(people)
    )
    for connection_id in await work.scalars(known):
        del people[connection_id]
    if people:
        here = {"live_session_id": row.id, "lease_id": lease_id, "joined_at": work.now}
        rows = [{**here, "connection_id": found, "user_id": user_id} for found, user_id in people.items()]
        await work.execute(insert(RoomConnection), rows)


async def disconnect(work: Work, row: LiveSession, wishes: Sequence[Vacate | Leave]) -> set[int]:
    """The connections go; the people who have no other in this room, whose seats are then held from now."""
    of_room = RoomConnection.live_session_id == row.id
    going = [wish.connection_id for wish in wishes]
    people = {wish.user_id for wish in wishes}
    await work.execute(
        delete(RoomConnection)
        .where(of_room, RoomConnection.connection_id.in_(going))
        .execution_options(synchronize_session=False)
    )
    people -= set(await work.scalars(select(RoomConnection.user_id).where(of_room, RoomConnection.user_id.in_(people))))
    if people:
        await work.execute(
            update(Participation)
            .where(
                Participation.live_session_id == row.id,
                Participation.user_id.in_(people),
                Participation.left_at.is_(None),
                Participation.last_seen_at.is_(None),
            )
            .values(last_seen_at=work.now)
            .execution_options(synchronize_session=False)
        )
    return people
