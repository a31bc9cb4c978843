"""Tasks with an owner: kept from being collected while they run, and awaited before the owner is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


class Tasks:
    """Spawned tasks handle their own errors; what they raise anyway shows in the loop's exception handler."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def __len__(self) -> int:
        return len(self._running)

    async def settle(self, seconds: float) -> None:
        """Wait for all, those spawned meanwhile too; after `seconds` the rest is canceled and awaited."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while self._running and (left := deadline - loop.time()) > 0:
            await asyncio.wait(self._running, timeout=left)
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
