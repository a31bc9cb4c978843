"""Access checks that run before a body is read, for every route under a course."""

from __future__ import annotations

from server.access import Action
from server.courses import service
from server.http.keys import ACTOR, DATABASE
from server.http.routes import Door, Request, path_id


def course_door(action: Action, path_name: str = "course_id") -> Door:
    """A door for `action` on the course in the path.

    Missing for unknown courses and strangers' drafts; NotEnrolled or NotCourseInstructor for those who know of it.
    """

    async def door(request: Request) -> None:
        async with request.app[DATABASE].read() as read:
            await service.access(read, path_id(request, path_name), request[ACTOR], action)

    return door
