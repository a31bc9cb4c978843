"""What the Python peers share: orders on standard input, one line of JSON each, answered on standard output."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable


def say(**value: object) -> None:
    print(json.dumps(value), flush=True)


async def obey(broadcast: Callable[[], object]) -> None:
    """Carry out `{times, burst, gap}` (turns, events in each, milliseconds between) until the input ends."""
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        order = json.loads(line)
        for turn in range(order["times"]):
            if turn:
                await asyncio.sleep(order["gap"] / 1000)
            for _ in range(order["burst"]):
                broadcast()
        say(done=True)
