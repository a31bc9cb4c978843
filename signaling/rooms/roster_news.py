"""Rosters on screen are told who came and went, in bundles: one a room and a course per COALESCE_SECONDS.

While hundreds come into one class, each bundle goes to all who are there already: the more are told, the longer the
next one gathers, so that telling stays a hundredth of the loop's time.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from server.access import Role
from signaling.client import course_room, live_room
from signaling.rooms.headcount import ANYWHERE, Key
from signaling.transport import LiveServer

COALESCE_SECONDS, LONGEST_SECONDS = 0.2, 1.0
SECONDS_FOR_ONE = 0.0005  # a hundred times what telling one costs


class RosterNews:
    """`count` says how many connections there are now; `telling` is called before each bundle leaves.

    `course_of` holds the course of each live session somebody is in.
    """

    def __init__(self, live: LiveServer, count: Callable[[Key], int], telling: Callable[[], None]) -> None:
        self._live, self._count, self._telling = live, count, telling
        self.course_of: dict[int, int | None] = {}
        self._courses: dict[int, set[int]] = defaultdict(set)
        self._rooms: dict[int, set[int]] = defaultdict(set)
        self._timer: asyncio.TimerHandle | None = None
        self._told = 0  # how many heard the last bundles

    def close(self) -> None:
        """What was not told stays untold."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def mark(self, key: Key, courses: Iterable[int]) -> None:
        """Rosters that show this count, those of `courses` too, are told with the next bundle."""
        user_id, place = key
        in_rosters = set(courses)
        if place != ANYWHERE:
            self._rooms[place].add(user_id)
            if (course_id := self.course_of.get(place)) is not None:
                self._courses[course_id].add(user_id)
        for course_id in in_rosters:
            self._courses[course_id].add(user_id)
        for live_session_id, of_course in self.course_of.items() if in_rosters else ():
            if of_course in in_rosters:
                self._rooms[live_session_id].add(user_id)
        if self._timer is None:
            pause = min(max(COALESCE_SECONDS, self._told * SECONDS_FOR_ONE), LONGEST_SECONDS)
            self._timer = asyncio.get_running_loop().call_later(pause, self.flush)

    def flush(self) -> None:
        """Tell what changed, now."""
        self.close()
        courses, self._courses = self._courses, defaultdict(set)
        rooms, self._rooms = self._rooms, defaultdict(set)
        self._telling()
        self._told = 0
        for live_session_id, users in rooms.items():
            of_room = {"live_session_id": live_session_id}
            self._tell(live_room(live_session_id), of_room, users, live_session_id, [live_session_id])
        for course_id, users in courses.items():
            of_course = [number for number, course in self.course_of.items() if course == course_id]
            self._tell(course_room(course_id, Role.INSTRUCTOR), {"course_id": course_id}, users, ANYWHERE, of_course)

    def forget(self, live_session_ids: Iterable[int]) -> None:
        """Nobody is in these any more."""
        for live_session_id in live_session_ids:
            self.course_of.pop(live_session_id, None)

    def _tell(
        self, audience: str, of: Mapping[str, int], users: Iterable[int], counted: int, rooms: Collection[int]
    ) -> None:
        if not (members := self._live.members(audience)):
            return
        self._told += len(members)
        changes = [self._change(user_id, counted, rooms) for user_id in sorted(users)]
        self._live.broadcast_droppable(audience, "presence", {**of, "changes": changes})

    def _change(self, user_id: int, counted: int, rooms: Iterable[int]) -> dict[str, Any]:
        return {
            "user_id": user_id,
            "online": self._count((user_id, ANYWHERE)) > 0,
            "in_room": any(self._count((user_id, room)) > 0 for room in rooms),
            "connections": self._count((user_id, counted)),
        }
