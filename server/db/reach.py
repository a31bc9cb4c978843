"""Whether PostgreSQL answers: once it does not, nobody waits for it any more, and one question asks until it does.

Without this each transaction would find out by itself, and wait for as long as a statement may take: a database that
hangs (its machine is frozen, the network swallows packets) would fill every queue. The question has a connection of its
own, so that a full pool is not mistaken for a database that is away.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from server.errors import DatabaseAway

# The simplest of questions unanswered through so many pauses: away. In pauses and not in seconds, so that a busy loop
# of ours, which makes each of them longer, is not mistaken for a silent server.
PAUSES, PAUSE_SECONDS = 15, 0.1
ASK_SECONDS, ASK_WHILE_AWAY_SECONDS = 2.0, 0.25
log = structlog.get_logger(__name__)


class Reach:
    """Asks from the first use until close()."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: Any = None
        self._asking = asyncio.Lock()
        self._doubted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.is_away = False

    def require(self) -> None:
        """Raises DatabaseAway at once when the database is known not to answer."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._watch())
        if self.is_away:
            raise DatabaseAway()

    def doubt(self) -> None:
        """Somebody was not answered: ask now."""
        self._doubted.set()

    async def ask(self) -> None:
        """Ask now, behind whoever asks already. Raises DatabaseAway."""
        async with self._asking:
            was_away, self.is_away = self.is_away, not await self._answers()
        if self.is_away is not was_away:
            log.warning("database does not answer" if self.is_away else "database answers again")
        if self.is_away:
            self._doubted.set()
            raise DatabaseAway()

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._drop()

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ASK_SECONDS):
                    await self._doubted.wait()
            self._doubted.clear()
            with contextlib.suppress(DatabaseAway):
                await self.ask()
            if self.is_away:
                await asyncio.sleep(ASK_WHILE_AWAY_SECONDS)

    async def _answers(self) -> bool:
        question = asyncio.ensure_future(self._question())
        try:
            for _ in range(PAUSES):
                if (await asyncio.wait([question], timeout=PAUSE_SECONDS))[0]:
                    break
        finally:
            has_answer = question.done() and not question.cancelled() and question.exception() is None
            if not has_answer:
                # Whatever it is: a server that starts up, shuts down or is full answers with its own kinds of error.
                question.cancel()
                self._drop()
        return has_answer

    async def _question(self) -> None:
        if self._connection is None:
            _, given = self._engine.dialect.create_connect_args(self._engine.url)
            self._connection = await asyncpg.connect(**given)
        await self._connection.fetchval("SELECT 1")

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
