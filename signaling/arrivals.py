"""What a connecting person must be told and where they belong, read for many arrivals together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import literal, select, union_all

from server.access import Role
from server.courses.tables import Course, Enrollment
from server.db.base import Base
from server.db.database import Database
from server.db.gathering import JOINING_SECONDS, Gathering
from server.db.glances import Question
from server.notifications import service as notifications


@dataclass(frozen=True, slots=True)
class Arrival:
    """`courses` by role; `missed` notifications as they are told, oldest first."""

    courses: dict[int, Role]
    missed: list[dict[str, Any]]


_enrollments, _courses = (Base.metadata.tables[table.__tablename__].c for table in (Enrollment, Course))
_BELONGING = Question(
    lambda among: union_all(
        select(_enrollments.user_id, _enrollments.course_id, literal(Role.STUDENT.value)).where(
            among(_enrollments.user_id, "people"), _enrollments.status == "active"
        ),
        select(_courses.instructor_id, _courses.id, literal(Role.INSTRUCTOR.value)).where(
            among(_courses.instructor_id, "people")
        ),
    )
)
Asked = tuple[int, int | None]  # a person, and the id of the last notification they have


class Arrivals:
    """Two questions for all who arrive while the ones before are under way; a third for those who missed something."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading = Gathering(self._read, crowd_seconds=JOINING_SECONDS)

    async def of(self, user_id: int, after: int | None) -> Arrival:
        """Not older than this call. Raises DatabaseAway."""
        found = await self._reading.ask((user_id, after))
        return Arrival(dict(found.courses), found.missed)

    async def _read(self, asked: Sequence[Asked]) -> dict[Asked, Arrival]:
        courses: dict[int, dict[int, Role]] = {user_id: {} for user_id, _ in asked}
        people = {"people": list(courses)}
        belonging, latest = await self._database.glance((_BELONGING, people), (notifications.LATEST, people))
        for user_id, course_id, role in belonging:
            if courses[user_id].get(course_id) is not Role.INSTRUCTOR:
                courses[user_id][course_id] = Role(role)
        missed: dict[Asked, list[dict[str, Any]]] = {}
        if news := notifications.with_news(asked, latest, self._database.clock.now()):
            async with self._database.look() as read:
                missed = await notifications.missed(read, news)
        return {key: Arrival(courses[key[0]], missed.get(key, [])) for key in asked}
