"""Is the database at this program's schema? SQLite is brought there, PostgreSQL only looked at."""

from __future__ import annotations

import asyncio

from server.db.database import Database
from server.db.migrate import current, head, upgrade
from server.ports import SilentPublisher
from server.settings import Settings


def prepare_schema(settings: Settings) -> None:
    """Bring SQLite to head. PostgreSQL is migrated by hand; one that is not at head ends the start with one line.

    Blocks; call it outside an event loop. Raises SystemExit.
    """
    if settings.is_embedded:
        upgrade(settings.database_url)
        return
    if not is_at_head(settings):
        raise SystemExit("The database's schema is not this program's: run  python -m server migrate  first.")


def is_at_head(settings: Settings) -> bool:
    """Whether the database is at head. Blocks. Raises SystemExit when it does not answer."""
    return asyncio.run(_revision(settings)) == head()


async def _revision(settings: Settings) -> str | None:
    database = Database.open(settings.database_url, publisher=SilentPublisher())
    try:
        return await current(database)
    except Exception as error:
        raise SystemExit(f"The database does not answer: {str(error).splitlines()[0][:200]}") from error
    finally:
        await database.close()
