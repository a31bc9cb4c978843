"""Membership at the door of live rooms, looked up for many people together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from server.access import Role
from server.courses.tables import Enrollment
from server.db.base import Base
from server.db.database import Database
from server.db.gathering import JOINING_SECONDS, Gathering
from server.db.glances import Question
from server.errors import Missing
from server.live_sessions.tables import LiveSession, LiveSessionGuest

_sessions, _enrollments, _guests = (
    Base.metadata.tables[table.__tablename__].c for table in (LiveSession, Enrollment, LiveSessionGuest)
)
_MOVING = ("last_seq", "empty_since")  # not read here: they change whenever somebody comes, and nothing else does
_SHOWN = [column for column in _sessions if column.key not in _MOVING]
_SESSIONS = Question(lambda among: select(*_SHOWN).where(among(_sessions.id, "rooms")))
_STUDENTS = Question(
    lambda among: select(_enrollments.user_id, _enrollments.course_id).where(
        _enrollments.course_id.in_(select(_sessions.course_id).where(among(_sessions.id, "rooms"))),
        among(_enrollments.user_id, "people"),
        _enrollments.status == "active",
    )
)
_GUESTS = Question(
    lambda among: select(_guests.user_id, _guests.live_session_id).where(
        among(_guests.live_session_id, "rooms"), among(_guests.user_id, "people")
    )
)
_NAMES = [column.key for column in _SHOWN]
MOST_KEPT = 256  # live sessions; when there are more, all are made anew
Asked = tuple[int, int]  # a person and a live session
Found = tuple[LiveSession, Role | None]


class Door:
    """service.membership() for a crowd."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[int, tuple[Sequence[Any], LiveSession]] = {}
        self._reading = Gathering(self._read, crowd_seconds=JOINING_SECONDS)

    async def membership(self, user_id: int, live_session_id: int) -> Found:
        """The session, to be read only, without what is _MOVING, and what `user_id` is to it; as of this call.

        Raises Missing when there is no such session, DatabaseAway.
        """
        found = await self._reading.ask((user_id, live_session_id))
        if found is None:
            raise Missing()
        return found

    async def _read(self, asked: Sequence[Asked]) -> dict[Asked, Found | None]:
        there = {"rooms": list({room for _, room in asked}), "people": list({user_id for user_id, _ in asked})}
        sessions, students, guests = await self._database.glance(
            (_SESSIONS, there), (_STUDENTS, there), (_GUESTS, there)
        )
        rows = {row.id: row for row in map(self._row, sessions)}
        enrolled, invited = set(map(tuple, students)), set(map(tuple, guests))
        found: dict[Asked, Found | None] = dict.fromkeys(asked)
        for user_id, room in asked:
            if (row := rows.get(room)) is not None:
                found[user_id, room] = row, _role(row, user_id, enrolled, invited)
        return found

    def _row(self, values: Sequence[Any]) -> LiveSession:
        """A row is made an object once for as long as nothing in it changes."""
        kept = self._kept.get(values[0])
        if kept is None or kept[0] != values:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            kept = self._kept[values[0]] = values, LiveSession(**dict(zip(_NAMES, values, strict=True)))
        return kept[1]


def _role(row: LiveSession, user_id: int, enrolled: set[tuple[int, int]], invited: set[tuple[int, int]]) -> Role | None:
    if row.host_id == user_id:
        return Role.INSTRUCTOR
    if row.course_id is not None and (user_id, row.course_id) in enrolled:
        return Role.STUDENT
    return Role.GUEST if (user_id, row.id) in invited else None
