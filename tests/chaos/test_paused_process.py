"""A web process stands still until it is thought dead, then goes on: seats and presence are right, nothing is lost.

Meanwhile some of its people stay, one comes back by the other process, and one closes the tab.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest
from sqlalchemy import func, select

from server.live_sessions.tables import LiveSessionEvent, ProcessLease, RoomConnection
from tests.chaos.conftest import OpenStage
from tests.chaos.stage import Stage
from tests.processes import pause, resume
from tests.services import Redis

PAUSE_SECONDS = 10.0
THOUGHT_DEAD_SECONDS = 40.0  # a lease lasts 15 s, and others look every 5
RIGHT_SECONDS = 10.0  # after it goes on
EQUAL_SECONDS = 10.0
PEOPLE = 20


async def leases_ended(stage: Stage) -> int:
    async with stage.reading() as read:
        return int(await read.scalar(select(func.count()).where(ProcessLease.ended_at.is_not(None))))


async def what_is_wrong(stage: Stage) -> list[str]:
    """Everybody has a seat that one connection of a living process holds, and both servers say that they are in."""
    async with stage.reading() as read:
        query = (
            select(RoomConnection.user_id, func.count(), func.count(ProcessLease.ended_at))
            .join(ProcessLease, ProcessLease.id == RoomConnection.lease_id)
            .where(RoomConnection.live_session_id == stage.room)
            .group_by(RoomConnection.user_id)
        )
        rows = {user_id: (held, by_dead) for user_id, held, by_dead in await read.execute(query)}
        lefts = await read.scalar(
            select(func.count()).where(
                LiveSessionEvent.live_session_id == stage.room, LiveSessionEvent.type == "participant_left"
            )
        )
    wrong = [f"{person}'s seat is {seat}" for person, seat in (await stage.seats()).items() if seat != "held"]
    for person in stage.people:
        if (found := rows.get(stage.world.id_of(person))) != (1, 0):
            wrong.append(f"{person}'s connections (all, of ended processes): {found}")
    if lefts:
        wrong.append(f"{lefts} people left according to the log")
    for number in range(len(stage.servers)):
        told = (await stage.api("ana", number).get(f"/live-sessions/{stage.room}/participants")).json
        inside = {member["user"]["id"] for member in told if member["in_room"]}
        if inside != {stage.world.id_of(person) for person in stage.people}:
            wrong.append(f"server {number} says {len(inside)} of {len(stage.people)} are in: {told[:2]}")
    return wrong


@pytest.mark.timeout(180)
async def test_a_process_that_was_thought_dead_goes_on(on_postgresql: OpenStage, own_redis: Redis) -> None:
    stage: Stage = await on_postgresql(processes=2, redis=own_redis, people=PEOPLE)
    assert await what_is_wrong(stage) == []
    there, elsewhere = stage.of_server(0), stage.of_server(1)
    moving, leaving = there[-2:]
    async with stage.load(people=elsewhere):
        paused_at = time.monotonic()
        held = pause(stage.servers[0].program.pid)
        try:
            await stage.talked(PAUSE_SECONDS / 2)
            await stage.clients[moving].move(stage.servers[1].clients.port)
            await stage.gone_home(leaving)
            await stage.talked(PAUSE_SECONDS / 2)
            while not await leases_ended(stage):
                assert time.monotonic() < paused_at + THOUGHT_DEAD_SECONDS
                await asyncio.sleep(0.1)
            in_vain = Counter((await stage.seats()).values())
        finally:
            resume(held)
        resumed_at = time.monotonic()
        await stage.talked(0.5)
    equal = await stage.agreed()
    while wrong := await what_is_wrong(stage):
        assert time.monotonic() < resumed_at + RIGHT_SECONDS, wrong
        await asyncio.sleep(0.1)
    right = time.monotonic() - resumed_at
    verdict = await stage.verdict()
    print(
        f"Paused for {resumed_at - paused_at:.0f} s: seats meanwhile {dict(in_vain)}; {verdict.acknowledged} "
        f"acknowledged, {verdict.lost} lost, {verdict.doubled} doubled; views equal {equal:.1f} s and "
        f"seats right {right:.1f} s after it went on"
    )
    assert verdict.complaints == []
    assert equal <= EQUAL_SECONDS
    assert in_vain == {"vacated": len(there) - 2, "held": len(elsewhere) + 1}
    assert (await stage.seats([leaving]))[leaving] == "vacated"
