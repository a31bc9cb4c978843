"""Courses: the door to one, and making, changing, archiving it.

Other areas come in here: `course_role` says what the caller is to a course, and loading through it is the check.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import and_, select, update

from server.access import Action, Actor, Role, require, require_expert
from server.courses.rules import CourseStatus, EnrollmentStatus, is_known_to_all, role_in
from server.courses.schemas import CourseChanges, NewCourse
from server.courses.tables import Course, Enrollment
from server.db import Reading, Work
from server.errors import Missing


async def course_role(read: Reading, course_id: int, actor: Actor) -> tuple[Course, Role | None, Enrollment | None]:
    """A course, the actor's role in it, and their enrollment in whatever status; one query.

    Role.STUDENT always comes with an active enrollment. Raises Missing where the actor may not learn that it exists.
    """
    found = await read.execute(
        select(Course, Enrollment)
        .outerjoin(Enrollment, and_(Enrollment.course_id == Course.id, Enrollment.user_id == actor.id))
        .where(Course.id == course_id)
    )
    row = found.one_or_none()
    if row is None:
        raise Missing()
    course, enrollment = row
    role = role_in(course.instructor_id, enrollment.status if enrollment else None, actor.id)
    if role is None and not is_known_to_all(course.status):
        raise Missing()
    return course, role, enrollment


async def access(
    read: Reading, course_id: int, actor: Actor, action: Action
) -> tuple[Course, Role | None, Enrollment | None]:
    """Load a course for `action`. Raises Missing, NotEnrolled, NotCourseInstructor.

    A published course may be viewed by everybody, so the role may then be None.
    """
    course, role, enrollment = await course_role(read, course_id, actor)
    if not (role is None and action is Action.COURSE_VIEW):
        require(role, action, is_known=is_known_to_all(course.status))
    return course, role, enrollment


async def create(work: Work, actor: Actor, wanted: NewCourse) -> Course:
    """A new course of the actor's. Raises ExpertOnly."""
    require_expert(actor)
    course = Course(
        instructor_id=actor.id,
        title=wanted.title,
        description=wanted.description,
        category=wanted.category,
        status=wanted.status,
        last_activity_at=work.now,
        created_at=work.now,
        updated_at=work.now,
    )
    work.add(course)
    await work.flush()
    return course


async def change(
    work: Work, actor: Actor, course_id: int, wanted: CourseChanges, guard: Callable[[Course], None]
) -> Course:
    """Change what was sent; `guard` sees the locked row first and may refuse (If-Match)."""
    course = await _locked(work, course_id, actor)
    guard(course)
    for name, value in wanted.model_dump(exclude_unset=True).items():
        setattr(course, name, value)
    course.updated_at = course.last_activity_at = work.now
    return course


async def archive(work: Work, actor: Actor, course_id: int, guard: Callable[[Course], None]) -> None:
    """Take the course out of the catalog and close it to newcomers; its members keep what is there."""
    course = await _locked(work, course_id, actor)
    guard(course)
    if course.status != CourseStatus.ARCHIVED:
        course.status, course.updated_at = CourseStatus.ARCHIVED.value, work.now


async def set_thumbnail(work: Work, actor: Actor, course_id: int, key: str) -> tuple[Course, str | None]:
    """Show another picture; returns the course and the storage key nobody needs any more."""
    course = await _locked(work, course_id, actor)
    old, course.thumbnail_url = course.thumbnail_url, key
    course.updated_at = course.last_activity_at = work.now
    return course, old


async def note_activity(work: Work, course_id: int) -> None:
    """Something happened in the course: it moves to the front of its instructor's list."""
    await work.execute(update(Course).where(Course.id == course_id).values(last_activity_at=work.now))


async def student_ids(read: Reading, course_id: int) -> Sequence[int]:
    """Everybody enrolled now."""
    rows = await read.scalars(
        select(Enrollment.user_id).where(
            Enrollment.course_id == course_id, Enrollment.status == EnrollmentStatus.ACTIVE
        )
    )
    return list(rows)


async def _locked(work: Work, course_id: int, actor: Actor) -> Course:
    """The course of its instructor, locked against other changes."""
    await access(work, course_id, actor, Action.COURSE_EDIT)
    course = await work.get(Course, course_id, for_update=True)
    assert course is not None
    return course
