"""No connection of a process that is over stays written down."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from server.db.database import Database
from server.live_sessions.tables import ProcessLease, RoomConnection
from signaling.rooms.leases import end_leases, take_lease
from tests.factories import World


@pytest.mark.parametrize("everyone", [False, True])
async def test_what_was_written_under_an_ended_lease_goes_too(database: Database, world: World, everyone: bool) -> None:
    """It stood still until others ended its lease, went on, wrote a join, and was killed before its next renewal."""
    room = (await world.live_session(students=["bo"])).id
    lease = await take_lease(database)
    async with database.work("late") as work:
        then = work.now - timedelta(minutes=5)
        await work.execute(update(ProcessLease).where(ProcessLease.id == lease).values(renewed_at=then, ended_at=then))
        work.add(
            RoomConnection(
                live_session_id=room,
                lease_id=lease,
                connection_id="0-late",
                user_id=world.id_of("bo"),
                joined_at=work.now,
            )
        )
    async with database.work("end") as work:
        assert await end_leases(work, everyone=everyone) == [(room, world.id_of("bo"))]
    async with database.read() as read:
        assert (await read.scalars(select(RoomConnection.connection_id))).all() == []
