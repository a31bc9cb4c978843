"""The same time limit for many runs, without what `asyncio.timeout` costs each."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from signaling.transport.waits import Waits

Result = TypeVar("Result")


class Deadline:
    """`seconds` for each run of a coroutine."""

    def __init__(self, seconds: float) -> None:
        self._running: Waits[asyncio.Task[Any]] = Waits(seconds, self._is_over)
        self._late: set[asyncio.Task[Any]] = set()

    async def within(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of `work`, run in the task that asks. Raises TimeoutError, after canceling it, when it is late."""
        task = asyncio.current_task()
        assert task is not None and task not in self._running
        self._running.begin(task)
        canceling = task.cancelling()
        try:
            return await work
        except asyncio.CancelledError as error:
            # As asyncio.timeout does it: canceled by somebody else too, it is no matter of time.
            if self._ended(task) and task.cancelling() <= canceling:
                raise TimeoutError from error
            raise
        finally:
            self._ended(task)

    def _ended(self, task: asyncio.Task[Any]) -> bool:
        """Whether it was late; that it was canceled for it is taken back, whatever it made of that."""
        self._running.end(task)
        if task not in self._late:
            return False
        self._late.remove(task)
        task.uncancel()
        return True

    def _is_over(self, task: asyncio.Task[Any], due: float) -> None:
        self._late.add(task)
        task.cancel()
