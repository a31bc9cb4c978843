"""How much of a processor the worker needs, smoothed over a few seconds, and how much may be needed before it takes
nobody new: whoever is inside keeps the quality they have.

A forwarding loop that needs all of its processor sends late and then loses; below that its delay is flat. So capacity
is this share, measured on the machine it runs on with the packets that flow, and no number of people. Whoever has only
just come is not in it yet and counts as what a student of a class needs, or a crowd would be in before it was measured.
"""

from __future__ import annotations

import math
from collections import deque

MOST_LOAD = 0.8  # of one processor; the rest is for keyframes, handshakes and people who turn their cameras on
SMOOTHING_SECONDS = 3.0  # a crowd's handshakes pass, the packets that follow stay
CONNECTION_LOAD = 0.0025  # of a processor: one more that sends or is sent 300 packets a second, with some to spare
FRESH_SECONDS = 2 * SMOOTHING_SECONDS  # after this most of a connection's need is in what is measured


class Load:
    """Fed with processor time and the time of day, about twice a second."""

    def __init__(self, most: float = MOST_LOAD) -> None:
        self.most = most
        self.share = 0.0
        self._fresh: deque[float] = deque()  # when each of the newest came; `most` bounds them
        self._before: tuple[float, float] | None = None

    @property
    def is_full(self) -> bool:
        """No further connection should be taken now."""
        return self.share + len(self._fresh) * CONNECTION_LOAD > self.most

    def expect(self, now: float) -> None:
        """A connection is taken: it will need something soon."""
        self._fresh.append(now)

    def measure(self, processor: float, now: float) -> None:
        """Both in seconds, each on a clock of its own."""
        while self._fresh and self._fresh[0] < now - FRESH_SECONDS:
            self._fresh.popleft()
        before, self._before = self._before, (processor, now)
        if before is None or now <= before[1]:
            return
        passed = now - before[1]
        weight = 1.0 - math.exp(-passed / SMOOTHING_SECONDS)
        self.share += weight * ((processor - before[0]) / passed - self.share)
