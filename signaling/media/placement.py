"""Which media worker takes a room that has none: the least loaded of those that have room.

Pure. A worker's load is the share of a processor it needs, measured over some seconds, so a room placed a moment ago is
not in it yet: each of those counts as what a small class will need, and a row of classes that begin together is spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ROOM_LOAD = 0.03  # of a processor: what a class of ten needs at class-room rates
FRESH_SECONDS = 10.0  # after this a room's need is in what its worker measures


@dataclass(frozen=True, slots=True)
class Standing:
    """A worker that answers: its measured load, whether it takes nobody new, its rooms, how many of them are new."""

    worker: int
    load: float
    is_full: bool = False
    rooms: int = 0
    fresh: int = 0

    @property
    def expected(self) -> float:
        """What it needs once its new rooms are in full swing."""
        return self.load + self.fresh * ROOM_LOAD


def least_loaded(standings: Sequence[Standing]) -> int | None:
    """The worker for one more room; None when each takes nobody new, or there is none."""
    open_ones = [standing for standing in standings if not standing.is_full]
    if not open_ones:
        return None
    return min(open_ones, key=lambda s: (round(s.expected, 2), s.rooms, s.worker)).worker
