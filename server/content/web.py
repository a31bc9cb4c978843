"""Lessons over REST, and what people do with them."""

from __future__ import annotations

from server.access import Action
from server.content import engagement, service
from server.content.audience import to_edit, to_see, to_watch
from server.content.links import links_of
from server.content.schemas import (
    CommentChange,
    CommentShown,
    ContentChange,
    ContentOrder,
    ContentShown,
    NewComment,
    NewReaction,
    ProgressReport,
    ProgressShown,
    ReactionsShown,
    TicketShown,
)
from server.content.service import InvalidContentStatus, OriginalGone
from server.content.shown import progress_shown, require_unedited, shown, shown_many
from server.courses import service as courses
from server.courses.doors import course_door
from server.errors import (
    Invalid,
    Missing,
    NotAllowed,
    NotCourseInstructor,
    NotEnrolled,
    PreconditionFailed,
    PremiumRequired,
)
from server.http.keys import ACTOR, DATABASE
from server.http.paging import Paged, cut, page_of
from server.http.routes import Request, Routes, path_id

route = Routes("content")
WATCH_REFUSALS = (Missing, NotEnrolled, PremiumRequired)
EDIT_REFUSALS = (Missing, NotCourseInstructor)


async def _seeing(request: Request) -> None:
    async with request.app[DATABASE].read() as read:
        await to_see(read, request[ACTOR], path_id(request, "content_id"))


async def _watching(request: Request) -> None:
    async with request.app[DATABASE].read() as read:
        await to_watch(read, request[ACTOR], path_id(request, "content_id"))


async def _editing(request: Request) -> None:
    async with request.app[DATABASE].read() as read:
        await to_edit(read, request[ACTOR], path_id(request, "content_id"))


async def _course_known(request: Request) -> None:
    async with request.app[DATABASE].read() as read:
        await courses.course_role(read, path_id(request, "course_id"), request[ACTOR])


async def _comment_own(request: Request) -> None:
    async with request.app[DATABASE].read() as read:
        await engagement.to_edit_comment(read, request[ACTOR], path_id(request, "comment_id"))


@route.get(
    "/courses/{course_id}/content", answers=list[ContentShown], door=_course_known, paged=True, refuses=(Missing,)
)
async def list_content(request: Request) -> Paged[ContentShown]:
    """A course's lessons in order; others than its members see previews and free ones."""
    page = page_of(request, default=None)
    async with request.app[DATABASE].read() as read:
        many = await service.listed(read, request[ACTOR], path_id(request, "course_id"), page)
        kept, has_more = cut(many, page)
        return Paged(
            await shown_many(read, kept, links_of(request)), kept[-1].content.id if has_more and kept else None
        )


@route.put(
    "/courses/{course_id}/content/order",
    body=ContentOrder,
    answers=list[ContentShown],
    door=course_door(Action.CONTENT_EDIT),
    refuses=(*EDIT_REFUSALS, NotEnrolled, Invalid),
)
async def order_content(request: Request, wanted: ContentOrder) -> list[ContentShown]:
    """Put lessons in this order; those left out follow as they were."""
    course_id, database = path_id(request, "course_id"), request.app[DATABASE]
    async with database.work("order content") as work:
        await service.reorder(work, request[ACTOR], course_id, wanted.ids)
    async with database.read() as read:
        many = await service.listed(read, request[ACTOR], course_id, page_of(request, default=None))
        return await shown_many(read, many, links_of(request))


@route.get("/content/{content_id}", answers=ContentShown, door=_seeing, refuses=(Missing, NotEnrolled))
async def get_content(request: Request) -> ContentShown:
    """One lesson; `file_url` is null for who may not watch it."""
    async with request.app[DATABASE].read() as read:
        seen = await to_see(read, request[ACTOR], path_id(request, "content_id"))
        return await shown(read, seen, links_of(request))


@route.patch(
    "/content/{content_id}",
    body=ContentChange,
    answers=ContentShown,
    door=_editing,
    refuses=(*EDIT_REFUSALS, Invalid, PreconditionFailed),
)
async def change_content(request: Request, wanted: ContentChange) -> ContentShown:
    """Change title, description, place or audience; If-Match is honored."""
    async with request.app[DATABASE].work("change content") as work:
        seen = await service.change(
            work,
            request[ACTOR],
            path_id(request, "content_id"),
            wanted,
            lambda row: require_unedited(request, row),
        )
        await work.flush()
        return await shown(work, seen, links_of(request))


@route.delete("/content/{content_id}", door=_editing, refuses=(*EDIT_REFUSALS, PreconditionFailed))
async def delete_content(request: Request) -> None:
    """Take a lesson away; its bytes follow."""
    async with request.app[DATABASE].work("delete content") as work:
        await service.delete(
            work,
            request[ACTOR],
            path_id(request, "content_id"),
            lambda row: require_unedited(request, row),
        )


