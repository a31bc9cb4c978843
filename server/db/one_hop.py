"""SQLite's driver, with one hop to its thread for a statement.

SQLAlchemy's cursor over aiosqlite goes there four times: to open, execute, fetch and close. Each time wakes a thread
and then the event loop, which costs more than most of our statements do. This one does all four in one visit, and takes
the BEGIN of a read along with its first statement.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiosqlite
from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_cursor
from sqlalchemy.dialects.sqlite import aiosqlite as dialect
from sqlalchemy.util import immutabledict
from sqlalchemy.util.concurrency import await_

Run = Callable[[sqlite3.Cursor], object]


@dataclass(slots=True)
class Seen:
    """What is left of the driver's cursor when its rows were taken; names by PEP 249."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None
    arraysize: int = 1


class Cursor(dialect.AsyncAdapt_aiosqlite_cursor):
    """What one statement came to; nothing of it is left in the driver's thread."""

    __slots__ = ("_through",)

    def __init__(self, connection: Connection) -> None:
        self._through = self._adapt_connection = connection
        self._connection = connection._connection
        self._cursor: Any = Seen()
        self._rows, self._soft_closed_memoized = deque(), immutabledict()

    def execute(self, operation: Any, parameters: Any = None) -> None:
        self._visit(lambda cursor: cursor.execute(operation, parameters or ()))

    def executemany(self, operation: Any, seq_of_parameters: Any) -> None:
        self._visit(lambda cursor: cursor.executemany(operation, seq_of_parameters))

    def close(self) -> None:
        self._rows.clear()

    async def _async_soft_close(self) -> None:
        """It is closed already, and its rows are here."""

    def _visit(self, run: Run) -> None:
        begin, self._through.begins = self._through.begins, None
        try:
            self._cursor, self._rows = await_(self._through.in_thread(_visited, begin, run))
        except Exception as error:
            self._through._handle_exception(error)


class Connection(dialect.AsyncAdapt_aiosqlite_connection):
    """`begins` is the BEGIN that goes with the next statement."""

    __slots__ = ("begins",)

    def __init__(self, dbapi: Any, connection: Any) -> None:
        super().__init__(dbapi, connection)
        self.begins: str | None = None

    def cursor(self, server_side: bool = False) -> AsyncAdapt_dbapi_cursor:
        if server_side:
            raise NotImplementedError("rows are fetched whole; read a large table by pages")
        return Cursor(self)

    async def in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """`call(driver's connection, ...)` in the driver's thread, behind what was asked of it before."""
        async with self._execute_mutex:
            driver: Any = self._connection
            return await driver._execute(partial(call, driver._conn, *arguments))

    def rollback(self) -> None:
        self.begins = None
        if self._connection.in_transaction:  # else there is nothing to go there for
            super().rollback()

    def commit(self) -> None:
        self.begins = None
        super().commit()


class Driver(dialect.AsyncAdapt_aiosqlite_dbapi):
    """Give it to create_async_engine() as `module`."""

    def __init__(self) -> None:
        super().__init__(aiosqlite, sqlite3)

    def connect(self, *arguments: Any, **options: Any) -> Connection:
        made = aiosqlite.connect(*arguments, **options)
        made._thread.daemon = True  # as the dialect has it: a thread keeps no process from ending
        return Connection(self, await_(made))


def _visited(connection: sqlite3.Connection, begin: str | None, run: Run) -> tuple[Seen, deque[Any]]:
    if begin is not None:
        connection.execute(begin)
    cursor = connection.cursor()
    try:
        run(cursor)
        rows = deque(cursor.fetchall() if cursor.description else ())
        return Seen(cursor.description, cursor.rowcount, cursor.lastrowid), rows
    finally:
        cursor.close()
