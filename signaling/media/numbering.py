"""Sequence numbers of one outgoing m-line whose source changes.

Numbers go on by one at every cut while gaps of the source are kept, so a browser asks again only for what is really
missing. The last few cuts are remembered to turn a number a browser asks for back into the source's own. "Was it before
the cut?" is counted, not compared: comparing modulo 2**16 breaks after 32,768 packets.
"""

from __future__ import annotations

from typing import Generic, TypeVar

SourceT = TypeVar("SourceT")
REMEMBERED_CUTS = 4  # a number from before them is not found, and the browser gives it up


class Segment(Generic[SourceT]):
    """From one cut to the next: what was added to the source's numbers and times, and how many numbers it used."""

    __slots__ = ("add_seq", "add_time", "source", "used")

    def __init__(self, source: SourceT, add_seq: int, add_time: int) -> None:
        self.source, self.add_seq, self.add_time, self.used = source, add_seq, add_time, 0


class Numbering(Generic[SourceT]):
    """Maps source numbers to outgoing ones and back (16 bit); times (32 bit) move by `add_time` of the current
    segment.
    """

    __slots__ = ("current", "segments", "seq")

    def __init__(self, first: int) -> None:
        self.seq = first  # the last number used; the first packet gets the next
        self.segments: list[Segment[SourceT]] = []
        self.current: Segment[SourceT] | None = None

    def cut(self, source: SourceT, seq: int, add_time: int) -> Segment[SourceT]:
        """From here on packets of `source` are carried; its `seq` gets the next free number."""
        self.current = Segment(source, (self.seq + 1 - seq) & 0xFFFF, add_time & 0xFFFFFFFF)
        self.segments = [*self.segments[1 - REMEMBERED_CUTS :], self.current]
        return self.current

    def carry(self, seq: int) -> int:
        """The outgoing number for the current source's `seq`; -1 when it is from before the cut and its number is
        taken.
        """
        segment = self.current
        assert segment is not None
        number = (seq + segment.add_seq) & 0xFFFF
        ahead = (number - self.seq) & 0xFFFF
        if ahead < 0x8000:
            self.seq = number
            segment.used += ahead
        elif 0x10000 - ahead >= segment.used:
            return -1
        return number

    def origin(self, number: int) -> tuple[Segment[SourceT], int] | None:
        """The segment and the source's own number behind an outgoing one; None when it is older than the remembered
        cuts.
        """
        behind = (self.seq - number) & 0xFFFF
        for segment in reversed(self.segments):
            if behind < segment.used:
                return segment, (number - segment.add_seq) & 0xFFFF
            behind -= segment.used
        return None
