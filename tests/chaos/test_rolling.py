"""Every web process behind one port is replaced while a class talks: nobody notices more than a moment's pause.

Most people use the light client; some the official one as it comes, whose polls and upgrades reach either process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest

from tests.chaos.client import LightClient
from tests.chaos.conftest import OpenStage
from tests.chaos.official import OfficialTab
from tests.chaos.stage import Stage
from tests.processes import is_alive
from tests.services import Redis
from tests.signaling.transport.official import OfficialClients

WORKERS, OFFICIAL = 2, 6
EQUAL_SECONDS = 15.0  # after the last process was replaced


@pytest.fixture
async def tab_of() -> AsyncIterator[Callable[[str], Callable[..., LightClient]]]:
    """The first students have the official client."""
    async with OfficialClients() as clients:

        def kind(person: str) -> Callable[..., LightClient]:
            number = person.removeprefix("student")
            if number.isdecimal() and int(number) <= OFFICIAL:
                return partial(OfficialTab, clients.client(person))
            return LightClient

        yield kind


async def survive_replacements(stage: Stage, rounds: int, *, lines_per_second: float) -> None:
    """SIGHUP under load, so often; afterwards everybody agrees with the log, and it was a roll and no pause."""
    program = stage.servers[0].program
    took = list[float]()
    for number in range(1, rounds + 1):
        workers = set(_web_workers(stage))
        assert len(workers) == WORKERS
        async with stage.load(lines_per_second):
            await stage.talked(0.5)
            started = time.monotonic()
            os.kill(program.pid, signal.SIGHUP)
            async with asyncio.timeout(90):
                while sum(line["event"] == "web workers replaced" for line in program.logged) < number:
                    await asyncio.sleep(0.1)
            took.append(time.monotonic() - started)
            await stage.talked(0.5)
        await stage.agreed(EQUAL_SECONDS)
        assert not any(is_alive(pid) for pid in workers)
    verdict = await stage.verdict()
    tabs = [client for client in stage.clients.values() if isinstance(client, OfficialTab)]
    print(
        f"{rounds} rolls of {WORKERS} workers under {len(stage.clients)} clients ({len(tabs)} official), the longest "
        f"{max(took):.1f} s: {verdict.acknowledged} acknowledged ({verdict.resent} only when sent again), "
        f"{verdict.lost} lost, {verdict.doubled} doubled"
    )
    assert verdict.complaints == []
    assert all(client.ends for client in stage.clients.values()), "somebody was on no process that was replaced"
    assert len(tabs) == OFFICIAL
    assert all(tab.connects > 1 and tab.upgrades for tab in tabs)
    logged = [line for line in program.logged if line["level"] in ("error", "critical")]
    assert logged == []
    assert await program.stop() == 0


def _web_workers(stage: Stage) -> list[int]:
    return [line["pid"] for line in stage.servers[0].program.logged if line["event"] == "web worker ready"][-WORKERS:]


@pytest.mark.timeout(150)
async def test_a_rolling_restart_loses_nothing(
    on_postgresql: OpenStage, own_redis: Redis, tab_of: Callable[[str], Callable[..., LightClient]]
) -> None:
    stage = await on_postgresql(redis=own_redis, workers=WORKERS, people=60, tab_of=tab_of)
    await survive_replacements(stage, 1, lines_per_second=40)


@pytest.mark.prove
@pytest.mark.timeout(900)
async def test_a_rolling_restart_under_500_people_loses_nothing(
    on_postgresql: OpenStage, own_redis: Redis, tab_of: Callable[[str], Callable[..., LightClient]]
) -> None:
    stage = await on_postgresql(redis=own_redis, workers=WORKERS, people=500, entering_per_second=25, tab_of=tab_of)
    await survive_replacements(stage, 2, lines_per_second=25)
