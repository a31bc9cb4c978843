"""From what was read to what is shown: courses with usable picture addresses and versions."""

from __future__ import annotations

from typing import Any

from server.content.links import Links
from server.courses.catalog import Listed
from server.courses.schemas import CourseShown, CourseStudied, InstructorShown, ProgressShown
from server.courses.tables import Course
from server.http.etags import QUOTE, etag_of, require_edition
from server.http.routes import Request


def shown(listed: Listed, links: Links) -> CourseShown:
    """One course, as everybody sees it."""
    course = CourseShown(**_common(listed, links))
    course._etag = shown_etag(listed, links)
    return course


def studied(listed: Listed, links: Links) -> CourseStudied:
    """One course in a student's list."""
    assert listed.enrollment is not None
    return CourseStudied(
        **_common(listed, links),
        enrolled_at=listed.enrollment.enrolled_at,
        progress=ProgressShown(
            completed_count=listed.completed_count, content_count=listed.content_count, percent=listed.percent
        ),
    )


def edit_tag(course: Course) -> str:
    """What changes with every edit of the course and with nothing else."""
    return etag_of("course", course.id, course.updated_at).strip(QUOTE)


def shown_etag(listed: Listed, links: Links) -> str:
    """The version of what is shown: the edit, then everything around it that moves by itself."""
    enrollment = listed.enrollment
    around = etag_of(
        links.user_id,  # a browser's cache asks with one person's version for another's answer
        listed.instructor_name,
        listed.enrollment_count,
        listed.content_count,
        listed.role,
        (enrollment.revision, enrollment.tier) if enrollment else 0,
        listed.live_session,
        links.expires_at if listed.course.thumbnail_url else None,
    )
    return f'"{edit_tag(listed.course)}.{around.strip(QUOTE)}"'


def require_unedited(request: Request, course: Course) -> None:
    """Honor If-Match against edits alone: somebody's enrolling meanwhile is no conflict. Raises PreconditionFailed."""
    require_edition(request, edit_tag(course))


def _common(listed: Listed, links: Links) -> dict[str, Any]:
    course, enrollment = listed.course, listed.enrollment
    is_student = listed.role is not None and enrollment is not None and enrollment.status == "active"
    return {
        "id": course.id,
        "title": course.title,
        "description": course.description,
        "category": course.category,
        "status": course.status,
        "thumbnail_url": links.course_thumbnail(course.id, course.thumbnail_url),
        "instructor": InstructorShown(id=course.instructor_id, name=listed.instructor_name),
        "enrollment_count": listed.enrollment_count,
        "content_count": listed.content_count,
        "live_session": listed.live_session,
        "my_role": listed.role.value if listed.role else None,
        "my_tier": enrollment.tier if is_student and enrollment else None,
        "created_at": course.created_at,
        "updated_at": course.updated_at,
    }
