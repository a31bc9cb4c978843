"""What chaos runs need: a PostgreSQL that keeps what it acknowledged, a Redis of one's own, a seed.

Runs measure time and want the machine for themselves, so all of them are serial.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from server.db.migrate import upgrade
from tests.chaos.stage import Stage
from tests.services import Postgres, Redis, ServiceMissing

OpenStage = Callable[..., Any]
QUICK = {"test_proxy", "test_checker"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.path.stem not in QUICK:
            item.add_marker("serial")


@pytest.fixture
def seed() -> str:
    """Chosen anew each time; LECTERN_CHAOS_SEED repeats a run's choices (the machine's timing it cannot repeat)."""
    return os.environ.get("LECTERN_CHAOS_SEED") or secrets.token_hex(4)


@pytest.fixture(scope="session")
def durable_postgres() -> Iterator[Postgres]:
    """A cluster with PostgreSQL's own settings: an acknowledged commit survives its kill."""
    try:
        cluster = Postgres.start(fsync=True)
    except ServiceMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    try:
        cluster.migrate_template(upgrade)
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    """One that a test may end."""
    try:
        server = Redis.start()
    except ServiceMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    yield server
    server.stop()


@pytest.fixture
async def on_sqlite(tmp_path: Path, seed: str, migrated_sqlite: Path) -> AsyncIterator[OpenStage]:
    """`stage = await on_sqlite(people=50)`: the embedded server."""
    async with AsyncExitStack() as stack:
        yield partial(_open, stack, partial(Stage.open, tmp_path, seed, sqlite=migrated_sqlite))


@pytest.fixture
async def on_postgresql(tmp_path: Path, seed: str, durable_postgres: Postgres) -> AsyncIterator[OpenStage]:
    """`stage = await on_postgresql(processes=2, redis=own_redis)`: web processes side by side."""
    async with AsyncExitStack() as stack:
        yield partial(_open, stack, partial(Stage.open, tmp_path, seed, postgres=durable_postgres))


async def _open(stack: AsyncExitStack, how: Callable[..., AbstractAsyncContextManager[Stage]], **options: Any) -> Stage:
    return await stack.enter_async_context(how(**options))
