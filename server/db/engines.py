"""Connections as each database wants them; the numbers were measured, change them with a measurement.

SQLite: WAL, synchronous=FULL, one write connection that begins IMMEDIATE (the driver's own transactions are off: with
them, read-then-write loses updates), separate read connections. PostgreSQL: a small pool, pre-ping, statement and lock
timeouts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from server.db.glances import NO_TRANSACTION
from server.db.one_hop import Driver

READ_CONNECTIONS = 5  # one is kept for glances; a fifth reader waits for one of the others, at most POOL_WAIT_SECONDS
POSTGRES_CONNECTIONS = 10  # per process; an eleventh waits, at most POOL_WAIT_SECONDS
POOL_WAIT_SECONDS = 10
BUSY_TIMEOUT_MS = 5000
BEGIN_WRITE, BEGIN_READ = "BEGIN IMMEDIATE", "BEGIN"
LOCK_MS, STATEMENT_MS = 2_000, 5_000  # PostgreSQL's own bounds; then it answers with an error
COMMAND_SECONDS = 6.0  # ours, for a server that does not answer at all; the connection is given up
CONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Engines:
    write: AsyncEngine
    read: AsyncEngine
    is_sqlite: bool

    async def dispose(self) -> None:
        await self.write.dispose()
        await self.read.dispose()


def open_engines(url: str) -> Engines:
    """Engines for `url` (sqlite+aiosqlite or postgresql+asyncpg)."""
    if not make_url(url).get_backend_name().startswith("sqlite"):
        engine = create_async_engine(
            url,
            pool_size=POSTGRES_CONNECTIONS,
            max_overflow=0,
            pool_timeout=POOL_WAIT_SECONDS,
            pool_pre_ping=True,
            connect_args={
                "timeout": CONNECT_SECONDS,
                "command_timeout": COMMAND_SECONDS,
                "server_settings": {
                    "statement_timeout": str(STATEMENT_MS),
                    "lock_timeout": str(LOCK_MS),
                    "timezone": "UTC",
                },
            },
        )
        return Engines(engine, engine, is_sqlite=False)
    if path := make_url(url).database:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Engines(_sqlite(url, 1, BEGIN_WRITE), _sqlite(url, READ_CONNECTIONS, BEGIN_READ), is_sqlite=True)


def _sqlite(url: str, connections: int, begin: str) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        module=Driver(),
        connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT_MS / 1000},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        if NO_TRANSACTION.items() <= connection.get_execution_options().items():
            return
        if begin == BEGIN_READ:  # takes no lock before its first statement, and goes with it
            connection.connection.dbapi_connection.begins = begin
        else:
            connection.exec_driver_sql(begin)

    return engine
