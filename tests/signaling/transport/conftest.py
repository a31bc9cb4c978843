"""A real LiveServer on a free port, handlers that remember, and clients of several kinds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from server.pace import short_turned_loop
from signaling.transport import LiveServer, TransportLimits
from tests.conformance_server import ECHO, LIMITS, application, runner_of
from tests.signaling.transport.classroom import Classroom
from tests.signaling.transport.official import OfficialClients
from tests.signaling.transport.raw import RawClient

Start = Callable[..., Awaitable["Live"]]
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class Live:
    """A running server: where it is, what it is, and who handles its events."""

    def __init__(self, url: str, server: LiveServer, classroom: Classroom, runner: web.AppRunner) -> None:
        self.url = url
        self.live_url = f"{url}/live"
        self.server = server
        self.classroom = classroom
        self.runner = runner


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory]:
    """The loop the program runs on, which says when its turns end; what counts writes also holds on the usual one."""
    mine = {"short turns": short_turned_loop}
    return {**mine, "usual": asyncio.new_event_loop} if item.path.name == "test_broadcast.py" else mine


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a server with the given LiveServer options; all are closed afterwards."""
    async with AsyncExitStack() as stack:

        async def started(*, idle_seconds: float = 75.0, **options: Any) -> Live:
            classroom = Classroom()
            server = LiveServer(classroom, **options)
            classroom.server = server
            app = web.Application()
            server.attach(app)
            runner = server.runner(app, idle_seconds=idle_seconds, shutdown_timeout=1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            stack.push_async_callback(runner.cleanup)
            stack.push_async_callback(server.close)
            host, port = runner.addresses[0][:2]
            return Live(f"http://{host}:{port}", server, classroom, runner)

        yield started


@pytest.fixture
async def live(start: Start) -> Live:
    return await start()


@pytest.fixture
async def official() -> AsyncIterator[OfficialClients]:
    async with OfficialClients() as clients:
        yield clients


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def raw(http: aiohttp.ClientSession) -> RawClient:
    """Engine.IO by hand, for what a well-behaved client never sends."""
    return RawClient(http)


PATIENT = replace(LIMITS, ping_interval=60.0, ping_timeout=60.0)  # nothing is closed by the heartbeat
Conformance = Callable[..., Awaitable["Checked"]]


class Checked:
    """A running conformance server."""

    def __init__(self, url: str, app: web.Application) -> None:
        self.url = url
        self._app = app

    async def until_polled(self, sid: str) -> None:
        """Wait until a poll of this session waits in the server."""
        while not self._app[ECHO].sockets[sid].is_polled:
            await asyncio.sleep(0)


@pytest.fixture
async def conformance() -> AsyncIterator[Conformance]:
    """Start the server of the published checks, Engine.IO's or Socket.IO's."""
    async with AsyncExitStack() as stack:

        async def started(*, engine: bool, limits: TransportLimits = PATIENT) -> Checked:
            app = application(engine=engine, limits=limits)
            runner = runner_of(app)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            return Checked(f"http://{host}:{port}", app)

        yield started
