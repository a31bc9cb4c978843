"""Waits of one length for many: kept in the order of their beginning, with one timer of the loop for all.

Nearly every wait of a transport (for a connect, for a pong, for an answer) ends long before its time; a timer for each
would be most of what it costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

Waiting = TypeVar("Waiting", bound=Hashable)


class Waits(Generic[Waiting]):
    """`over` is called with whoever has waited for `seconds`, and when that was due; its wait has ended then."""

    def __init__(self, seconds: float, over: Callable[[Waiting, float], None]) -> None:
        self.seconds = seconds
        self._over = over
        self._due: dict[Waiting, float] = {}  # the soonest first
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, one: Waiting, since: float | None = None) -> None:
        """Its wait begins, again if it had; `since` is not before the beginning of anybody's in here."""
        loop = asyncio.get_running_loop()
        self._due.pop(one, None)
        self._due[one] = due = (loop.time() if since is None else since) + self.seconds
        if self._timer is None:
            self._timer = loop.call_at(due, self._look, loop)

    def end(self, one: Waiting) -> bool:
        """Whether it was waiting. The timer stays: it looks again who is next."""
        return self._due.pop(one, None) is not None

    def __contains__(self, one: Waiting) -> bool:
        return one in self._due

    def __len__(self) -> int:
        return len(self._due)

    def __iter__(self) -> Iterator[Waiting]:
        """Those who wait now; they may end meanwhile."""
        return iter(tuple(self._due))

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        try:
            while self._due:
                one, due = next(iter(self._due.items()))
                if due > now:
                    break
                del self._due[one]
                self._over(one, due)
        finally:
            if self._due and self._timer is None:
                self._timer = loop.call_at(next(iter(self._due.values())), self._look, loop)
