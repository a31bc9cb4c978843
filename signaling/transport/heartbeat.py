"""Is the other side still there: a ping now and then, and one deadline for its pong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Heartbeat:
    """One timer per client: first until the ping, then until the deadline (Engine.IO v4: the server pings)."""

    __slots__ = ("_interval", "_is_waiting", "_on_ping", "_on_silence", "_timeout", "_timer")

    def __init__(
        self, interval: float, timeout: float, on_ping: Callable[[], None], on_silence: Callable[[], None]
    ) -> None:
        self._interval, self._timeout = interval, timeout
        self._on_ping, self._on_silence = on_ping, on_silence
        self._is_waiting = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._is_waiting = False
        self._timer = loop.call_at(loop.time() + self._interval, self._ping)

    def pong(self) -> None:
        """The answer came; one nobody asked for changes nothing."""
        if self._is_waiting:
            self.stop()
            self.start()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def end(self) -> None:
        """Stop for good, and let go of its owner, which no collector has to find then."""
        self.stop()
        self._on_ping = self._on_silence = _nothing

    def _ping(self) -> None:
        assert self._timer is not None
        due = self._timer.when() + self._timeout  # counted from when the ping was due: lateness does not add up
        self._is_waiting = True
        self._timer = asyncio.get_running_loop().call_at(due, self._on_silence)
        self._on_ping()


def _nothing() -> None:
    """Nobody is there any more."""
