"""No connection of a process that is over stays written down, and nobody's seat suffers by its end."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from server.db.database import Database
from server.live_sessions.tables import Participation, ProcessLease, RoomConnection
from server.metrics import Metrics
from signaling.rooms.commands import Enter, Vacate
from signaling.rooms.leases import end_leases, take_lease
from signaling.rooms.registry import Registry
from signaling.rooms.timeline import Timeline
from signaling.rooms.writer import Writer
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


@pytest.mark.parametrize("lag", ["comes back", "goes"])
async def test_whoever_comes_or_goes_elsewhere_as_a_lease_ends_has_the_seat_they_should(
    database: Database, world: World, lag: str
) -> None:
    """Bo's process was killed; by another he comes back, or closes the tab there, while its lease is being ended."""
    row = await world.live_session(students=["bo"])
    registry = Registry(database, lambda *_: None, lambda _: True)
    timeline = Timeline(database, registry)
    writer, bo = Writer(timeline, Metrics()), world.id_of("bo")
    killed = timeline.lease_id = await take_lease(database)
    await writer.act(row.id, Enter(bo, "Bo", None, "student", "killed"))
    async with database.work("living") as work:
        living = ProcessLease(kind="web", started_at=work.now, renewed_at=work.now, counts_version=0)
        work.add(living)
        await work.flush()
        timeline.lease_id = living.id
    if lag == "goes":
        await writer.act(row.id, Enter(bo, "Bo", None, "student", "living"))
    async with database.work("late") as work:
        then = work.now - timedelta(minutes=5)
        await work.execute(update(ProcessLease).where(ProcessLease.id == killed).values(renewed_at=then))
    async with database.work("end") as work:
        vanished = await end_leases(work, everyone=False)
        command = Vacate(bo, "living") if lag == "goes" else Enter(bo, "Bo", None, "student", "living")
        meanwhile = asyncio.create_task(writer.act(row.id, command))
        await asyncio.wait([meanwhile], timeout=0.5)  # it has to wait for us, or else would be done by then
    await meanwhile
    await registry.close()
    assert vanished == ([] if lag == "goes" else [(row.id, bo)])
    async with database.read() as read:
        tabs = list(await read.scalars(select(RoomConnection.connection_id)))
        seen_at = await read.scalar(select(Participation.last_seen_at).filter_by(user_id=bo, left_at=None))
    assert tabs == ([] if lag == "goes" else ["living"])
    assert (seen_at is not None) == (lag == "goes")
