"""PostgreSQL is stopped, killed and held still under load: no false acknowledgement, no refusal that is final.

What cannot be written is refused so that it may be sent again, the process says that it is not ready, and soon after
the database is back everything is.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import aiohttp
import pytest

from tests.chaos.conftest import OpenStage
from tests.chaos.faults import Fault, kill_postgresql, pause_postgresql, stop_postgresql
from tests.chaos.stage import Stage

BACK_SECONDS = 5.0  # from its return to everybody agreeing
UNREADY_SECONDS = 2.0
AWAY_SECONDS, AWAY_SECONDS_IN_PROOF = 4.0, 30.0
PEOPLE = 30


async def unready_after(stage: Stage, seconds: float) -> float:
    """How long /readyz goes on saying 200; `seconds` when it never stops."""
    url = f"{stage.servers[0].program.url}/readyz"
    started = time.monotonic()
    async with aiohttp.ClientSession() as session:
        while (passed := time.monotonic() - started) < seconds:
            async with session.get(url) as answer:
                if answer.status == 503:
                    return time.monotonic() - started
            await asyncio.sleep(0.05)
    return passed


async def without_postgresql(stage: Stage, fault: Fault, seconds: float) -> None:
    """Everybody talks; the database goes and comes back meanwhile."""
    async with stage.load():
        await stage.talked(1.0)
        stage.outcry()
        probing = asyncio.create_task(unready_after(stage, seconds))
        await fault(stage, seconds)
        back_at = time.monotonic()
        unready = await probing
        await stage.talked(0.5)
    await stage.agreed()
    back = time.monotonic() - back_at
    verdict = await stage.verdict()
    refusals = Counter(code for wish in stage.history.wishes.values() for code in wish.refusals)
    print(
        f"{fault.__name__} for {seconds:.0f} s: {verdict.acknowledged} acknowledged, {verdict.lost} lost, "
        f"{verdict.doubled} doubled, {verdict.resent} sent again; refused meanwhile {dict(refusals)}; "
        f"not ready after {unready:.1f} s; all is well {back:.1f} s after its return"
    )
    assert verdict.complaints == []
    assert unready <= UNREADY_SECONDS
    assert back <= BACK_SECONDS


FAULTS = [stop_postgresql, kill_postgresql, pause_postgresql]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.timeout(120)
async def test_a_few_seconds_without_postgresql(on_postgresql: OpenStage, fault: Fault) -> None:
    await without_postgresql(await on_postgresql(people=PEOPLE), fault, AWAY_SECONDS)


@pytest.mark.prove
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.timeout(300)
async def test_half_a_minute_without_postgresql(on_postgresql: OpenStage, fault: Fault) -> None:
    await without_postgresql(await on_postgresql(people=PEOPLE), fault, AWAY_SECONDS_IN_PROOF)
