"""The m-lines a source feeds just now, ready for the fan-out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from signaling.media.counters import Counters
from signaling.media.fanout import Line, Row, row_of


class Member(Line, Protocol):
    """A line that is fed from the packet `first` on."""

    first: int


MemberT = TypeVar("MemberT", bound=Member)


class Audience(Generic[MemberT]):
    """`members` in an order good for batches; each one's row is kept until somebody's address moves."""

    def __init__(self, counters: Counters) -> None:
        self.members: list[MemberT] = []
        self._counters = counters
        self._rows: list[Row] | None = None
        self._moves = 0  # what `Mux.moves` was when the rows were made
        self._latest_cut = 0  # the newest packet at which any member began

    def add(self, member: MemberT) -> None:
        """Feed it from its `first` on; neighbors share a socket where possible."""
        self._rows = None
        self.members.append(member)
        self.members.sort(key=lambda each: id(each.link.socket))
        self._latest_cut = max(self._latest_cut, member.first)

    def remove(self, member: MemberT) -> None:
        """Feed it no more; may be called twice."""
        self._rows = None
        if member in self.members:
            self.members.remove(member)

    def begin_anew(self) -> None:
        """The source's numbers start over."""
        self._latest_cut = 0

    def rows(self, some: Sequence[MemberT], seq: int) -> list[Row]:
        """The rows of these members for the packet `seq`, without those who began after it: their numbers are taken."""
        if seq < self._latest_cut:
            count = len(some)
            some = [member for member in some if seq >= member.first]
            self._counters.late_dropped += count - len(some)
        if not some:
            return []
        loss, moves = some[0].link.loss, some[0].link.mux.moves
        if loss.outgoing:
            some = [member for member in some if not loss.takes(loss.outgoing)]
        if some is not self.members:
            return [row_of(member) for member in some]
        if self._rows is None or self._moves != moves:
            self._rows, self._moves = [row_of(member) for member in some], moves
        return self._rows
