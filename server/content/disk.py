"""Threads for everything that touches the disk on behalf of content: the event loop also carries the class."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
THREADS = 4  # a slow disk makes the fifth caller wait, not the loop


class Disk:
    """Runs blocking calls in its own threads; close() once."""

    def __init__(self, threads: int = THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="content disk")

    def start(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[R]:
        """Begin `call`; the future is its end."""
        return asyncio.get_running_loop().run_in_executor(self._pool, lambda: call(*args, **kwargs))

    def submit(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Begin `call`, from another thread."""
        return self._pool.submit(call, *args, **kwargs)

    async def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do `call` in a thread. It goes on to its end even if the caller is cancelled."""
        return await self.start(call, *args, **kwargs)

    def close(self) -> None:
        self._pool.shutdown(wait=True)
