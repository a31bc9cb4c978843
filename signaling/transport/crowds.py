"""What is written in one turn of the loop: frames to single clients, and broadcasts, kept as one until its end.

A broadcast costs its members nothing before the turn is over: then the frames of all broadcasts to the same members are
joined once and the same bytes are written to each. A member that is told something of its own meanwhile is taken out of
its crowd first, with what that crowd has gathered, so the order of each client stays program order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from signaling.transport.link import FLUSH_AT, Link, write_all

if TYPE_CHECKING:
    from signaling.transport.connection import Connection
    from signaling.transport.counters import TransportCounters

FEWEST_IN_A_CROWD = 3  # fewer are written to one by one
MOST_CROWDS = 64  # kept apart in one turn; broadcasts to further rooms are given to their members at once


class Audience:
    """Who hears a broadcast, and the frames they were told in this turn; those `apart` have them among their own.

    `links` are told by a write, `others` (polling, or just being let in) by `Connection.send`.
    """

    def __init__(self, members: Sequence[Connection]) -> None:
        self.links: tuple[Link, ...] = tuple(link for member in members if (link := member.open_link) is not None)
        self.others = tuple(member for member in members if member.open_link is None)
        self.frames: list[bytes] = []
        self.gathered = 0
        self.apart: set[Link] = set()

    @cached_property
    def known(self) -> frozenset[Link]:
        return frozenset(self.links)

    def holds(self, link: Link) -> bool:
        return link in self.known and link not in self.apart

    def write(self, counters: TransportCounters) -> list[Link]:
        """Write to all who are not apart; those who have left too much unread."""
        frames, links = self.frames, self.links
        data, count = frames[0] if len(frames) == 1 else b"".join(frames), len(frames)
        frames.clear()
        self.gathered = 0
        if self.apart:
            links = tuple(link for link in links if link not in self.apart)
            self.apart.clear()
        return write_all(links, data, count, counters)


class Flusher:
    """Everything to be written at the end of this turn, by one callback for all."""

    def __init__(self, counters: TransportCounters) -> None:
        self._counters = counters
        self._alone: list[Link] = []  # with frames of their own
        self._crowds: list[Audience] = []  # told something; no link is in two of them
        self._known: set[Link] = set()  # everybody in a crowd, once there is a second one
        self._is_due = False
        self._at_end: Callable[[Callable[[], bool]], object] | None = None  # of the loop it serves

    def add(self, link: Link) -> None:
        """`link` is about to gather a frame of its own."""
        if not self._is_due:
            self._will_flush()
        self._alone.append(link)
        self.take_out(link)

    def tell(self, audience: Audience, frame: bytes) -> None:
        """Queue `frame` for every link of the audience."""
        frames = audience.frames
        if not (frames or self._crowds or self._alone) and len(audience.links) >= FEWEST_IN_A_CROWD:
            self._crowds.append(audience)  # the commonest: nothing else was told in this turn
            if not self._is_due:
                self._will_flush()
        elif not frames and not self._begins(audience):
            for link in audience.links:
                link.write(frame)
            return
        frames.append(frame)
        audience.gathered += len(frame)
        if audience.apart:
            for link in tuple(audience.apart):
                link.write(frame)
        if audience.gathered >= FLUSH_AT:
            self._crowds.remove(audience)
            self._known -= audience.known
            _cut(audience.write(self._counters))

    def take_out(self, link: Link) -> None:
        """Give `link` what its crowd has gathered for it."""
        if self._known and link not in self._known:
            return
        for crowd in self._crowds:
            if crowd.holds(link):
                crowd.apart.add(link)
                link.take(crowd.frames, crowd.gathered)
                return

    def gathered_for(self, link: Link) -> int:
        """Bytes that wait for `link` in its crowd."""
        if not self._crowds:
            return 0
        return sum(crowd.gathered for crowd in self._crowds if crowd.holds(link))

    def _begins(self, audience: Audience) -> bool:
        """Make a crowd of it; False when these must be written to one by one."""
        if len(audience.links) < FEWEST_IN_A_CROWD or len(self._crowds) >= MOST_CROWDS:
            return False
        if self._crowds:
            known = self._known or self._known.union(*(crowd.known for crowd in self._crowds))
            if not known.isdisjoint(audience.known):
                return False
            known |= audience.known
            self._known = known
        if self._alone:
            audience.apart.update(link for link in self._alone if link in audience.known)
        if not self._is_due:
            self._will_flush()
        self._crowds.append(audience)
        return True

    def _will_flush(self) -> None:
        self._is_due = True
        at_end = self._at_end
        if at_end is None:  # asking costs a system call
            loop = asyncio.get_running_loop()
            at_end = self._at_end = getattr(loop, "at_end_of_turn", loop.call_soon)
        at_end(self._flush)

    def _flush(self) -> bool:
        """Whether somebody may have given the loop something to do: not when everything was taken at once."""
        self._is_due = False
        counters, crowds, alone = self._counters, self._crowds, self._alone
        untaken = counters.untaken
        slow: list[Link] = []
        if crowds:
            self._crowds = []
            if self._known:
                self._known = set()
            for crowd in crowds:
                slow += crowd.write(counters)
        if alone:
            self._alone = []
            for link in alone:
                slow += link.drain()
        if slow:
            _cut(slow)  # last: whoever hears of it may write again
        return counters.untaken != untaken


def _cut(slow: Sequence[Link]) -> None:
    for link in slow:
        link.cut()
