"""The migrations make exactly what the tables say, and can be taken back, on both databases."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect

from server.db.engines import open_engines
from server.db.migrate import alembic_config, head, upgrade
from server.db.schema import Base
from tests.services import Postgres

T = TypeVar("T")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
        return
    cluster: Postgres = request.getfixturevalue("postgres")
    name = cluster.create_empty()
    yield cluster.url(name).replace("postgresql:", "postgresql+asyncpg:")
    cluster.drop(name)


async def looked_at(url: str, look: Callable[[Connection], T]) -> T:
    engines = open_engines(url)
    try:
        async with engines.write.connect() as connection:
            return await connection.run_sync(look)
    finally:
        await engines.dispose()


async def test_migrating_an_empty_database_makes_what_the_tables_declare(database_url: str) -> None:
    def differences(connection: Connection) -> object:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, Base.metadata)

    assert await looked_at(database_url, differences) == []


def test_head_goes_back_to_nothing_and_forward_again(empty_url: str) -> None:
    def tables(connection: Connection) -> set[str]:
        return set(inspect(connection).get_table_names())

    upgrade(empty_url)
    made = asyncio.run(looked_at(empty_url, tables))
    command.downgrade(alembic_config(empty_url), "base")
    assert asyncio.run(looked_at(empty_url, tables)) == {"alembic_version"}
    upgrade(empty_url)
    assert asyncio.run(looked_at(empty_url, tables)) == made == set(Base.metadata.tables) | {"alembic_version"}


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    upgrade(empty_url)
    upgrade(empty_url)
    assert head()


def test_every_constraint_and_index_has_a_name() -> None:
    unnamed = [
        f"{table.name}: {thing!r}"
        for table in Base.metadata.tables.values()
        for thing in (*table.constraints, *table.indexes)
        if getattr(thing, "name", None) is None
    ]
    assert unnamed == []


def test_ids_are_never_reused_on_sqlite(migrated_sqlite: Path) -> None:
    connection = sqlite3.connect(migrated_sqlite)
    reusing = [
        name
        for name, table in Base.metadata.tables.items()
        if "id" in table.c
        and "AUTOINCREMENT"
        not in connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
    ]
    connection.close()
    assert reusing == []
