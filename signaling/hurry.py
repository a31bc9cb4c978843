"""Whether bells between processes are away, or were a moment ago: then the database is asked more often.

The moment after counts too: a bell that was rung just before everybody listened again was heard by nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable

AFTERWARDS_SECONDS = 10.0


class Hurry:
    """Call it at every look; true while the bus is down and for a while after."""

    def __init__(self, is_bus_up: Callable[[], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._is_bus_up, self._clock = is_bus_up, clock
        self._until = 0.0

    def __call__(self) -> bool:
        if not self._is_bus_up():
            self._until = self._clock() + AFTERWARDS_SECONDS
        return self._clock() < self._until
