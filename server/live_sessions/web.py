"""Live sessions over REST."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import hdrs, web

from server.access import Action, Role
from server.courses.doors import course_door
from server.db.database import Reading
from server.errors import Missing, NotAllowed
from server.http.etags import QUOTE, etag_of, require_edition
from server.http.keys import ACTOR, DATABASE, PRESENCE, ROOMS, SETTINGS
from server.http.paging import LARGEST_LIMIT, Paged, cut, page_of, part
from server.http.routes import Request, Routes, Who, path_id
from server.live_sessions import people, rules, service
from server.live_sessions.commands import EndLiveSession, StartLiveSession
from server.live_sessions.schemas import (
    AttendanceAsked,
    AttendanceShown,
    LiveSessionChange,
    LiveSessionShown,
    LiveSessionStarted,
    MineAsked,
    NewLiveSession,
    ParticipantShown,
    PersonShown,
    TimelineAsked,
    TimelineEventShown,
)
from server.live_sessions.tables import LiveSession

route = Routes("live sessions")


def door(action: Action) -> Callable[[Request], Awaitable[None]]:
    """404 to strangers, 403 to members who may not."""

    async def check(request: Request) -> None:
        async with request.app[DATABASE].read() as read:
            await service.access(read, request[ACTOR], path_id(request, "live_session_id"), action)

    return check


async def _shown(request: Request, read: Reading, rows: Sequence[LiveSession]) -> list[LiveSessionShown]:
    """For the person asking, whose membership of all of them was checked."""
    actor = request[ACTOR]
    roles = {
        row.id: Role.INSTRUCTOR if row.host_id == actor.id else Role.STUDENT if row.course_id else Role.GUEST
        for row in rows
    }
    return await service.shown_many(read, rows, roles, base_url=request.app[SETTINGS].base_url)


async def _one(request: Request, live_session_id: int) -> LiveSessionShown:
    async with request.app[DATABASE].read() as read:
        row = await read.get(LiveSession, live_session_id)
        if row is None:
            raise Missing()
        shown = (await _shown(request, read, [row]))[0]
    return shown.tagged(f'"{_edition(row)}.{etag_of(shown.model_dump_json()).strip(QUOTE)}"')


def _edition(row: LiveSession) -> str:
    return etag_of(row.id, row.updated_at, row.status).strip(QUOTE)


def _require_unedited(request: Request, row: LiveSession) -> None:
    """Honor If-Match against edits alone: somebody's coming in meanwhile is no conflict. Raises PreconditionFailed."""
    require_edition(request, _edition(row))


@route.post(
    "/live-sessions",
    body=NewLiveSession,
    answers=LiveSessionStarted,
    status=201,
    who=Who.EXPERT,
    refuses=(rules.AlreadyLive,),
)
async def create(request: Request, wanted: NewLiveSession) -> LiveSessionStarted:
    """Schedule a class, or start one now."""
    async with request.app[DATABASE].work() as work:
        row, notified = await service.schedule(work, request[ACTOR], wanted, request.app[ROOMS])
    return LiveSessionStarted(**(await _one(request, row.id)).model_dump(), notified=notified)


@route.get("/live-sessions/mine", query=MineAsked, answers=list[LiveSessionShown], paged=True)
async def mine(request: Request, asked: MineAsked) -> Paged[LiveSessionShown]:
    """Classes the caller teaches or studies in, live first."""
    page = page_of(request, default=LARGEST_LIMIT)
    async with request.app[DATABASE].read() as read:
        found = part(await service.mine(read, request[ACTOR].id, asked.status), page, lambda one: one[0].id)
        rows, roles = [row for row, _ in found.items], {row.id: role for row, role in found.items}
        shown = await service.shown_many(read, rows, roles, base_url=request.app[SETTINGS].base_url)
    return Paged(shown, found.next_after)


@route.get(
    "/courses/{course_id}/sessions",
    answers=list[LiveSessionShown],
    door=course_door(Action.LIVE_SESSION_LIST),
    paged=True,
)
async def of_course(request: Request) -> Paged[LiveSessionShown]:
    """The course's classes."""
    page = page_of(request, default=None)
    async with request.app[DATABASE].read() as read:
        found = part(await service.for_course(read, path_id(request, "course_id")), page, lambda row: row.id)
        return Paged(await _shown(request, read, found.items), found.next_after)


@route.get("/live-sessions/{live_session_id}", answers=LiveSessionShown, door=door(Action.LIVE_SESSION_VIEW))
async def one(request: Request) -> LiveSessionShown:
    """One class."""
    return await _one(request, path_id(request, "live_session_id"))


@route.patch(
    "/live-sessions/{live_session_id}",
    body=LiveSessionChange,
    answers=LiveSessionShown,
    door=door(Action.LIVE_SESSION_EDIT),
    refuses=(rules.InvalidStatus,),
)
async def change(request: Request, wanted: LiveSessionChange) -> LiveSessionShown:
    """New title, time or size."""
    live_session_id = path_id(request, "live_session_id")
    async with request.app[DATABASE].work() as work:
        row, _ = await service.access(work, request[ACTOR], live_session_id, Action.LIVE_SESSION_EDIT)
        _require_unedited(request, row)
        await service.change(work, request[ACTOR], live_session_id, wanted)
    return await _one(request, live_session_id)


