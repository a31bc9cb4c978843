"""Membership at the door of live rooms, looked up for many people together."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BindParameter, bindparam, select

from server.access import Role
from server.courses.tables import Enrollment
from server.db.base import Base
from server.db.database import Database
from server.db.gathering import JOINING_SECONDS, Gathering
from server.errors import Missing
from server.live_sessions.tables import LiveSession, LiveSessionGuest

_PEOPLE: BindParameter[int] = bindparam("people", expanding=True)
_ROOMS: BindParameter[int] = bindparam("rooms", expanding=True)
_COURSES: BindParameter[int] = bindparam("courses", expanding=True)
_enrollments, _guests = (Base.metadata.tables[table.__tablename__].c for table in (Enrollment, LiveSessionGuest))
# Made once, the last two without entities: a crowd asks the same again and again.
_SESSIONS = select(LiveSession).where(LiveSession.id.in_(_ROOMS))
_STUDENTS = select(_enrollments.user_id, _enrollments.course_id).where(
    _enrollments.course_id.in_(_COURSES), _enrollments.user_id.in_(_PEOPLE), _enrollments.status == "active"
)
_GUESTS = select(_guests.user_id, _guests.live_session_id).where(
    _guests.live_session_id.in_(_ROOMS), _guests.user_id.in_(_PEOPLE)
)
Asked = tuple[int, int]  # a person and a live session
Found = tuple[LiveSession, Role | None]


class Door:
    """service.membership() for a crowd."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading = Gathering(self._read, crowd_seconds=JOINING_SECONDS)

    async def membership(self, user_id: int, live_session_id: int) -> Found:
        """The session, to be read only, and what `user_id` is to it, not older than this call.

        Raises Missing when there is no such session, DatabaseAway.
        """
        found = await self._reading.ask((user_id, live_session_id))
        if found is None:
            raise Missing()
        return found

    async def _read(self, asked: Sequence[Asked]) -> dict[Asked, Found | None]:
        people = list({user_id for user_id, _ in asked})
        async with self._database.look() as read:
            found_rows = await read.execute(_SESSIONS, {"rooms": list({room for _, room in asked})})
            rows = {row.id: row for row in found_rows.scalars()}
            courses = {row.course_id for row in rows.values() if row.course_id is not None}
            enrolled, invited = set[tuple[int, int]](), set[tuple[int, int]]()
            if courses:
                of_courses = {"courses": list(courses), "people": people}
                enrolled = {(user_id, course) for user_id, course in await read.execute(_STUDENTS, of_courses)}
            if open_ones := [row.id for row in rows.values() if row.course_id is None]:
                of_rooms = {"rooms": open_ones, "people": people}
                invited = {(user_id, room) for user_id, room in await read.execute(_GUESTS, of_rooms)}
        found: dict[Asked, Found | None] = dict.fromkeys(asked)
        for user_id, room in asked:
            if (row := rows.get(room)) is not None:
                found[user_id, room] = row, _role(row, user_id, enrolled, invited)
        return found


def _role(row: LiveSession, user_id: int, enrolled: set[tuple[int, int]], invited: set[tuple[int, int]]) -> Role | None:
    if row.host_id == user_id:
        return Role.INSTRUCTOR
    if row.course_id is not None and (user_id, row.course_id) in enrolled:
        return Role.STUDENT
    return Role.GUEST if (user_id, row.id) in invited else None
