"""What waits for a polling client, and the one poll that may wait for it."""

from __future__ import annotations

import asyncio
from collections import deque

from signaling.transport.wire import Part

NOOP = "6"


class PollTwice(Exception):
    """A second poll came while one is waiting; Engine.IO closes such a session."""


class Outbox:
    """Packets in order, taken all at once by a poll. The owner bounds `unread_bytes`."""

    __slots__ = ("_parts", "_waiter", "unread_bytes")

    def __init__(self) -> None:
        self._parts: deque[Part] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self.unread_bytes = 0

    @property
    def is_polled(self) -> bool:
        """Whether a poll is waiting right now."""
        return self._waiter is not None

    def put(self, *parts: Part) -> None:
        for part in parts:
            self._parts.append(part)
            self.unread_bytes += len(part)
        self.wake()

    def wake(self) -> None:
        """End a waiting poll; with nothing to carry it is answered with a NOOP."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def drain(self) -> list[Part]:
        """Everything waiting, in order; afterwards the outbox is empty."""
        parts = list(self._parts)
        self._parts.clear()
        self.unread_bytes = 0
        return parts

    async def take(self, seconds: float | None) -> list[Part]:
        """Wait until there is something, `wake` is called or `seconds` pass; a NOOP stands for nothing.

        Raises `PollTwice` when another poll is waiting already.
        """
        if self._waiter is not None:
            raise PollTwice
        if not self._parts:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(seconds):
                    await self._waiter
            except TimeoutError:
                pass
            finally:
                self._waiter = None
        return self.drain() or [NOOP]