@route.delete(
    "/live-sessions/{live_session_id}",
    answers=LiveSessionShown,
    door=door(Action.LIVE_SESSION_EDIT),
    refuses=(rules.InvalidStatus,),
)
async def cancel(request: Request) -> LiveSessionShown:
    """Cancel a class that has not begun."""
    live_session_id = path_id(request, "live_session_id")
    async with request.app[DATABASE].work() as work:
        row, _ = await service.access(work, request[ACTOR], live_session_id, Action.LIVE_SESSION_EDIT)
        _require_unedited(request, row)
        await service.cancel(work, request[ACTOR], live_session_id, request.app[ROOMS])
    return await _one(request, live_session_id)


@route.patch(
    "/live-sessions/{live_session_id}/start",
    answers=LiveSessionStarted,
    door=door(Action.LIVE_SESSION_RUN),
    refuses=(rules.InvalidStatus, rules.AlreadyLive),
)
async def start(request: Request) -> LiveSessionStarted:
    """Go live and tell every enrolled student."""
    live_session_id = path_id(request, "live_session_id")
    async with request.app[DATABASE].work() as work:
        await service.access(work, request[ACTOR], live_session_id, Action.LIVE_SESSION_RUN)
        answer = await request.app[ROOMS].perform(work, StartLiveSession(live_session_id, request[ACTOR].id))
    return LiveSessionStarted(**(await _one(request, live_session_id)).model_dump(), notified=answer["notified"])


@route.patch(
    "/live-sessions/{live_session_id}/end",
    answers=LiveSessionShown,
    door=door(Action.LIVE_SESSION_RUN),
    refuses=(rules.InvalidStatus,),
)
async def end(request: Request) -> LiveSessionShown:
    """End the class for everyone."""
    live_session_id = path_id(request, "live_session_id")
    async with request.app[DATABASE].work() as work:
        await service.access(work, request[ACTOR], live_session_id, Action.LIVE_SESSION_RUN)
        await request.app[ROOMS].perform(work, EndLiveSession(live_session_id, request[ACTOR].id))
    return await _one(request, live_session_id)


@route.get(
    "/live-sessions/{live_session_id}/participants",
    answers=list[ParticipantShown],
    door=door(Action.LIVE_SESSION_VIEW),
    paged=True,
)
async def participants(request: Request) -> Paged[ParticipantShown]:
    """The roster, with who is in now."""
    page = page_of(request, default=None)
    async with request.app[DATABASE].read() as read:
        row, _ = await service.access(
            read, request[ACTOR], path_id(request, "live_session_id"), Action.LIVE_SESSION_VIEW
        )
        members = await people.roster(read, row)
        inside = await people.present(read, row.id)
    found = part(members, page, lambda member: member.user_id)
    online = await request.app[PRESENCE].online({m.user_id for m in found.items})
    shown = [
        ParticipantShown(
            user=PersonShown(id=m.user_id, name=m.name, avatar_url=m.avatar_url),
            role=m.role,
            online=m.user_id in online,
            in_room=m.user_id in inside,
            joined_at=inside.get(m.user_id),
        )
        for m in found.items
    ]
    return Paged(shown, found.next_after)


@route.get(
    "/live-sessions/{live_session_id}/attendance",
    query=AttendanceAsked,
    answers=list[AttendanceShown],
    door=door(Action.ATTENDANCE_VIEW),
    paged=True,
)
async def attendance(request: Request, asked: AttendanceAsked) -> Paged[AttendanceShown] | web.Response:
    """Who attended when; `?format=csv` for a spreadsheet, always whole."""
    page = page_of(request, default=None)
    async with request.app[DATABASE].read() as read:
        row, _ = await service.access(read, request[ACTOR], path_id(request, "live_session_id"), Action.ATTENDANCE_VIEW)
        lines = await people.attendance(read, row)
    if asked.format == "json":
        return part(lines, page, lambda line: line.user.id)
    headers = {hdrs.CONTENT_DISPOSITION: f'attachment; filename="attendance-{row.id}.csv"'}
    return web.Response(text=people.as_csv(lines), content_type="text/csv", charset="utf-8", headers=headers)


@route.get(
    "/live-sessions/{live_session_id}/timeline",
    query=TimelineAsked,
    answers=list[TimelineEventShown],
    door=door(Action.LIVE_SESSION_VIEW),
    paged=True,
)
async def timeline(request: Request, asked: TimelineAsked) -> Paged[TimelineEventShown]:
    """The class as it happened, in order."""
    page = page_of(request)
    assert page.limit is not None
    async with request.app[DATABASE].read() as read:
        row, role = await service.membership(read, request[ACTOR].id, path_id(request, "live_session_id"))
        if role is None:
            raise NotAllowed()
        await service.require_not_removed(read, row.id, request[ACTOR].id)
        found = await service.timeline(read, row.id, max(asked.after, page.after or 0), page.limit + 1)
    rows, more = cut(found, page)
    return Paged([TimelineEventShown.model_validate(event) for event in rows], rows[-1].seq if more else None)
