"""Two applications with an engine, connections and a bus of their own each, as two web processes have them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from server.app import build
from server.db.database import Database
from server.db.migrate import upgrade
from server.http.keys import READINESS
from server.settings import Settings
from tests.api import Api
from tests.conftest import SECRET
from tests.factories import World
from tests.fakes import HeardFacts
from tests.services import Postgres, Redis
from tests.signaling.conftest import Tab

Open = Callable[[int, str], Awaitable[Tab]]
Apis = Callable[[int, str], Api]


@pytest.fixture
async def own_redis() -> AsyncIterator[Redis]:
    """One that a test may kill."""
    server = Redis.start()
    yield server
    server.stop()


@pytest.fixture
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    name = postgres.create()
    opened = Database.open(postgres.url(name).replace("postgresql:", "postgresql+asyncpg:"), publisher=HeardFacts())
    yield opened
    await opened.close()
    postgres.drop(name)


@pytest.fixture
def given(database: Database, own_redis: Redis, tmp_path: Path) -> dict[str, Any]:
    """The settings of both; a test that needs others overrides this fixture."""
    return {
        "DATABASE_URL": database.writer.url.render_as_string(hide_password=False),
        "SECRET_KEY": SECRET,
        "REDIS_URL": own_redis.url,
        "LECTERN_DATA_DIR": str(tmp_path),
    }


@pytest.fixture
async def processes(given: dict[str, Any], world: World) -> AsyncIterator[list[TestServer]]:
    """Two servers; each with its own application."""
    async with AsyncExitStack() as stack:
        servers = []
        for _ in range(2):
            server = TestServer(build(Settings.model_validate(given)))
            await server.start_server()
            stack.push_async_callback(server.close)
            server.app[READINESS].sockets_accepted = True
            servers.append(server)
        yield servers


@pytest.fixture
async def open_tab(processes: list[TestServer], world: World) -> AsyncIterator[Open]:
    """`await open_tab(1, "bo")`: a tab of that person on the second process."""
    opened: list[Tab] = []

    async def open_one(process: int, person: str) -> Tab:
        made = Tab(str(processes[process].make_url("")).rstrip("/"))
        opened.append(made)
        return await made.connect(world.token(person))

    yield open_one
    for one in opened:
        await one.close()


@pytest.fixture
async def apis(processes: list[TestServer], world: World) -> AsyncIterator[Apis]:
    """`apis(1, "bo")`: that person's REST client on the second process."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield lambda process, person: Api(session, str(processes[process].make_url("/")), world.token(person))


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A cluster that a test may kill or hold still; what it committed is on its disk."""
    cluster = Postgres.start(fsync=True)
    try:
        cluster.migrate_template(upgrade)
        yield cluster
    finally:
        cluster.stop()
