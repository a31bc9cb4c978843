"""How much one client may ask for: token buckets, and the strikes after which a flooding connection is closed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

REFUSALS, WITHIN_SECONDS = 20, 10.0  # so many refusals within that time close the connection


class Bucket:
    """`rate` a second, `burst` at once. Times are seconds of a monotonic clock."""

    __slots__ = ("_at", "_burst", "_clock", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens, self._at = float(burst), clock()

    def take(self) -> float:
        """0 when one may go now; else the seconds until one may, and nothing is taken."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate

    def give_back(self) -> None:
        """The last one cost nothing after all."""
        self._tokens = min(self._burst, self._tokens + 1)

    @property
    def is_full(self) -> bool:
        return self._tokens + (self._clock() - self._at) * self._rate >= self._burst


class Strikes:
    """Refusals of one connection."""

    __slots__ = ("_clock", "_times")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=REFUSALS)

    def strike(self) -> bool:
        """Count one refusal; True when it was one too many."""
        self._times.append(self._clock())
        return len(self._times) == REFUSALS and self._times[-1] - self._times[0] <= WITHIN_SECONDS
