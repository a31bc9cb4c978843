"""What a connecting person must be told and where they belong, read for many arrivals together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, bindparam, literal, select, union_all

from server.access import Role
from server.courses.tables import Course, Enrollment
from server.db.base import Base
from server.db.database import Database
from server.db.gathering import JOINING_SECONDS, Gathering
from server.notifications import service as notifications


@dataclass(frozen=True, slots=True)
class Arrival:
    """`courses` by role; `missed` notifications as they are told, oldest first."""

    courses: dict[int, Role]
    missed: list[dict[str, Any]]


_PEOPLE: BindParameter[int] = bindparam("people", expanding=True)
_enrollments, _courses = (Base.metadata.tables[table.__tablename__].c for table in (Enrollment, Course))
# Made once and without entities: a crowd asks the same again and again.
_BELONGING = union_all(
    select(_enrollments.user_id, _enrollments.course_id, literal(Role.STUDENT.value)).where(
        _enrollments.user_id.in_(_PEOPLE), _enrollments.status == "active"
    ),
    select(_courses.instructor_id, _courses.id, literal(Role.INSTRUCTOR.value)).where(
        _courses.instructor_id.in_(_PEOPLE)
    ),
)
Asked = tuple[int, int | None]  # a person, and the id of the last notification they have


class Arrivals:
    """Two queries for all who arrive while the ones before are under way."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading = Gathering(self._read, crowd_seconds=JOINING_SECONDS)

    async def of(self, user_id: int, after: int | None) -> Arrival:
        """Not older than this call. Raises DatabaseAway."""
        found = await self._reading.ask((user_id, after))
        return Arrival(dict(found.courses), found.missed)

    async def _read(self, asked: Sequence[Asked]) -> dict[Asked, Arrival]:
        people = {user_id for user_id, _ in asked}
        courses: dict[int, dict[int, Role]] = {user_id: {} for user_id in people}
        async with self._database.look() as read:
            for user_id, course_id, role in await read.execute(_BELONGING, {"people": list(people)}):
                if courses[user_id].get(course_id) is not Role.INSTRUCTOR:
                    courses[user_id][course_id] = Role(role)
            missed = await notifications.missed(read, asked)
        return {key: Arrival(courses[key[0]], missed[key]) for key in asked}
