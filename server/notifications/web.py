"""The inbox over REST."""

from __future__ import annotations

from server.errors import Missing
from server.http.keys import ACTOR, DATABASE
from server.http.paging import Paged, cut, page_of
from server.http.routes import Request, Routes, path_id
from server.notifications import service
from server.notifications.schemas import NotificationsAsked, NotificationShown, UnreadCount
from server.notifications.tables import Notification

route = Routes("notifications")


@route.get("/notifications", query=NotificationsAsked, answers=list[NotificationShown], paged=True)
async def listed(request: Request, asked: NotificationsAsked) -> Paged[NotificationShown]:
    """The caller's inbox, newest first."""
    page = page_of(request)
    async with request.app[DATABASE].read() as read:
        rows, more = cut(await service.listed(read, request[ACTOR].id, page, asked.unread), page)
    return Paged([NotificationShown.model_validate(row) for row in rows], rows[-1].id if more else None)


@route.get("/notifications/unread-count", answers=UnreadCount)
async def unread_count(request: Request) -> UnreadCount:
    """How many are unread."""
    async with request.app[DATABASE].read() as read:
        count = await service.unread_count(read, request[ACTOR].id)
    return UnreadCount(unread=count, count=count)


@route.post("/notifications/read-all", answers=UnreadCount)
async def read_all(request: Request) -> UnreadCount:
    """Mark everything read."""
    async with request.app[DATABASE].work() as work:
        await service.mark_all_read(work, request[ACTOR].id)
    return UnreadCount(unread=0, count=0)


async def _own(request: Request) -> None:
    async with request.app[DATABASE].read() as read:
        row = await read.get(Notification, path_id(request, "notification_id"))
    if row is None or row.user_id != request[ACTOR].id:
        raise Missing()


@route.patch("/notifications/{notification_id}/read", answers=NotificationShown, door=_own)
async def read_one(request: Request) -> NotificationShown:
    """Mark one read."""
    async with request.app[DATABASE].work() as work:
        row = await service.mark_read(work, request[ACTOR].id, path_id(request, "notification_id"))
    return NotificationShown.model_validate(row)
