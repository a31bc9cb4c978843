"""`kill -9` of the server while a class talks, again and again: nothing acknowledged is lost or there twice.

Everybody comes back by themselves, and a moment later all have the same.
"""

from __future__ import annotations

import time

import pytest

from tests.chaos.conftest import OpenStage
from tests.chaos.stage import Stage

EQUAL_SECONDS = 10.0  # after the killed server serves again
KILLS, KILLS_IN_PROOF = 5, 100


async def survive_kills(stage: Stage, kills: int) -> None:
    """Kill, start at once, and let the talk go on through it; after each kill everybody must agree."""
    program = stage.servers[0].program
    from_kill, from_start = list[float](), list[float]()
    for _ in range(kills):
        async with stage.load():
            await stage.talked(stage.chance.uniform(0.2, 1.0))
            stage.outcry()
            await stage.talked(stage.chance.uniform(0, 0.1))  # into the middle of it
            killed_at = time.monotonic()
            await program.kill()
            await program.start()
            started_at = time.monotonic()
            await stage.talked(0.3)
        await stage.agreed()
        from_kill.append(time.monotonic() - killed_at)
        from_start.append(time.monotonic() - started_at)
    verdict = await stage.verdict()
    print(
        f"{kills} kills, {len(stage.clients)} clients: {verdict.acknowledged} acknowledged "
        f"({verdict.resent} only when sent again), {verdict.lost} lost, {verdict.doubled} doubled; "
        f"views equal {max(from_start):.1f} s after the start at the most "
        f"({sorted(from_start)[kills // 2]:.1f} s as a median), {max(from_kill):.1f} s after the kill"
    )
    assert verdict.complaints == []
    assert verdict.resent > 0, "no kill came between a wish and its answer: this proved nothing"
    assert max(from_start) <= EQUAL_SECONDS


@pytest.mark.timeout(120)
async def test_nothing_is_lost_by_a_few_kills_on_sqlite(on_sqlite: OpenStage) -> None:
    await survive_kills(await on_sqlite(), KILLS)


@pytest.mark.timeout(120)
async def test_nothing_is_lost_by_a_few_kills_on_postgresql(on_postgresql: OpenStage) -> None:
    await survive_kills(await on_postgresql(), KILLS)


@pytest.mark.prove
@pytest.mark.timeout(1500)
async def test_nothing_is_lost_by_many_kills_on_sqlite(on_sqlite: OpenStage) -> None:
    await survive_kills(await on_sqlite(), KILLS_IN_PROOF)


@pytest.mark.prove
@pytest.mark.timeout(1500)
async def test_nothing_is_lost_by_many_kills_on_postgresql(on_postgresql: OpenStage) -> None:
    await survive_kills(await on_postgresql(), KILLS_IN_PROOF)
