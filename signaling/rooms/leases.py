"""Leases of processes: renewed while a process lives, ended by another (or its successor) when it no longer does.

So that when a process is killed its connections' last moment is known to the renewal before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select, update

from server.db.database import Database, Work
from server.live_sessions.tables import LiveSession, Participation, PresenceCount, ProcessLease, RoomConnection

LEASE_LASTS = timedelta(seconds=15)


async def take_lease(database: Database) -> int:
    """This process's lease; what dead predecessors held ends at their last renewal.

    Embedded, every earlier lease is a predecessor's, because one process tree owns the folder.
    """
    async with database.work("take lease") as work:
        await end_leases(work, everyone=database.is_sqlite)
        row = ProcessLease(kind="web", started_at=work.now, renewed_at=work.now, counts_version=0)
        work.add(row)
        await work.flush()
        return row.id


async def end_leases(work: Work, *, everyone: bool) -> list[tuple[int, int]]:
    """Connections of ended processes go; their people's seats are held from the last renewal on.

    Returns (live session, person) of whoever has no connection left.
    """
    vanished: list[tuple[int, int]] = []
    # One whose lease was ended because it was late may have written connections before it died without renewing it.
    has_connections = ProcessLease.id.in_(select(RoomConnection.lease_id))
    gone = select(ProcessLease.id, ProcessLease.renewed_at).where(or_(ProcessLease.ended_at.is_(None), has_connections))
    if not everyone:
        gone = gone.where(ProcessLease.renewed_at < work.now - LEASE_LASTS)
    if not (over := [lease_id for lease_id, _ in (await work.execute(gone)).all()]):
        return vanished
    rooms = await _lock_rooms(work, over)
    # Whoever is ending one already, or renewing it this moment, is left to it.
    mine = gone.where(ProcessLease.id.in_(over)).with_for_update(skip_locked=True, key_share=True)
    for lease_id, renewed_at in (await work.execute(mine)).all():
        vanished += await _end(work, lease_id, renewed_at, rooms)
    return vanished


async def end_lease(work: Work, lease_id: int, lived_until: datetime) -> list[tuple[int, int]]:
    """This process is over since `lived_until`; returns (live session, person) of whoever has no connection left."""
    return await _end(work, lease_id, lived_until, await _lock_rooms(work, [lease_id]))


async def _lock_rooms(work: Work, lease_ids: Sequence[int]) -> list[int]:
    """The rooms these processes have connections in, locked as for a command.

    Somebody who comes or goes by another process at this very moment would otherwise see the old connections, and we
    the new ones, each as it was before: a seat that nobody holds would stay for ever, or one that is held would lapse.
    """
    theirs = select(RoomConnection.live_session_id).where(RoomConnection.lease_id.in_(lease_ids))
    rooms = select(LiveSession.id).where(LiveSession.id.in_(theirs)).order_by(LiveSession.id)
    return list(await work.scalars(rooms.with_for_update()))


async def _end(work: Work, lease_id: int, lived_until: datetime, rooms: Sequence[int]) -> list[tuple[int, int]]:
    """`rooms` are locked; what a late process wrote in others meanwhile goes with the next look."""
    ours = (RoomConnection.lease_id == lease_id, RoomConnection.live_session_id.in_(rooms))
    people: dict[int, set[int]] = {}
    for live_session_id, user_id in (
        await work.execute(select(RoomConnection.live_session_id, RoomConnection.user_id).where(*ours))
    ).all():
        people.setdefault(live_session_id, set()).add(user_id)
    await work.execute(delete(RoomConnection).where(*ours))
    await work.execute(delete(PresenceCount).where(PresenceCount.lease_id == lease_id))
    vanished: list[tuple[int, int]] = []
    for live_session_id, there in people.items():
        elsewhere = select(RoomConnection.user_id).filter_by(live_session_id=live_session_id)
        there -= set(await work.scalars(elsewhere.where(RoomConnection.user_id.in_(there))))
        vanished += [(live_session_id, user_id) for user_id in sorted(there)]
        later_of = func.max if work.is_sqlite else func.greatest
        seen: Any = later_of(lived_until, Participation.joined_at)
        await work.execute(
            update(Participation)
            .where(
                Participation.live_session_id == live_session_id,
                Participation.user_id.in_(there),
                Participation.left_at.is_(None),
                Participation.last_seen_at.is_(None),
            )
            .values(last_seen_at=seen)
        )
    await work.execute(update(ProcessLease).where(ProcessLease.id == lease_id).values(ended_at=lived_until))
    return vanished
