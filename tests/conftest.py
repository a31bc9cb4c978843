"""What every test may ask for: real databases, and the real program around them.

A test that takes `database` runs twice, on SQLite and on PostgreSQL. Servers live for the whole run of one test
process; each test has a database of its own, copied from one that was migrated once.
"""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.web_app import _cached_build_middleware
from aiohttp.web_runner import BaseRunner
from playwright.async_api import Browser

from server.app import build
from server.db.database import Database
from server.db.migrate import upgrade
from server.http.keys import READINESS
from server.serving import runner_of
from server.settings import Settings
from tests.api import Api
from tests.browsers import chromium, chromium_path
from tests.factories import World
from tests.fakes import HeardFacts
from tests.program import Program
from tests.services import Postgres, Redis, ServiceMissing

SECRET = "a-secret-of-the-tests-and-of-nothing-else"
T = TypeVar("T")


# Where a real Chromium is driven; these tests run one at a time, after all others.
BROWSER_FOLDERS = {"journeys", "static"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark by place, so that a new test of pages cannot forget to."""
    for item in items:
        if BROWSER_FOLDERS & set(item.path.parts) or item.path.stem.endswith(("chromium", "in_a_browser")):
            item.add_marker("browser")


def pytest_collection_finish() -> None:
    """What was loaded to get here outlives every test: no later run of the collector looks through it again."""
    gc.collect()
    gc.freeze()


def _or_skip(start: Callable[[], T]) -> T:
    """Start a service. A machine without its program skips what needs it, and says so; CI may not."""
    try:
        return start()
    except ServiceMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running cluster with a migrated template."""
    cluster = _or_skip(Postgres.start)
    try:
        cluster.migrate_template(upgrade)
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    server = _or_skip(Redis.start)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "lectern.db"
    with ThreadPoolExecutor(1) as pool:
        pool.submit(upgrade, f"sqlite+aiosqlite:///{path}").result()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database of this test's own, on each engine in turn."""
    if request.param == "sqlite":
        path = tmp_path / "lectern.db"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
        yield f"sqlite+aiosqlite:///{path}"
        return
    cluster: Postgres = request.getfixturevalue("postgres")
    name = cluster.create()
    yield cluster.url(name).replace("postgresql:", "postgresql+asyncpg:")
    cluster.drop(name)


@pytest.fixture
def facts() -> HeardFacts:
    """Everything announced after a commit on `database`, in order."""
    return HeardFacts()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """The settings of `app`; a test that needs others overrides this fixture."""
    return Settings.model_validate(
        {"DATABASE_URL": database_url, "SECRET_KEY": SECRET, "LECTERN_DATA_DIR": str(tmp_path), "PORT": 0}
    )


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[web.Application]:
    """The whole application, without a media worker, not yet started."""
    yield build(settings)
    _cached_build_middleware.cache_clear()  # aiohttp keeps the last thousand routes, and with them hundreds of us


class ServedAsInProduction(TestServer):
    """With the runner of the real program: WebSockets do not pass through the web server."""

    async def _make_runner(self, **options: Any) -> BaseRunner:
        return runner_of(self.app)


@pytest.fixture
async def server(app: web.Application) -> AsyncIterator[TestServer]:
    """`app`, answering on a loopback port."""
    running = ServedAsInProduction(app, host="127.0.0.1")
    await running.start_server()
    app[READINESS].sockets_accepted = True
    yield running
    await running.close()


@pytest.fixture
async def api(server: TestServer, world: World) -> AsyncIterator[Callable[[str | None], Api]]:
    """`api("bo")` is Bo's client, `api(None)` a stranger's; see api.py."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield lambda person: Api(session, str(server.make_url("/")), world.token(person) if person else None)


@pytest.fixture
async def database(database_url: str, facts: HeardFacts) -> AsyncIterator[Database]:
    """An open, migrated database without an application around it."""
    opened = Database.open(database_url, publisher=facts)
    yield opened
    await opened.close()


@pytest.fixture
async def world(database: Database) -> World:
    """The cast, and ways to give them courses, lessons and classes; see factories.py."""
    return await World.with_cast(database, SECRET)


@pytest.fixture
async def run_program(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Program]]]:
    """`await run_program("demo", HOST="127.0.0.1")` is a ready server process; all of them end with the test."""
    programs: list[Program] = []

    async def run(*arguments: str, defaults: bool = False, ready: str = "", **environment: str) -> Program:
        folder = tmp_path / f"program{len(programs)}"
        folder.mkdir()
        program = Program(folder, *arguments, defaults=defaults, ready=ready, **environment)
        programs.append(program)
        await program.start()
        return program

    yield run
    for program in programs:
        await program.stop()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium with a fake camera and microphone."""
    _or_skip(chromium_path)
    async with chromium() as opened:
        yield opened
