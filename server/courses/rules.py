"""Who is what to a course, and what becomes of an enrollment when somebody enrolls, leaves, is added or revoked.

Pure: states in, states or refusals out.
"""

from __future__ import annotations

from enum import Enum

from server.access import Role
from server.errors import Conflict, Forbidden


class CourseStatus(str, Enum):
    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


class EnrollmentStatus(str, Enum):
    """`left`: by themselves; `revoked`: by the instructor, who alone adds them again."""

    ACTIVE = "active"
    LEFT = "left"
    REVOKED = "revoked"


class Tier(str, Enum):
    STANDARD = "standard"
    PREMIUM = "premium"


class EnrollmentRevoked(Forbidden):
    code = "enrollment_revoked"
    sentence = "Your place in this course was revoked; only its instructor can add you again."


class OwnCourse(Conflict):
    code, sentence = "own_course", "The instructor of a course is not one of its students."


class NotOnRoster(Conflict):
    code, sentence = "enrollment_not_active", "This person is not enrolled now; add them again first."


def role_in(instructor_id: int, enrollment_status: str | None, user_id: int) -> Role | None:
    """What somebody is to a course; None for a stranger, one who left, and one who was revoked."""
    if user_id == instructor_id:
        return Role.INSTRUCTOR
    return Role.STUDENT if enrollment_status == EnrollmentStatus.ACTIVE else None


def is_known_to_all(course_status: str) -> bool:
    """Whether strangers may learn that the course exists."""
    return course_status == CourseStatus.PUBLISHED


def may_enter_alone(instructor_id: int, enrollment_status: str | None, user_id: int) -> bool:
    """Whether somebody enrolling by themselves (or by a link) changes anything.

    Raises EnrollmentRevoked, OwnCourse. Leaving by oneself does not count against anybody.
    """
    if user_id == instructor_id:
        raise OwnCourse()
    if enrollment_status == EnrollmentStatus.REVOKED:
        raise EnrollmentRevoked()
    return enrollment_status != EnrollmentStatus.ACTIVE
