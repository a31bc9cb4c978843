"""How long an upload may be silent: there is no limit on the whole of it."""

from __future__ import annotations

import time

from server.errors import Stalled

IDLE_SECONDS = 30.0  # without a byte for so long the connection is given up
LOOK_SECONDS = 0.5  # at most so long nobody looks


class Silence:
    """Told now and then how much is left of a body."""

    def __init__(self) -> None:
        self._left, self._since = -1, time.monotonic()

    def judge(self, left: int) -> None:
        """Raises Stalled when nothing has come for too long."""
        now = time.monotonic()
        if left != self._left:
            self._left, self._since = left, now
        elif now - self._since > IDLE_SECONDS:
            raise Stalled("No bytes came for 30 seconds.")
