"""A bare 5 ms ticker: how late timers are on this machine while something is measured.

What the ticker suffers is the machine, not what is measured; a run whose ticker is late by half the target is repeated.
"""

from __future__ import annotations

import asyncio

TICK_SECONDS = 0.005


async def tick(late: list[float]) -> None:
    """Append how late each tick was, in seconds, until canceled."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        due += TICK_SECONDS
        await asyncio.sleep(max(0.0, due - loop.time()))
        late.append(loop.time() - due)
        due = max(due, loop.time() - TICK_SECONDS)
