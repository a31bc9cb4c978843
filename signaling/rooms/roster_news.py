"""Rosters on screen are told who came and went, in bundles: one a room and a course per COALESCE_SECONDS.

While hundreds come into one class, each bundle goes to all who are there already: the more are told, the longer the
next one gathers, so that telling stays a hundredth of the loop's time. Who has much unread is passed over, and told by
itself as soon as that was read: every roster comes to what is so.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from server.access import Role
from signaling.client import Client, course_room, entering_room, live_room
from signaling.rooms.headcount import ANYWHERE, Key
from signaling.transport import Connection, LiveServer

COALESCE_SECONDS, LONGEST_SECONDS = 0.2, 1.0
SECONDS_FOR_ONE = 0.0005  # a hundred times what telling one costs


class Shown(NamedTuple):
    """A roster on screens: of a live session, or of a course."""

    is_room: bool
    number: int

    @property
    def audience(self) -> str:
        """Who has it on screen and is up to date."""
        return live_room(self.number) if self.is_room else course_room(self.number, Role.INSTRUCTOR)


_of_course, _of_room = partial(Shown, False), partial(Shown, True)


class RosterNews:
    """`count` says how many connections there are now; `telling` is called before each bundle leaves.

    `course_of` holds the course of each live session somebody is in.
    """

    def __init__(self, live: LiveServer, count: Callable[[Key], int], telling: Callable[[], None]) -> None:
        self._live, self._count, self._telling = live, count, telling
        self.course_of: dict[int, int | None] = {}
        self._marked: dict[Shown, set[int]] = defaultdict(set)
        self._owed: dict[Connection, dict[Shown, set[int]]] = {}  # passed over, and for whom
        self._guests: dict[int, set[int]] = {}  # of classes without a course, who was in
        self._timer: asyncio.TimerHandle | None = None
        self._is_gathering = False  # and not only waiting for those passed over
        self._told = 0  # how many heard the last bundles,
        self._flushed_at = 0.0  # and when

    def close(self) -> None:
        """What was not told stays untold."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._is_gathering = False

    def mark(self, key: Key, courses: Iterable[int]) -> None:
        """Rosters that show this count, those of `courses` too, are told with the next bundle."""
        user_id, place = key
        in_rosters = set(courses)
        rooms = {number for number, course in self.course_of.items() if course in in_rosters} if in_rosters else set()
        if place == ANYWHERE:
            rooms.update(number for number, guests in self._guests.items() if user_id in guests)
        else:
            rooms.add(place)
            if (course_id := self.course_of.get(place)) is not None:
                in_rosters.add(course_id)
            elif place in self.course_of:
                self._guests.setdefault(place, set()).add(user_id)
        for shown in (*map(_of_course, in_rosters), *map(_of_room, rooms)):
            self._marked[shown].add(user_id)
        if not self._is_gathering:
            self._is_gathering = True
            self._flush_in(min(max(COALESCE_SECONDS, self._told * SECONDS_FOR_ONE), LONGEST_SECONDS))

    def _flush_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.flush)

    def ride_along(self) -> None:
        """Members are written to in this turn anyway: what gathers goes in the same writes, if the last is long ago."""
        if self._is_gathering and asyncio.get_running_loop().time() - self._flushed_at >= COALESCE_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Tell what changed, now."""
        self.close()
        self._flushed_at = asyncio.get_running_loop().time()
        marked, self._marked = self._marked, defaultdict(set)
        self._telling()
        self._told = 0
        for shown, users in marked.items():
            self._tell(shown, users)
        self._pay()
        if self._owed:
            self._flush_in(LONGEST_SECONDS)

    def forget(self, live_session_ids: Iterable[int]) -> None:
        """Nobody is in these any more."""
        for live_session_id in live_session_ids:
            self.course_of.pop(live_session_id, None)
            self._guests.pop(live_session_id, None)

    def _tell(self, shown: Shown, users: set[int]) -> None:
        owed = [connection for connection, rosters in self._owed.items() if shown in rosters]  # told it all in one
        passed_over = [*self._catching_up(shown), *owed]
        if members := self._live.members(shown.audience):
            self._told += len(members)
            self._live.broadcast_droppable(
                shown.audience, "presence", self._presence(shown, users), skip=owed, passed_over=passed_over
            )
        for connection in passed_over:
            self._owed.setdefault(connection, {}).setdefault(shown, set()).update(users)

    def _catching_up(self, shown: Shown) -> list[Connection]:
        """Who has this roster, and reads events missed before or since."""
        if not shown.is_room:
            return []
        return [member for member in self._live.members(entering_room(shown.number)) if _has(member, shown)]

    def _pay(self) -> None:
        """Tell those passed over before, if they have the roster still and read again."""
        owed, self._owed = self._owed, {}
        for connection, rosters in owed.items():
            for shown, users in rosters.items():
                if not _has(connection, shown):
                    continue
                if not connection.emit_droppable("presence", self._presence(shown, users)):
                    self._owed.setdefault(connection, {})[shown] = users

    def _presence(self, shown: Shown, users: Iterable[int]) -> dict[str, Any]:
        if shown.is_room:
            name, counted, rooms = "live_session_id", shown.number, [shown.number]
        else:
            name, counted = "course_id", ANYWHERE
            rooms = [number for number, course_id in self.course_of.items() if course_id == shown.number]
        return {name: shown.number, "changes": [self._change(user_id, counted, rooms) for user_id in sorted(users)]}

    def _change(self, user_id: int, counted: int, rooms: Iterable[int]) -> dict[str, Any]:
        anywhere = self._count((user_id, ANYWHERE))
        connections = anywhere if counted == ANYWHERE else self._count((user_id, counted))
        is_inside = connections > 0 if counted != ANYWHERE else any(self._count((user_id, room)) > 0 for room in rooms)
        return {"user_id": user_id, "online": anywhere > 0, "in_room": is_inside, "connections": connections}


def _has(connection: Connection, shown: Shown) -> bool:
    """Whether it has this roster on screen."""
    if connection.gone or not shown.is_room:
        return shown.audience in connection.rooms
    client: Client = connection.state
    place = client.places.get(shown.number)
    return place is not None and place.has_roster
