"""The database as the core sees it: read() takes no lock, work() is the writer's unit of work.

Inside work() await only the database: no hashing, files, network, threads or media. What happened is registered with
announce() and leaves after the commit, never before.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy import Executable, Result, ScalarResult, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from server.db.engines import Engines, open_engines
from server.db.glances import NO_TRANSACTION, Asked, Glances, Question, Row
from server.db.reach import Reach
from server.errors import DatabaseAway, OutcomeUnknown
from server.ports import Clock, Publisher, SystemClock

T = TypeVar("T")
SLOW_WORK_SECONDS = 0.05
PING_SECONDS = 1.5  # a database that hangs is away long before its connections time out
log = structlog.get_logger(__name__)


class Reading:
    """A read transaction; `now` is one moment for all of it."""

    def __init__(self, session: AsyncSession, now: datetime) -> None:
        self.session, self.now = session, now

    async def get(self, entity: type[T], key: Any, *, for_update: bool = False) -> T | None:
        """One row by primary key; `for_update` locks it (SQLite's writer already holds everything)."""
        if for_update:
            return await self.session.get(entity, key, with_for_update=True, populate_existing=True)
        return await self.session.get(entity, key)

    async def execute(self, statement: Executable, parameters: Any = None) -> Result[*tuple[Any, ...]]:
        return await self.session.execute(statement, parameters)

    async def scalar(self, statement: Executable) -> Any:
        return await self.session.scalar(statement)

    async def scalars(self, statement: Executable) -> ScalarResult[Any]:
        return await self.session.scalars(statement)


class Work(Reading):
    """A write transaction: change rows, announce what happened; committed when the block ends without an error."""

    def __init__(self, session: AsyncSession, now: datetime, is_sqlite: bool) -> None:
        super().__init__(session, now)
        self.is_sqlite = is_sqlite
        self.facts: list[object] = []
        self.scratch: dict[Any, Any] = {}  # what one part of the program keeps for the length of this transaction
        self._after_commit: list[Callable[[], None]] = []
        self._after_rollback: list[Callable[[], None]] = []

    async def ask(self, question: Question, given: Mapping[str, Any]) -> Sequence[Row]:
        """The rows of a question as this transaction sees them; pending changes of rows are not flushed for it."""
        connection = await self.session.connection()
        if not self.is_sqlite:
            return (await connection.execute(question.by_array, {**given})).all()
        it = question.by_json
        found = await connection.exec_driver_sql(it.text, tuple(it.parameters(given)))
        return it.rows(found.scalar_one())

    def add(self, row: Any) -> None:
        self.session.add(row)

    async def delete(self, row: Any) -> None:
        await self.session.delete(row)

    async def flush(self) -> None:
        """Send pending changes now, so that ids and constraint violations are known."""
        await self.session.flush()

    def announce(self, fact: object) -> None:
        """Tell `fact` once, after the commit; nobody hears of what was rolled back."""
        self.facts.append(fact)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Run `call` right after the commit, before the facts leave, in order."""
        self._after_commit.append(call)

    def after_rollback(self, call: Callable[[], None]) -> None:
        """Run `call` when this work did not, or may not have, reached the disk."""
        self._after_rollback.append(call)


class Database:
    """Opened once, closed once (closing twice is harmless)."""

    def __init__(self, engines: Engines, publisher: Publisher, clock: Clock) -> None:
        self._engines, self.publisher, self.clock = engines, publisher, clock
        self._pinging: asyncio.Task[None] | None = None
        self._reach = None if engines.is_sqlite else Reach(engines.read)
        self._glances = Glances(engines.read, is_sqlite=engines.is_sqlite)

    @classmethod
    def open(cls, url: str, *, publisher: Publisher, clock: Clock | None = None) -> Database:
        return cls(open_engines(url), publisher, clock or SystemClock())

    @property
    def is_sqlite(self) -> bool:
        return self._engines.is_sqlite

    @property
    def writer(self) -> AsyncEngine:
        return self._engines.write

    async def close(self) -> None:
        if self._pinging is not None:
            self._pinging.cancel()
            await asyncio.gather(self._pinging, return_exceptions=True)
        if self._reach is not None:
            await self._reach.close()
        await self._glances.close()
        await self._engines.dispose()

    async def ping(self) -> None:
        """Raises DatabaseAway when the database does not answer, or not within PING_SECONDS.

        One question at a time: while it is unanswered, whoever asks waits for the same answer.
        """
        if self._pinging is None or self._pinging.done():
            self._pinging = asyncio.create_task(self._ping(), name="database ping")
            self._pinging.add_done_callback(lambda ping: ping.cancelled() or ping.exception())
        done, _ = await asyncio.wait([self._pinging], timeout=PING_SECONDS)
        if not done:
            raise DatabaseAway()
        self._pinging.result()

    async def _ping(self) -> None:
        if self._reach is not None:
            await self._reach.ask()
            return
        async with self.read() as read:
            await read.execute(text("SELECT 1"))

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reading]:
        """A consistent view without locks. Raises DatabaseAway."""
        self._require()
        try:
            async with AsyncSession(self._engines.read, expire_on_commit=False, autoflush=False) as session:
                yield Reading(session, self.clock.now())
        except AWAY as error:
            raise self._translated(error) from error

    @asynccontextmanager
    async def look(self) -> AsyncIterator[Reading]:
        """Like read(), but each statement sees for itself what is committed: for questions that need no common view.

        On SQLite that spares the end of a transaction, which is a visit to the driver's thread as a statement is.
        """
        self._require()
        try:
            async with AsyncSession(self._engines.read, expire_on_commit=False, autoflush=False) as session:
                if self.is_sqlite:
                    await session.connection(execution_options=NO_TRANSACTION)
                yield Reading(session, self.clock.now())
        except AWAY as error:
            raise self._translated(error) from error

    async def glance(self, *asked: Asked) -> list[Sequence[Row]]:
        """The rows of each question with its parameters, each as committed at its own moment. Raises DatabaseAway."""
        self._require()
        try:
            return await self._glances.ask(asked)
        except sqlite3.OperationalError as error:
            await self._glances.close()
            log.warning("database away", reason=str(error)[:300])
            raise DatabaseAway() from error
        except AWAY as error:
            raise self._translated(error) from error

    @asynccontextmanager
    async def work(self, name: str | None = None) -> AsyncIterator[Work]:
        """The writer's unit of work. Raises DatabaseAway, and OutcomeUnknown when a commit's end was not seen."""
        named = name or sys._getframe(2).f_code.co_qualname
        committing = False
        started = time.perf_counter()
        self._require()
        try:
            async with AsyncSession(self._engines.write, expire_on_commit=False) as session:
                await session.connection()
                begun = time.perf_counter()
                work = Work(session, self.clock.now(), self.is_sqlite)
                try:
                    yield work
                    await session.flush()
                    committing = True
                    await session.commit()
                except BaseException:
                    work._after_commit.clear()
                    _run(work._after_rollback)
                    raise
        except AWAY as error:
            if committing:
                self._doubt()
                raise OutcomeUnknown() from error
            raise self._translated(error) from error
        held = time.perf_counter() - begun
        if held > SLOW_WORK_SECONDS:
            log.warning("slow work", work=named, held_ms=round(held * 1e3), waited_ms=round((begun - started) * 1e3))
        work._after_rollback.clear()
        _run(work._after_commit)
        if work.facts:
            self.publisher.publish(work.facts)

    def _require(self) -> None:
        if self._reach is not None:
            self._reach.require()

    def _doubt(self) -> None:
        if self._reach is not None:
            self._reach.doubt()

    def _translated(self, error: Exception) -> Exception:
        """Only a database that cannot be reached or is overloaded is away; a broken statement is a fault of ours."""
        if isinstance(error, DBAPIError) and not isinstance(error, (OperationalError, InterfaceError)):
            if not (error.connection_invalidated or _is_transient(error)):
                return error
        log.warning("database away", reason=str(getattr(error, "orig", error) or error)[:300])
        self._doubt()
        return DatabaseAway()


AWAY = (OperationalError, InterfaceError, PoolTimeout, ConnectionError, TimeoutError, DBAPIError)


def _is_transient(error: DBAPIError) -> bool:
    state = str(getattr(error.orig, "sqlstate", "") or "")
    return state[:2] in {"08", "40", "53", "57"} or state == "55P03"


def _run(calls: list[Callable[[], None]]) -> None:
    """Each once; then they are let go of, since most of them hold the work that holds them."""
    while calls:
        call = calls.pop(0)
        try:
            call()
        except Exception:
            log.exception("after-commit call failed")
