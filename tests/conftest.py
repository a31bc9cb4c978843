"""What every test may ask for: real databases, and the real program around them.

A test that takes `database` runs twice, on SQLite and on PostgreSQL. Servers live for the whole run of one test
process; each test has a database of its own, copied from one that was migrated once.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.db.database import Database
from server.db.migrate import upgrade
from tests.factories import World
from tests.fakes import HeardFacts
from tests.services import Postgres, Redis

SECRET = "a-secret-of-the-tests-and-of-nothing-else"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running cluster with a migrated template."""
    cluster = Postgres.start()
    try:
        cluster.migrate_template(upgrade)
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    server = Redis.start()
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
async def database(database_url: str, facts: HeardFacts) -> AsyncIterator[Database]:
    """An open, migrated database without an application around it."""
    opened = Database.open(database_url, publisher=facts)
    yield opened
    await opened.close()


@pytest.fixture
async def world(database: Database) -> World:
    """The cast, and ways to give them courses, lessons and classes; see factories.py."""
    return await World.with_cast(database, SECRET)
