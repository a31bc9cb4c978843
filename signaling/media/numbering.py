"""Sequence numbers of one outgoing m-line whose source changes.

Numbers go on by one at every cut while gaps of the source are kept, so a browser asks again only for what is really
missing. The last few cuts are remembered to turn a number a browser asks for back into the source's own. All numbers
here are extended ones that never wrap (RFC 3550, appendix A.1); comparing modulo 2**16 would mistake "before the cut"
for "after" once 32,768 packets have passed. Only `number` and `origin` touch the 16 bits of the wire.
"""

from __future__ import annotations

from typing import Generic, TypeVar

SourceT = TypeVar("SourceT")
REMEMBERED_CUTS = 4  # a number from before them is not found, and the browser gives it up


class Segment(Generic[SourceT]):
    """From one cut to the next: what is added to the source's numbers and times, and the first outgoing number."""

    __slots__ = ("add_seq", "add_time", "first", "source")

    def __init__(self, source: SourceT, first: int, add_seq: int, add_time: int) -> None:
        self.source, self.first, self.add_seq, self.add_time = source, first, add_seq, add_time


class Numbering(Generic[SourceT]):
    """Maps a source's numbers to outgoing ones and back; times (32 bit) move by `add_time` of the current segment."""

    __slots__ = ("last", "segments")

    def __init__(self, last: int) -> None:
        self.last = last + 0x10000  # the newest number used; a late packet right after a cut must not go below zero
        self.segments: list[Segment[SourceT]] = []

    def cut(self, source: SourceT, seq: int, add_time: int) -> Segment[SourceT]:
        """From here on packets of `source` are carried; its `seq` gets the next free number.

        `reach` must have been told how far the source before it came.
        """
        first = self.last + 1
        segment = Segment(source, first, first - seq, add_time & 0xFFFFFFFF)
        self.segments = [*self.segments[1 - REMEMBERED_CUTS :], segment]
        self.last = first
        return segment

    def reach(self, seq: int) -> None:
        """The current source has come to its number `seq`, and so have we."""
        self.last = max(self.last, seq + self.segments[-1].add_seq)

    def origin(self, number: int) -> tuple[Segment[SourceT], int] | None:
        """The segment and the source's own number behind the 16 bits a browser names.

        None when it is older than the remembered cuts. `reach` must have been told the newest.
        """
        extended = self.last - ((self.last - number) & 0xFFFF)
        for segment in reversed(self.segments):
            if extended >= segment.first:
                return segment, extended - segment.add_seq
        return None
