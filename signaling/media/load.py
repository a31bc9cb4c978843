"""How much of a processor the worker needs, smoothed over a few seconds, and how much may be needed before it takes
nobody new: whoever is inside keeps the quality they have.

A forwarding loop that needs all of its processor sends late and then loses; below that its delay is flat. So capacity
is this share, measured on the machine it runs on with the packets that flow, and no number of people.
"""

from __future__ import annotations

import math

MOST_LOAD = 0.8  # of one processor; the rest is for keyframes, handshakes and people who turn their cameras on
SMOOTHING_SECONDS = 3.0  # a crowd's handshakes pass, the packets that follow stay


class Load:
    """Fed with processor time and the time of day, about twice a second."""

    def __init__(self, most: float = MOST_LOAD) -> None:
        self.most = most
        self.share = 0.0
        self._before: tuple[float, float] | None = None

    @property
    def is_full(self) -> bool:
        """No further connection should be taken now."""
        return self.share > self.most

    def measure(self, processor: float, now: float) -> None:
        """Both in seconds, each on a clock of its own."""
        before, self._before = self._before, (processor, now)
        if before is None or now <= before[1]:
            return
        passed = now - before[1]
        weight = 1.0 - math.exp(-passed / SMOOTHING_SECONDS)
        self.share += weight * ((processor - before[0]) / passed - self.share)
