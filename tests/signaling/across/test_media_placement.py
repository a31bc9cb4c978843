"""Two web processes and two media workers: a room is on one of them for both, and moves for both."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy import update

from server.app import GATEWAY
from server.errors import MediaAway
from server.http.keys import DATABASE
from server.live_sessions.tables import MediaWorker
from signaling.media.placement import Standing
from signaling.media_fleet import Fleet
from signaling.placements import Placements, Running
from tests.factories import World
from tests.signaling.across.conftest import Open
from tests.signaling.media.conftest import Worker, start_worker
from tests.signaling.media.wire import until


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[list[Worker]]:
    with ExitStack() as stack:
        running = [start_worker(f"unix:{tmp_path}/media-{n}.sock") for n in range(2)]
        for one in running:
            stack.callback(one.stop)
        yield running


@pytest.fixture
async def fleets(processes: list[TestServer], workers: list[Worker]) -> list[Fleet]:
    for server in processes:
        await server.app[GATEWAY].use_media(",".join(worker.control for worker in workers), None)
    fleets = [server.app[GATEWAY].fleet for server in processes]
    await until(lambda: all(worker.running for fleet in fleets for worker in fleet.workers))
    return fleets


def _on(fleet: Fleet, room: int) -> str | None:
    seat = fleet.seat(room)
    return seat.incarnation if seat else None


async def test_joins_of_one_moment_on_two_processes_meet_on_one_worker(
    fleets: list[Fleet], world: World, open_tab: Open
) -> None:
    on: set[str | None] = set()
    for _ in range(6):
        room = (await world.live_session(students=["bo"])).id
        tabs = [await open_tab(0, "ana"), await open_tab(1, "bo")]
        for tab in tabs:
            await tab.wish("join", live_session_id=room)
        answers = await asyncio.gather(*(tab.wish("media_subscribe", live_session_id=room) for tab in tabs))
        assert all(answer["ok"] for answer in answers)
        assert _on(fleets[0], room) == _on(fleets[1], room) is not None
        on.add(_on(fleets[0], room))
    assert len(on) == 2


async def test_a_process_hears_that_another_moved_a_room_and_its_people_ask_again(
    fleets: list[Fleet], workers: list[Worker], world: World, open_tab: Open
) -> None:
    """The other lost its line to the worker, for good, while this one kept its own."""
    room = (await world.live_session(students=["bo"])).id
    ana, bo = await open_tab(0, "ana"), await open_tab(1, "bo")
    for tab in (ana, bo):
        await tab.wish("join", live_session_id=room)
        assert (await tab.wish("media_subscribe", live_session_id=room))["ok"]
    before = _on(fleets[0], room)
    (cut_off,) = [worker for worker in fleets[1].workers if worker.client.incarnation == before]
    await cut_off.client.close()
    assert (await bo.wish("media_subscribe", live_session_id=room))["ok"]
    assert _on(fleets[1], room) != before
    told = await ana.hear("media_closed")
    assert (told["live_session_id"], told["reason"]) == (room, "moved")
    assert (await ana.wish("media_subscribe", live_session_id=room))["ok"]
    assert _on(fleets[0], room) == _on(fleets[1], room) != before


async def test_a_worker_that_only_this_process_does_not_reach_keeps_its_rooms_until_its_lease_runs_out(
    processes: list[TestServer], world: World
) -> None:
    room = (await world.live_session(students=["bo"])).id
    database, gateway = processes[0].app[DATABASE], processes[0].app[GATEWAY]
    placements = Placements(database, gateway.timeline)
    far, near = [await placements.take(f"tcp:127.0.0.1:{port}", f"{port}") for port in (1, 2)]

    async def placed(on: Running) -> Running | None:
        return await placements.place(room, {on: Standing(on.worker, 0.0)}, [])

    assert await placed(far) == far
    with pytest.raises(MediaAway):
        await placed(near)
    async with database.work() as work:
        then = work.now - timedelta(minutes=1)
        await work.execute(update(MediaWorker).where(MediaWorker.id == far.worker).values(renewed_at=then))
    await placements.renew([far])
    with pytest.raises(MediaAway):
        await placed(near)
    async with database.work() as work:
        await work.execute(update(MediaWorker).where(MediaWorker.id == far.worker).values(renewed_at=then))
    assert await placed(near) == near
    assert await placements.where([room]) == {room: near}
    await placements.release(room, far)  # too late: it is elsewhere
    assert await placements.where([room]) == {room: near}
    await placements.release(room, near)
    assert await placements.where([room]) == {}
