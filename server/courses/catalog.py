"""Courses as lists show them: one query for courses with their counts, then the live classes of the caller's own.

However many courses there are, the number of queries stays the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Row, Select, and_, func, or_, select

from server.access import Actor, Role
from server.accounts.tables import User
from server.content import summaries
from server.courses.rules import CourseStatus, EnrollmentStatus, is_known_to_all, role_in
from server.courses.schemas import CoursesAsked
from server.courses.tables import Course, Enrollment
from server.db import Reading
from server.errors import Missing
from server.http.paging import Page
from server.live_sessions.service import shown_for_courses


@dataclass(frozen=True, slots=True)
class Listed:
    """A course with everything around it that the caller is shown; `percent` is 0 to 100."""

    course: Course
    instructor_name: str
    role: Role | None
    enrollment: Enrollment | None
    enrollment_count: int
    content_count: int
    completed_count: int = 0
    percent: float = 0.0
    live_session: dict[str, Any] | None = field(default=None)


async def published(read: Reading, actor: Actor, asked: CoursesAsked, page: Page) -> list[Listed]:
    """The catalog, newest first, one more than the page holds."""
    statement = _courses(actor.id).where(Course.status == CourseStatus.PUBLISHED).order_by(Course.id.desc())
    if asked.query:
        columns = (Course.title, Course.description, Course.category, User.name)
        statement = statement.where(or_(*(column.icontains(asked.query, autoescape=True) for column in columns)))
    if asked.category:
        statement = statement.where(func.lower(Course.category) == func.lower(asked.category))
    if page.after is not None:
        statement = statement.where(Course.id < page.after)
    return await _with_live(read, actor, statement.limit((page.limit or 0) + 1))


async def studied(read: Reading, actor: Actor) -> list[Listed]:
    """Courses the actor is enrolled in, with their progress, newest activity first."""
    statement = (
        _courses(actor.id)
        .add_columns(summaries.completed_count(Course.id, actor.id), summaries.percent_sum(Course.id, actor.id))
        .where(Enrollment.status == EnrollmentStatus.ACTIVE)
        .order_by(Course.last_activity_at.desc(), Course.id.desc())
    )
    return await _with_live(read, actor, statement)


async def one(read: Reading, actor: Actor, course_id: int) -> Listed:
    """One course. Raises Missing where the actor may not learn that it exists."""
    found = await _with_live(read, actor, _courses(actor.id).where(Course.id == course_id))
    if not found or (found[0].role is None and not is_known_to_all(found[0].course.status)):
        raise Missing()
    return found[0]


def _courses(user_id: int) -> Select[*tuple[Any, ...]]:
    """Courses with their instructor, the caller's enrollment and the counts, all in one statement."""
    others = Enrollment.__table__.alias("others")
    enrolled = (
        select(func.count())
        .select_from(others)
        .where(others.c.course_id == Course.id, others.c.status == EnrollmentStatus.ACTIVE)
        .scalar_subquery()
    )
    return (
        select(Course, User.name, Enrollment, enrolled, summaries.lesson_count(Course.id))
        .join(User, User.id == Course.instructor_id)
        .outerjoin(Enrollment, and_(Enrollment.course_id == Course.id, Enrollment.user_id == user_id))
    )


async def _with_live(read: Reading, actor: Actor, statement: Select[*tuple[Any, ...]]) -> list[Listed]:
    listed = [_listed(row, actor) for row in (await read.execute(statement)).all()]
    own = [one.course.id for one in listed if one.role is not None]
    live: dict[int, dict[str, Any]] = await shown_for_courses(read, own, actor) if own else {}
    return [replace(one, live_session=live.get(one.course.id)) for one in listed]


def _listed(row: Row[*tuple[Any, ...]], actor: Actor) -> Listed:
    values: Sequence[Any] = tuple(row)
    course, name, enrollment, enrolled, lessons = values[:5]
    completed, percents = values[5:] or (0, 0.0)
    return Listed(
        course=course,
        instructor_name=name,
        role=role_in(course.instructor_id, enrollment.status if enrollment else None, actor.id),
        enrollment=enrollment,
        enrollment_count=enrolled,
        content_count=lessons,
        completed_count=completed,
        percent=round(percents / lessons, 1) if lessons else 0.0,
    )
