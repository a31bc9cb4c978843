"""The same time limit for many: one timer for all of them, where `asyncio.timeout` has one each, and five calls more.

Nearly everybody is done long before, so a look now and then is enough: what runs out is ended within LOOK_SECONDS of
its limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

LOOK_SECONDS = 0.1  # or a tenth of the limit, where that is less

Result = TypeVar("Result")


class Deadline:
    """`seconds` for each run of a coroutine."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._look_seconds = min(LOOK_SECONDS, seconds / 10)
        self._running: dict[asyncio.Task[Any], float] = {}  # when each has to be done, the soonest first
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def within(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of `work`, run in the task that asks. Raises TimeoutError, after canceling it, when it is late."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None and task not in self._running
        self._running[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._look_seconds, self._look, loop)
        canceling = task.cancelling()
        try:
            return await work
        except asyncio.CancelledError as error:
            # As asyncio.timeout does it: canceled by somebody else too, it is no matter of time.
            if task in self._late and task.uncancel() <= canceling:
                raise TimeoutError from error
            raise
        finally:
            self._running.pop(task, None)
            self._late.discard(task)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        while self._running:
            task = next(iter(self._running))
            if self._running[task] > now:
                self._timer = loop.call_later(self._look_seconds, self._look, loop)
                return
            del self._running[task]
            self._late.add(task)
            task.cancel()
        self._timer = None
