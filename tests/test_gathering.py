"""Many ask, one query answers; nobody is given an answer older than their question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from server.db.gathering import AT_ONCE, WAITING, Gathering
from server.errors import Away, DatabaseAway


class Source:
    """A database that answers when it is told to; every answer is the number of the query that gave it."""

    def __init__(self) -> None:
        self.queries: list[list[str]] = []
        self.gate = asyncio.Semaphore(0)
        self.is_away = False
        self.gathering: Gathering[str, int] = Gathering(self.answer)

    async def answer(self, keys: Sequence[str]) -> dict[str, int]:
        self.queries.append(list(keys))
        number = len(self.queries)
        await self.gate.acquire()
        if self.is_away:
            raise DatabaseAway()
        return dict.fromkeys(keys, number)

    def ask(self, *keys: str) -> list[asyncio.Task[int]]:
        return [asyncio.create_task(self.gathering.ask(key)) for key in keys]

    async def until_queries(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.queries) < count:
                await asyncio.sleep(0)


async def test_what_is_asked_while_a_query_runs_is_answered_by_the_next_together() -> None:
    source = Source()
    first = source.ask("a")
    await source.until_queries(1)
    later = source.ask("a", "b", "b")
    await asyncio.sleep(0)
    source.gate.release()
    source.gate.release()
    assert await asyncio.gather(*first, *later) == [1, 2, 2, 2]
    assert source.queries == [["a"], ["a", "b"]]


async def test_a_failure_reaches_all_who_asked_and_nobody_after_them() -> None:
    source = Source()
    asked = source.ask("a", "b")
    await source.until_queries(1)
    source.is_away = True
    source.gate.release()
    assert all(isinstance(e, DatabaseAway) for e in await asyncio.gather(*asked, return_exceptions=True))
    source.is_away = False
    source.gate.release()
    assert await source.gathering.ask("a") == 2


async def test_whoever_goes_while_asking_takes_nobody_along() -> None:
    source = Source()
    going, staying = source.ask("a", "a")
    await source.until_queries(1)
    going.cancel()
    source.gate.release()
    assert await staying == 1
    assert going.cancelled() or going.cancelling()


async def test_a_query_has_its_bound_and_so_has_the_line() -> None:
    source = Source()
    first = source.ask("first")
    await source.until_queries(1)
    crowd = source.ask(*(str(number) for number in range(WAITING)))
    await asyncio.sleep(0)
    with pytest.raises(Away):
        await source.gathering.ask("one more")
    for _ in range(2 + WAITING // AT_ONCE):
        source.gate.release()
    await asyncio.gather(*first, *crowd)
    assert max(map(len, source.queries)) == AT_ONCE
