"""Leases of processes: renewed while a process lives, ended by another (or its successor) when it no longer does.

So that when a process is killed its connections' last moment is known to the renewal before it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select, update

from server.db.database import Database, Work
from server.live_sessions.tables import Participation, PresenceCount, ProcessLease, RoomConnection

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
    # Whoever is ending one already, or renewing it this moment, is left to it.
    for lease_id, renewed_at in (await work.execute(gone.with_for_update(skip_locked=True))).all():
        vanished += await end_lease(work, lease_id, renewed_at)
    return vanished


async def end_lease(work: Work, lease_id: int, lived_until: datetime) -> list[tuple[int, int]]:
    """This process is over since `lived_until`; returns (live session, person) of whoever has no connection left."""
    vanished: list[tuple[int, int]] = []
    held = (await work.execute(select(RoomConnection).where(RoomConnection.lease_id == lease_id))).scalars().all()
    await work.execute(delete(RoomConnection).where(RoomConnection.lease_id == lease_id))
    await work.execute(delete(PresenceCount).where(PresenceCount.lease_id == lease_id))
    for live_session_id, user_id in {(c.live_session_id, c.user_id) for c in held}:
        elsewhere = select(RoomConnection.user_id).filter_by(live_session_id=live_session_id, user_id=user_id)
        if await work.scalar(elsewhere.limit(1)) is not None:
            continue
        vanished.append((live_session_id, user_id))
        later_of = func.max if work.is_sqlite else func.greatest
        seen: Any = later_of(lived_until, Participation.joined_at)
        await work.execute(
            update(Participation)
            .where(
                Participation.live_session_id == live_session_id,
                Participation.user_id == user_id,
                Participation.left_at.is_(None),
                Participation.last_seen_at.is_(None),
            )
            .values(last_seen_at=seen)
        )
    await work.execute(update(ProcessLease).where(ProcessLease.id == lease_id).values(ended_at=lived_until))
    return vanished
