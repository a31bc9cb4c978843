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

    Each event is told to the next room, by its number.
    """
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        order, event = json.loads(line), 0
        for turn in range(order["times"]):
            if turn:
                await asyncio.sleep(order["gap"] / 1000)
            for _ in range(order["burst"]):
                broadcast(event % order["rooms"])
                event += 1
        say(done=True)
