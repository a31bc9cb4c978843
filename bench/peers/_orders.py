"""What the Python peers share: orders on standard input, one line of JSON each, answered on standard output."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable


def say(**value: object) -> None:
    print(json.dumps(value), flush=True)


async def obey(broadcast: Callable[[int], object]) -> None:
    """Carry out `{times, burst, gap, rooms}` (turns, events in each, milliseconds between) until the input ends.

    Each event is told to the next room, by its number. What paces is a bare timer, as on Node: a task that sleeps would
    cost every turn a second one.
    """
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        await _carried_out(broadcast, **json.loads(line))
        say(done=True)


def _carried_out(
    broadcast: Callable[[int], object], *, times: int, burst: int, gap: float, rooms: int
) -> asyncio.Future[None]:
    loop = asyncio.get_running_loop()
    done, left, event = loop.create_future(), times, 0

    def turn() -> None:
        nonlocal left, event
        for _ in range(burst):
            broadcast(event % rooms)
            event += 1
        left -= 1
        if left > 0:
            loop.call_later(gap / 1000, turn)
        else:
            done.set_result(None)

    turn()
    return done
