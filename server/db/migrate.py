"""Bring a database to the schema this program expects, and tell how far it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from server.db.database import Database
from server.db.engines import open_engines

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def alembic_config(url: str) -> Config:
    """Alembic's settings for `url`, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str) -> None:
    """Migrate to head; does nothing at head. Blocks; call it outside an event loop or in a thread."""
    if url.startswith("sqlite"):
        asyncio.run(_prepare_sqlite(url))
    command.upgrade(alembic_config(url), "head")


def head() -> str:
    """The revision this program expects."""
    return ScriptDirectory.from_config(alembic_config("sqlite://")).get_current_head() or ""


async def current(database: Database) -> str | None:
    """The revision the database is at; None when it was never migrated."""
    async with database.writer.connect() as connection:
        return await connection.run_sync(lambda c: MigrationContext.configure(c).get_current_revision())


async def _prepare_sqlite(url: str) -> None:
    """The first connection creates the file and its folder in WAL mode."""
    engines = open_engines(url)
    async with engines.write.connect():
        pass
    await engines.dispose()
