"""Courses over REST: the catalog, one's own lists, one course, one's own place in it."""

from __future__ import annotations

from server.access import Action
from server.content import pictures
from server.content.links import links_of
from server.content.wiring import LIBRARY
from server.courses import catalog, enrollments, service, showing
from server.courses import taught as own
from server.courses.doors import course_door
from server.courses.rules import EnrollmentRevoked, OwnCourse
from server.courses.schemas import (
    CourseChanges,
    CoursesAsked,
    CourseShown,
    CourseStudied,
    CourseTaught,
    EnrollmentShown,
    NewCourse,
)
from server.errors import (
    ContentMismatch,
    Malformed,
    NoRoom,
    NotCourseInstructor,
    PreconditionFailed,
    TooLarge,
    TypeNotAllowed,
)
from server.http.keys import ACTOR, DATABASE, ROOMS
from server.http.paging import Paged, cut, page_of, part
from server.http.routes import Request, Routes, Who, path_id

route = Routes("courses")


@route.get("/courses", query=CoursesAsked, answers=list[CourseShown], paged=True)
async def published(request: Request, asked: CoursesAsked) -> Paged[CourseShown]:
    """Published courses, newest first."""
    page, links = page_of(request), links_of(request)
    async with request.app[DATABASE].read() as read:
        rows, more = cut(await catalog.published(read, request[ACTOR], asked, page), page)
    return Paged([showing.shown(row, links) for row in rows], rows[-1].course.id if more else None)


@route.post("/courses", who=Who.EXPERT, body=NewCourse, answers=CourseShown, status=201)
async def create(request: Request, wanted: NewCourse) -> CourseShown:
    """A new course of the caller's; a draft unless said otherwise."""
    async with request.app[DATABASE].work() as work:
        course = await service.create(work, request[ACTOR], wanted)
    return await _shown(request, course.id)


@route.get("/courses/instructor/my-courses", who=Who.EXPERT, answers=list[CourseTaught], paged=True)
async def taught(request: Request) -> Paged[CourseTaught]:
    """The caller's own courses, archived ones too, newest activity first."""
    page, links = page_of(request, default=None), links_of(request)
    async with request.app[DATABASE].read() as read:
        found = part(await own.taught(read, request[ACTOR]), page, lambda course: int(course.id))
        return Paged(await own.shown(read, request[ACTOR], found.items, links), found.next_after)


@route.get("/courses/student/my-courses", answers=list[CourseStudied], paged=True)
async def studied(request: Request) -> Paged[CourseStudied]:
    """Courses the caller is enrolled in, with progress and what is live now."""
    page, links = page_of(request, default=None), links_of(request)
    async with request.app[DATABASE].read() as read:
        courses = [showing.studied(row, links) for row in await catalog.studied(read, request[ACTOR])]
    return part(courses, page, lambda course: course.id)


@route.get("/courses/{course_id}", door=course_door(Action.COURSE_VIEW), answers=CourseShown)
async def one(request: Request) -> CourseShown:
    """One course."""
    return await _shown(request, path_id(request, "course_id"))


@route.patch(
    "/courses/{course_id}",
    door=course_door(Action.COURSE_EDIT),
    body=CourseChanges,
    answers=CourseShown,
    refuses=(NotCourseInstructor, PreconditionFailed),
)
async def change(request: Request, wanted: CourseChanges) -> CourseShown:
    """Change what is sent; publishing is a change of status."""
    course_id = path_id(request, "course_id")
    async with request.app[DATABASE].work() as work:
        await service.change(
            work, request[ACTOR], course_id, wanted, lambda course: showing.require_unedited(request, course)
        )
    return await _shown(request, course_id)


@route.delete(
    "/courses/{course_id}", door=course_door(Action.COURSE_EDIT), refuses=(NotCourseInstructor, PreconditionFailed)
)
async def archive(request: Request) -> None:
    """Archive the course: out of the catalog, still open to its members."""
    async with request.app[DATABASE].work() as work:
        await service.archive(
            work,
            request[ACTOR],
            path_id(request, "course_id"),
            lambda course: showing.require_unedited(request, course),
        )


@route.put(
    "/courses/{course_id}/thumbnail",
    door=course_door(Action.COURSE_EDIT),
    answers=CourseShown,
    consumes="multipart/form-data",
    refuses=(NotCourseInstructor, Malformed, TooLarge, TypeNotAllowed, ContentMismatch, NoRoom),
)
async def put_thumbnail(request: Request) -> CourseShown:
    """Show another picture: `file` is a JPEG, PNG, GIF or WebP of at most 5 MB, made anew."""
    course_id, library = path_id(request, "course_id"), request.app[LIBRARY]
    key = await pictures.receive(request, library.intake, "courses")
    try:
        async with request.app[DATABASE].work() as work:
            _, old = await service.set_thumbnail(work, request[ACTOR], course_id, key)
    except BaseException:
        await library.disk.run(library.storage.delete, key)
        raise
    if old is not None:
        await library.disk.run(library.storage.delete, old)
    return await _shown(request, course_id)


@route.post(
    "/courses/{course_id}/enroll",
    door=course_door(Action.COURSE_VIEW),
    answers=EnrollmentShown,
    status=201,
    refuses=(EnrollmentRevoked, OwnCourse),
)
async def enroll(request: Request) -> tuple[EnrollmentShown, int]:
    """Enroll oneself in a published course; 200 for one who is enrolled already."""
    async with request.app[DATABASE].work() as work:
        row, is_new = await enrollments.enroll(work, request[ACTOR], path_id(request, "course_id"))
    return EnrollmentShown.model_validate(row), 201 if is_new else 200


@route.delete("/courses/{course_id}/enroll", door=course_door(Action.COURSE_VIEW), refuses=(OwnCourse,))
async def leave(request: Request) -> None:
    """Leave the course; one may come back."""
    async with request.app[DATABASE].work() as work:
        await enrollments.leave(work, request[ACTOR], path_id(request, "course_id"), request.app[ROOMS])


async def _shown(request: Request, course_id: int) -> CourseShown:
    async with request.app[DATABASE].read() as read:
        return showing.shown(await catalog.one(read, request[ACTOR], course_id), links_of(request))
