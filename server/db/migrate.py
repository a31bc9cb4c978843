"""Bring a database to the schema this program expects, and tell how far it is.

A start after a crash must be quick, so Alembic is imported only when there is something to migrate: what head is, is
read from the versions' own first lines.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection, make_url

from server.db.database import Database
from server.db.engines import open_engines

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
_REVISION = re.compile(r"^(revision|down_revision)\s*(?::[^=]+)?=\s*['\"]([^'\"]+)['\"]", re.MULTILINE)
_CURRENT = "SELECT version_num FROM alembic_version"


def alembic_config(url: str) -> Config:
    """Alembic's settings for `url`, without an ini file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str) -> None:
    """Migrate to head; does nothing at head. Blocks; call it outside an event loop or in a thread."""
    if url.startswith("sqlite"):
        if _sqlite_revision(url) == head():
            return
        asyncio.run(_prepare_sqlite(url))
    from alembic import command

    command.upgrade(alembic_config(url), "head")


@cache
def head() -> str:
    """The revision this program expects: the one no other follows."""
    declared = [dict(_REVISION.findall(path.read_text())) for path in (MIGRATIONS / "versions").glob("*.py")]
    followed = {one.get("down_revision") for one in declared}
    return next((one["revision"] for one in declared if one["revision"] not in followed), "")


async def current(database: Database) -> str | None:
    """The revision the database is at; None when it was never migrated."""
    async with database.writer.connect() as connection:
        return await connection.run_sync(_revision_of)


def _revision_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text(_CURRENT)).scalar()
    return str(found) if found is not None else None


def _sqlite_revision(url: str) -> str | None:
    path = make_url(url).database
    if not path or not Path(path).exists():
        return None
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        try:
            row = connection.execute(_CURRENT).fetchone()
        except sqlite3.OperationalError:
            return None
    return str(row[0]) if row else None


async def _prepare_sqlite(url: str) -> None:
    """The first connection creates the file and its folder in WAL mode."""
    engines = open_engines(url)
    async with engines.write.connect():
        pass
    await engines.dispose()
