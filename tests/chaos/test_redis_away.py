"""Redis is killed under load between two web processes: nothing is lost; what crosses processes is a little late."""

from __future__ import annotations

import time

import pytest

from tests.chaos.checker import lateness
from tests.chaos.conftest import OpenStage
from tests.chaos.faults import kill_redis
from tests.chaos.stage import Stage
from tests.services import Redis

LATE_SECONDS = 3.0
EQUAL_SECONDS = 5.0  # after it is back
AWAY_SECONDS, AWAY_SECONDS_IN_PROOF = 8.0, 60.0
PEOPLE = 30


async def without_redis(stage: Stage, seconds: float) -> None:
    """Redis dies and comes back while those on one server talk; nobody on the other does, whose wishes would bring
    that server up to date by themselves.
    """
    async with stage.load(people=stage.of_server(0)):
        await stage.talked(2.0)
        killed_at = time.monotonic()
        await kill_redis(stage, seconds)
        back_at = time.monotonic()
        await stage.talked(1.0)
    await stage.agreed()
    equal_after = time.monotonic() - back_at
    late = lateness(stage.history, stage.of_server(1), killed_at, back_at)
    verdict = await stage.verdict()
    print(
        f"Redis away for {seconds:.0f} s between two processes: {verdict.acknowledged} acknowledged, "
        f"{verdict.lost} lost, {verdict.doubled} doubled, {verdict.resent} sent again; "
        f"late by {late:.2f} s at the most; views equal {equal_after:.1f} s after its return"
    )
    assert verdict.complaints == []
    assert 0 < late <= LATE_SECONDS
    assert equal_after <= EQUAL_SECONDS


@pytest.mark.timeout(120)
async def test_a_few_seconds_without_redis(on_postgresql: OpenStage, own_redis: Redis) -> None:
    stage: Stage = await on_postgresql(processes=2, redis=own_redis, people=PEOPLE)
    await without_redis(stage, AWAY_SECONDS)


@pytest.mark.prove
@pytest.mark.timeout(300)
async def test_a_minute_without_redis(on_postgresql: OpenStage, own_redis: Redis) -> None:
    stage: Stage = await on_postgresql(processes=2, redis=own_redis, people=PEOPLE)
    await without_redis(stage, AWAY_SECONDS_IN_PROOF)
