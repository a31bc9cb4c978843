"""The m-lines a source feeds just now, ready for the fan-out.

What came in one turn of the loop leaves at its end: a browser sends a frame's packets in one go, and together they cost
the system half. Whoever joins or leaves meanwhile divides what is held, so that nobody gets more or less than without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from signaling.media.batch import RUN
from signaling.media.cache import Packet
from signaling.media.counters import Counters
from signaling.media.fanout import Line, Row, row_of


class Member(Line, Protocol):
    """A line that is fed from the packet `first` on."""

    first: int


MemberT = TypeVar("MemberT", bound=Member)


class Audience(Generic[MemberT]):
    """`members` in an order good for batches; each one's row is kept until somebody's address moves. `send` forwards
    packets to rows.
    """

    def __init__(self, counters: Counters, send: Callable[[Sequence[Row], Sequence[Packet]], None]) -> None:
        self.members: list[MemberT] = []
        self._counters = counters
        self._rows: list[Row] | None = None
        self._moves = 0  # what `Mux.moves` was when the rows were made
        self._latest_cut = 0  # the newest packet at which any member began
        self._send = send
        self._held: list[Packet] = []  # of this turn of the loop; at most RUN

    def add(self, member: MemberT) -> None:
        """Feed it from its `first` on; neighbors share a socket where possible."""
        self.flush()
        self._rows = None
        self.members.append(member)
        self.members.sort(key=lambda each: id(each.link.socket))
        self._latest_cut = max(self._latest_cut, member.first)

    def remove(self, member: MemberT) -> None:
        """Feed it no more, not even what is held: whoever is to have that calls `flush` first. May be called twice."""
        self._rows = None
        if member in self.members:
            self.members.remove(member)

    def begin_anew(self) -> None:
        """The source's numbers start over."""
        self._latest_cut = 0

    def feed(self, packet: Packet) -> None:
        """Send this to all members, at the end of the turn at the latest."""
        if packet.seq < self._latest_cut:
            self._send(self.rows(self.members, packet.seq), (packet,))
            return
        self._held.append(packet)
        if len(self._held) == 1:
            self.members[0].link.mux.at_turns_end(self.flush)
        elif len(self._held) >= RUN:
            self.flush()

    def flush(self) -> None:
        """Send what is held now."""
        held, self._held = self._held, []
        if not held or not self.members:
            return
        if self.members[0].link.loss.outgoing:  # each packet has its own luck
            for packet in held:
                self._send(self.rows(self.members, packet.seq), (packet,))
        else:
            self._send(self.rows(self.members, held[0].seq), held)

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