@route.post(
    "/content/{content_id}/retry",
    answers=ContentShown,
    door=_editing,
    refuses=(*EDIT_REFUSALS, InvalidContentStatus, OriginalGone),
)
async def retry_content(request: Request) -> ContentShown:
    """Process a failed lesson again from the file that was uploaded."""
    async with request.app[DATABASE].work("retry content") as work:
        seen = await service.retry(work, request[ACTOR], path_id(request, "content_id"))
        await work.flush()
        return await shown(work, seen, links_of(request))


@route.post("/content/{content_id}/ticket", answers=TicketShown, door=_watching, refuses=WATCH_REFUSALS)
async def renew_ticket(request: Request) -> TicketShown:
    """Fresh addresses of a lesson's bytes."""
    links = links_of(request)
    async with request.app[DATABASE].read() as read:
        content = await shown(read, await to_watch(read, request[ACTOR], path_id(request, "content_id")), links)
    if content.file_url is None:
        raise Missing("This lesson is not ready yet.")
    return TicketShown(url=content.file_url, thumbnail_url=content.thumbnail_url, expires_at=links.expires_at)


@route.put(
    "/content/{content_id}/progress",
    body=ProgressReport,
    answers=ProgressShown,
    door=_watching,
    refuses=(*WATCH_REFUSALS, Invalid),
)
async def put_progress(request: Request, report: ProgressReport) -> ProgressShown:
    """Say what was played; ranges are merged, reports older than the last are ignored."""
    async with request.app[DATABASE].work("report progress") as work:
        row = await engagement.report_progress(work, request[ACTOR], path_id(request, "content_id"), report)
        return progress_shown(row)


@route.get(
    "/content/{content_id}/comments",
    answers=list[CommentShown],
    door=_watching,
    paged=True,
    refuses=WATCH_REFUSALS,
)
async def list_comments(request: Request) -> Paged[CommentShown]:
    """What people said about a lesson, oldest first."""
    page = page_of(request)
    async with request.app[DATABASE].read() as read:
        rows = await engagement.comments(read, request[ACTOR], path_id(request, "content_id"), page)
    kept, has_more = cut(rows, page)
    return Paged(engagement.comments_shown(kept), kept[-1][0].id if has_more and kept else None)


@route.post(
    "/content/{content_id}/comments",
    body=NewComment,
    answers=CommentShown,
    status=201,
    door=_watching,
    refuses=(*WATCH_REFUSALS, Invalid),
)
async def add_comment(request: Request, wanted: NewComment) -> CommentShown:
    """Say something about a lesson, perhaps at a second of it, perhaps in answer to somebody, who is told."""
    async with request.app[DATABASE].work("add comment") as work:
        return await engagement.add_comment(work, request[ACTOR], path_id(request, "content_id"), wanted)


@route.patch(
    "/comments/{comment_id}",
    body=CommentChange,
    answers=CommentShown,
    door=_comment_own,
    refuses=(Missing, NotAllowed, Invalid),
)
async def edit_comment(request: Request, wanted: CommentChange) -> CommentShown:
    """Change one's own words."""
    async with request.app[DATABASE].work("edit comment") as work:
        return await engagement.edit_comment(work, request[ACTOR], path_id(request, "comment_id"), wanted.body)


@route.delete("/comments/{comment_id}", refuses=(Missing, NotAllowed, NotCourseInstructor))
async def delete_comment(request: Request) -> None:
    """Take back one's own comment; the instructor may remove any."""
    async with request.app[DATABASE].work("delete comment") as work:
        await engagement.delete_comment(work, request[ACTOR], path_id(request, "comment_id"))


@route.put(
    "/content/{content_id}/like",
    body=NewReaction,
    answers=ReactionsShown,
    door=_watching,
    refuses=(*WATCH_REFUSALS, Invalid),
)
async def put_like(request: Request, wanted: NewReaction) -> ReactionsShown:
    """Like a lesson, or react otherwise; one reaction a person."""
    async with request.app[DATABASE].work("react") as work:
        return await engagement.react(work, request[ACTOR], path_id(request, "content_id"), wanted.reaction)


@route.delete("/content/{content_id}/like", answers=ReactionsShown, door=_watching, refuses=WATCH_REFUSALS)
async def delete_like(request: Request) -> ReactionsShown:
    """Take one's reaction back."""
    async with request.app[DATABASE].work("take reaction back") as work:
        return await engagement.unreact(work, request[ACTOR], path_id(request, "content_id"))
