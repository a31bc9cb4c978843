"""Who stands before which lesson: loading through here is the permission check.

A stranger of a draft learns nothing; whoever knows of the course learns why not.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, and_, select

from server.access import Actor, Role
from server.content.rules import Entitlement, Lesson, UploadStatus, Viewer, entitlement, sight
from server.content.tables import Content
from server.courses.rules import is_known_to_all, role_in
from server.courses.tables import Course, Enrollment
from server.db.database import Reading, Work
from server.errors import LecternError, Missing, NotCourseInstructor


@dataclass(frozen=True, slots=True)
class Seen:
    """A lesson, its course, and what one person is to them."""

    content: Content
    course: Course
    viewer: Viewer

    @property
    def lesson(self) -> Lesson:
        return lesson_of(self.content)

    def may_watch(self) -> Entitlement | LecternError:
        return entitlement(self.viewer, self.lesson)

    def may_see(self) -> Entitlement | LecternError:
        return sight(self.viewer, self.lesson)


def lesson_of(content: Content) -> Lesson:
    return Lesson(content.access_level, content.is_preview, content.upload_status == UploadStatus.COMPLETED)


def viewer_of(course: Course, enrollment: Enrollment | None, user_id: int) -> Viewer:
    """What `user_id` is to `course`, given their enrollment in whatever status."""
    role = role_in(course.instructor_id, enrollment.status if enrollment else None, user_id)
    if role is Role.STUDENT and enrollment is not None:
        return Viewer(role, enrollment.tier, enrollment.revision, is_known_to_all(course.status))
    return Viewer(role, is_course_published=is_known_to_all(course.status))


def seen_by(user_id: int) -> Select[Content, Course, Enrollment]:
    """Lessons that were not deleted, with course and enrollment of `user_id`: rows of (Content, Course, Enrollment)."""
    return (
        select(Content, Course, Enrollment)
        .join(Course, Course.id == Content.course_id)
        .outerjoin(Enrollment, and_(Enrollment.course_id == Course.id, Enrollment.user_id == user_id))
        .where(Content.deleted_at.is_(None))
    )


async def look(read: Reading, actor: Actor, content_id: int) -> Seen:
    """The lesson before this person, nothing judged yet. Raises Missing when there is none."""
    row = (await read.execute(seen_by(actor.id).where(Content.id == content_id))).one_or_none()
    if row is None:
        raise Missing()
    content, course, enrollment = row
    return Seen(content, course, viewer_of(course, enrollment, actor.id))


async def to_see(read: Reading, actor: Actor, content_id: int) -> Seen:
    """For reading the row. Raises Missing, NotEnrolled."""
    seen = await look(read, actor, content_id)
    granted(seen.may_see())
    return seen


async def to_watch(read: Reading, actor: Actor, content_id: int) -> Seen:
    """For its bytes and all that is done while watching. Raises Missing, NotEnrolled, PremiumRequired."""
    seen = await look(read, actor, content_id)
    granted(seen.may_watch())
    return seen


async def to_edit(read: Reading, actor: Actor, content_id: int) -> Seen:
    """For changing it; locks the row in a unit of work. Raises Missing, NotCourseInstructor."""
    seen = await look(read, actor, content_id)
    if seen.viewer.role is not Role.INSTRUCTOR:
        refusal = seen.may_see()
        raise refusal if isinstance(refusal, Missing) else NotCourseInstructor()
    if isinstance(read, Work):
        locked = await read.get(Content, content_id, for_update=True)
        if locked is None or locked.deleted_at is not None:
            raise Missing()
    return seen


def granted(answer: Entitlement | LecternError) -> Entitlement:
    """The grant, or its refusal raised."""
    if isinstance(answer, LecternError):
        raise answer
    return answer
