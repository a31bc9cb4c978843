"""What a connecting person must be told and where they belong, read for many arrivals together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from server.access import Role
from server.courses.tables import Course, Enrollment
from server.db.database import Database
from server.db.gathering import Gathering
from server.notifications import service as notifications


@dataclass(frozen=True, slots=True)
class Arrival:
    """`courses` by role; `missed` notifications as they are told, oldest first."""

    courses: dict[int, Role]
    missed: list[dict[str, Any]]


Asked = tuple[int, int | None]  # a person, and the id of the last notification they have


class Arrivals:
    """Three queries for all who arrive while the ones before are under way."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading = Gathering(self._read)

    async def of(self, user_id: int, after: int | None) -> Arrival:
        """Not older than this call. Raises DatabaseAway."""
        found = await self._reading.ask((user_id, after))
        return Arrival(dict(found.courses), found.missed)

    async def _read(self, asked: Sequence[Asked]) -> dict[Asked, Arrival]:
        people = {user_id for user_id, _ in asked}
        courses: dict[int, dict[int, Role]] = {user_id: {} for user_id in people}
        async with self._database.read() as read:
            studied = select(Enrollment.user_id, Enrollment.course_id).where(
                Enrollment.user_id.in_(people), Enrollment.status == "active"
            )
            for user_id, course_id in await read.execute(studied):
                courses[user_id][course_id] = Role.STUDENT
            taught = select(Course.instructor_id, Course.id).where(Course.instructor_id.in_(people))
            for user_id, course_id in await read.execute(taught):
                courses[user_id][course_id] = Role.INSTRUCTOR
            missed = await notifications.missed(read, asked)
        return {key: Arrival(courses[key[0]], missed[key]) for key in asked}
