"""SQLite with one visit to the driver's thread a statement behaves as with four."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from server.db.database import Database
from server.db.one_hop import Connection
from server.ports import SilentPublisher


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A table of numbers in a file of its own."""
    database = Database.open(f"sqlite+aiosqlite:///{tmp_path}/one.db", publisher=SilentPublisher())
    async with database.work() as work:
        await work.execute(text("CREATE TABLE numbers (id INTEGER PRIMARY KEY, n INTEGER UNIQUE NOT NULL)"))
    yield database
    await database.close()


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """One item for each statement that went to a driver's thread."""
    seen: list[Any] = []
    visit = Connection.in_thread

    async def counted(self: Connection, *arguments: Any) -> Any:
        seen.append(arguments)
        return await visit(self, *arguments)

    monkeypatch.setattr(Connection, "in_thread", counted)
    return seen


async def put(database: Database, *numbers: int) -> Any:
    async with database.work() as work:
        rows = [{"n": number} for number in numbers]
        return await work.execute(text("INSERT INTO numbers (n) VALUES (:n)"), rows if len(rows) > 1 else rows[0])


async def numbers(database: Database) -> list[int]:
    async with database.read() as read:
        return list(await read.scalars(text("SELECT n FROM numbers ORDER BY n")))


async def test_a_statement_is_one_visit_and_a_read_begins_with_its_first(database: Database, visits: list[Any]) -> None:
    assert await numbers(database) == []  # a connection's first use costs some of its own
    visits.clear()
    await put(database, 1, 2)
    assert len(visits) == 2  # BEGIN IMMEDIATE, and the rows
    visits.clear()
    assert await numbers(database) == [1, 2]
    assert len(visits) == 1


async def test_all_of_a_read_sees_one_moment_not_older_than_its_first_statement(database: Database) -> None:
    async with database.read() as read:
        await put(database, 1)
        assert await read.scalar(text("SELECT count(*) FROM numbers")) == 1
        await put(database, 2)
        assert await read.scalar(text("SELECT count(*) FROM numbers")) == 1
    assert await numbers(database) == [1, 2]


async def test_counts_and_new_ids_come_through(database: Database) -> None:
    first = await put(database, 5)
    assert (first.lastrowid, first.rowcount) == (1, 1)
    assert (await put(database, 6, 7)).rowcount == 2
    async with database.work() as work:
        found = await work.execute(text("UPDATE numbers SET n = n + 10 RETURNING n"))
        assert sorted(found.scalars()) == [15, 16, 17]


async def test_a_refused_statement_leaves_nothing_behind(database: Database) -> None:
    await put(database, 1)
    with pytest.raises(IntegrityError):
        await put(database, 2, 1)
    assert await numbers(database) == [1]
    await put(database, 2)
    assert await numbers(database) == [1, 2]


async def test_who_gives_up_while_a_statement_runs_leaves_its_connection_usable(database: Database) -> None:
    long = text("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 300000) SELECT max(x) FROM c")
    begun = asyncio.Event()

    async def asked() -> None:
        async with database.work() as work:
            await work.execute(text("INSERT INTO numbers (n) VALUES (1)"))
            begun.set()
            await work.scalar(long)

    task = asyncio.create_task(asked())
    await begun.wait()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    await put(database, 2)
    assert await numbers(database) == [2]


async def test_a_look_is_one_visit_and_sees_what_is_committed_meanwhile(database: Database, visits: list[Any]) -> None:
    async with database.read() as steady, database.look() as look:
        count = text("SELECT count(*) FROM numbers")
        assert await steady.scalar(count) == await look.scalar(count) == 0
        async with database.work() as work:
            await work.execute(text("INSERT INTO numbers (n) VALUES (1)"))
        assert (await steady.scalar(count), await look.scalar(count)) == (0, 1)
    visits.clear()
    async with database.look() as look:
        assert await look.scalar(count) == 1
        connection = await (await look.session.connection()).get_raw_connection()
        assert not connection.driver_connection.in_transaction  # type: ignore[union-attr]
    assert len(visits) == 1
    async with database.read() as read:  # the same connection begins as ever
        assert await read.scalar(count) == 1
        connection = await (await read.session.connection()).get_raw_connection()
        assert connection.driver_connection.in_transaction  # type: ignore[union-attr]
