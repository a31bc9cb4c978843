"""`serve --workers 2` with two media workers as one program: a class on each, people through both web processes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
import pytest

from server.db.database import Database
from server.listening import free_udp
from server.ports import SilentPublisher
from tests.factories import World
from tests.processes import command_of
from tests.program import Program
from tests.services import Postgres, Redis
from tests.signaling.conftest import Tab
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer
from tests.signaling.media.wire import until
from tests.signaling.test_dropped_packets import joined_media

pytestmark = pytest.mark.serial
SECRET = "a-secret-that-is-long-enough-for-it"
TRIES, AT_ONCE = 20, 5  # connections, until one reaches the web process that is wanted
PACE_SECONDS = 0.02


@dataclass
class Class:
    """An instructor through one web process, a student through the other."""

    room: int
    teaches: Tab
    studies: Tab
    ids: tuple[int, int]

    async def meets(self) -> int:
        """Both connect anew, and her sound reaches him; the media port that both were told."""
        sender, viewer = PublishingPeer(self.ids[0]), SubscribingPeer(self.ids[1])
        await joined_media(self.studies, self.teaches, self.room, sender, viewer)
        while not viewer.packets["0"]:
            sender.send("microphone")
            await asyncio.sleep(PACE_SECONDS)
        assert sender.wire.remote is not None and viewer.wire.remote is not None
        assert sender.wire.remote.address == viewer.wire.remote.address
        for peer in (sender, viewer):
            peer.wire.silence()
        return sender.wire.remote.address[1]


@pytest.fixture
async def world(postgres: Postgres) -> AsyncIterator[World]:
    name = postgres.create()
    url = postgres.url(name)
    database = Database.open(url.replace("postgresql:", "postgresql+asyncpg:"), publisher=SilentPublisher())
    yield await World.with_cast(database, SECRET)
    await database.close()
    postgres.drop(name)


async def through(program: Program, world: World, person: str, number: int, stack: AsyncExitStack) -> Tab:
    """A tab of theirs whose connection the web process with this number has. Several at once, for whichever process has
    less to do takes the next.
    """
    for _ in range(TRIES):
        tabs = await asyncio.gather(*(Tab(program.url).connect(world.token(person)) for _ in range(AT_ONCE)))
        wanted = [tab for tab in tabs if str(tab.io.eio.sid).startswith(f"{number}-")][:1]
        for tab in tabs:
            if tab not in wanted:
                await tab.close()
        if wanted:
            stack.push_async_callback(wanted[0].close)
            return wanted[0]
    raise AssertionError(f"{TRIES * AT_ONCE} connections, and none at web process {number}")


async def test_classes_go_on_over_two_web_and_two_media_processes_when_a_media_process_is_killed(
    run_program: Callable[..., Awaitable[Program]], world: World, redis_server: Redis
) -> None:
    first_port = free_udp("127.0.0.1", 0, 2)
    url = world.database.writer.url.set(drivername="postgresql").render_as_string(hide_password=False)
    program = await run_program(
        "serve", "--workers", "2", DATABASE_URL=url, REDIS_URL=redis_server.url, SECRET_KEY=SECRET,
        MEDIA_PORT=str(first_port), LECTERN_MEDIA_WORKERS="2",
    )  # fmt: skip
    await until(lambda: "Lectern is ready" in program.said)
    async with AsyncExitStack() as stack:
        classes: list[Class] = []
        for number, (teacher, student) in enumerate([("ana", "bo"), ("dan", "cleo")]):
            course = await world.course(teacher, [student])
            room = (await world.live_session(teacher, course=course)).id
            teaches = await through(program, world, teacher, number, stack)
            studies = await through(program, world, student, 1 - number, stack)
            for tab in (teaches, studies):
                assert (await tab.wish("join", live_session_id=room))["ok"]
            classes.append(Class(room, teaches, studies, (world.id_of(teacher), world.id_of(student))))
        ports = [await one.meets() for one in classes]
        assert sorted(ports) == [first_port, first_port + 1]

        hit, spared = classes
        (pid,) = [child for child in program.children() if f"--udp-port {ports[0]} " in command_of(child) + " "]
        os.kill(pid, signal.SIGKILL)
        for tab in (hit.teaches, hit.studies):
            await tab.until(lambda tab: len(tab.all("media_closed")) == 2)
            assert {told["reason"] for told in tab.all("media_closed")} == {"worker_lost"}
        assert await hit.meets() in ports
        for tab in (spared.teaches, spared.studies):
            assert {told["reason"] for told in tab.all("media_closed")} <= {"timeout"}
        assert await spared.meets() == ports[1]
        tracks = [e["type"] for e in hit.studies.events if e["type"].startswith("track_")]
        assert tracks == ["track_published"] * 2 + ["track_unpublished"] * 2 + ["track_published"] * 2

        async with aiohttp.ClientSession() as http, asyncio.timeout(30):
            while True:
                async with http.get(f"{program.url}/readyz") as answer:
                    if answer.status == 200 and not (await answer.json())["degraded"]:
                        break
                await asyncio.sleep(PACE_SECONDS)
