"""Waits of one length for many, with one timer: each is over when it is due, in order, and once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from signaling.transport.waits import Waits


class Ended(list[str]):
    """Whose waits were over, in order."""

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.001)


async def test_each_is_over_in_its_turn_and_whoever_ended_before_is_not_called() -> None:
    ended = Ended()
    loop = asyncio.get_running_loop()
    began = loop.time()
    waits: Waits[str] = Waits(0.02, lambda one, due: ended.append(one))
    for one in ("first", "second", "third", "fourth"):
        waits.begin(one)
    assert waits.end("first") and not waits.end("nobody")
    waits.begin("second")  # again: it is the last one now
    await ended.until(lambda: len(ended) == 3)
    assert ended == ["third", "fourth", "second"]
    assert loop.time() - began >= 0.02
    assert list(waits) == [] and not waits.end("third")


async def test_another_begins_while_one_is_over_and_one_that_fails_keeps_nobody_waiting() -> None:
    ended, failures = Ended(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context["exception"]))

    def over(one: str, due: float) -> None:
        ended.append(one)
        if one == "fails":
            raise ValueError(one)
        if one == "goes on":
            waits.begin("next", due)

    waits: Waits[str] = Waits(0.01, over)
    for one in ("fails", "goes on", "last"):
        waits.begin(one)
    assert "last" in waits
    await ended.until(lambda: len(ended) == 4)
    assert ended == ["fails", "goes on", "last", "next"]
    assert [type(failure) for failure in failures] == [ValueError]
