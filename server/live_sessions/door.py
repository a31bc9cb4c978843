"""Membership at the door of live rooms, looked up for many people together."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from server.access import Role
from server.courses.tables import Enrollment
from server.db.database import Database
from server.db.gathering import Gathering
from server.errors import Missing
from server.live_sessions.tables import LiveSession, LiveSessionGuest

Asked = tuple[int, int]  # a person and a live session
Found = tuple[LiveSession, Role | None]


class Door:
    """service.membership() for a crowd."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading = Gathering(self._read)

    async def membership(self, user_id: int, live_session_id: int) -> Found:
        """The session, to be read only, and what `user_id` is to it, not older than this call.

        Raises Missing when there is no such session, DatabaseAway.
        """
        found = await self._reading.ask((user_id, live_session_id))
        if found is None:
            raise Missing()
        return found

    async def _read(self, asked: Sequence[Asked]) -> dict[Asked, Found | None]:
        people = {user_id for user_id, _ in asked}
        async with self._database.read() as read:
            query = select(LiveSession).where(LiveSession.id.in_({room for _, room in asked}))
            rows = {row.id: row for row in await read.scalars(query)}
            courses = {row.course_id for row in rows.values() if row.course_id is not None}
            enrolled, invited = set[tuple[int, int]](), set[tuple[int, int]]()
            if courses:
                students = select(Enrollment.user_id, Enrollment.course_id).where(
                    Enrollment.course_id.in_(courses), Enrollment.user_id.in_(people), Enrollment.status == "active"
                )
                enrolled = {(user_id, course_id) for user_id, course_id in await read.execute(students)}
            if open_ones := {row.id for row in rows.values() if row.course_id is None}:
                guests = select(LiveSessionGuest.user_id, LiveSessionGuest.live_session_id).where(
                    LiveSessionGuest.live_session_id.in_(open_ones), LiveSessionGuest.user_id.in_(people)
                )
                invited = {(user_id, room) for user_id, room in await read.execute(guests)}
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
