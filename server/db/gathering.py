"""Many askers, one query: what is asked while a query is under way is answered together by the next.

When a class begins, hundreds of tabs ask the same of the database within a moment. No answer is older than its
question: a query that began before it was asked never answers it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from server.errors import Away

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

AT_ONCE = 128  # questions in one query; the rest go with the next
CROWD, CROWD_SECONDS = 8, 0.02  # when so many wait, more are coming: they are waited for, so that queries are few
JOINING_SECONDS = 0.04  # the same for those who come into a class, which are many steps for many people
WAITING = 4_000  # questions waiting for theirs; more are refused with `away`, to be asked again


class Gathering(Generic[K, V]):
    """`answer` gets distinct keys and must have a value for each. What it raises, every one of its askers gets."""

    def __init__(
        self, answer: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], *, crowd_seconds: float = CROWD_SECONDS
    ) -> None:
        self._answer, self._crowd_seconds = answer, crowd_seconds
        self._asked: dict[K, list[asyncio.Future[V]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def ask(self, key: K) -> V:
        """The answer to one question. Raises Away when too many wait, and what the query raises."""
        loop = asyncio.get_running_loop()
        askers = self._asked.get(key)
        if askers is None:
            if len(self._asked) >= WAITING:
                raise Away()
            askers = self._asked[key] = []
        if self._task is None:
            self._task = loop.create_task(self._run())
        future: asyncio.Future[V] = loop.create_future()
        askers.append(future)
        return await future

    async def _run(self) -> None:
        try:
            while self._asked:
                if len(self._asked) >= CROWD:
                    await asyncio.sleep(self._crowd_seconds)
                keys = list(self._asked)[:AT_ONCE]
                await self._answer_all({key: self._asked.pop(key) for key in keys})
        finally:
            self._task = None

    async def _answer_all(self, asked: Mapping[K, Sequence[asyncio.Future[V]]]) -> None:
        try:
            found = await self._answer(list(asked))
            for key, askers in asked.items():
                answer = found[key]
                for future in askers:
                    if not future.done():  # its asker may have gone
                        future.set_result(answer)
        except BaseException as error:
            for askers in asked.values():
                for future in askers:
                    if not future.done():
                        future.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
                        future.exception()  # whoever asked may go before it looks
            if not isinstance(error, Exception):
                raise
