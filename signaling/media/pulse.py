"""Whether this process stood still for so long that its rooms may be somebody else's by now.

Web processes take a worker that does not answer for lost after two seconds and a half at most, its supervisor after
two; a machine that was frozen holds the supervisor still as well, and then the worker wakes up with its old rooms and
packets that lie unread. Whatever acts on what has lain there asks first, so nothing of a former life is sent on.
"""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_PAUSE_SECONDS = 2.0  # nobody has given up a worker that stood still for less


class Pulse:
    """`stopped` is called when the process goes on after a longer pause, before anything else is done."""

    def __init__(self, stopped: Callable[[], None]) -> None:
        self._stopped = stopped
        self._felt_at = time.monotonic()

    def feel(self) -> None:
        """The loop turns; at least a few times between two pauses."""
        before, self._felt_at = self._felt_at, time.monotonic()
        if self._felt_at - before > LONGEST_PAUSE_SECONDS:
            self._stopped()
