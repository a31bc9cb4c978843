"""The roster over REST: who is in a course, adding, inviting, changing tiers, revoking."""

from __future__ import annotations

from server.access import Action
from server.accounts.wiring import ACCOUNTS
from server.courses import enrollments, roster
from server.courses.doors import course_door
from server.courses.roster import InviteLinks
from server.courses.rules import NotOnRoster, OwnCourse, Tier
from server.courses.schemas import AddedShown, NewEnrollments, RosterEntry, TierChange
from server.errors import NotCourseInstructor
from server.http.keys import ACTOR, DATABASE, PRESENCE, ROOMS, SETTINGS
from server.http.middleware import ORIGINS
from server.http.paging import Paged, page_of
from server.http.routes import Request, Routes, path_id
from server.live_sessions.service import shown_for_courses

route = Routes("enrollments")
_edits = course_door(Action.ROSTER_EDIT)


@route.get(
    "/courses/{course_id}/enrollments",
    door=course_door(Action.ROSTER_VIEW),
    answers=list[RosterEntry],
    paged=True,
    refuses=(NotCourseInstructor,),
)
async def listed(request: Request) -> Paged[RosterEntry]:
    """The roster with presence: people in the order they came, then invited addresses with their links."""
    page = page_of(request)
    async with request.app[DATABASE].read() as read:
        found = await roster.listed(read, request[ACTOR], path_id(request, "course_id"), page, _links(request))
    await roster.with_presence(found.entries, found.live_session_id, request.app[PRESENCE])
    return Paged(found.entries, found.next_after)


@route.post(
    "/courses/{course_id}/enrollments",
    door=_edits,
    body=NewEnrollments,
    answers=RosterEntry | list[AddedShown],
    status=201,
    refuses=(NotCourseInstructor, OwnCourse),
)
async def add(request: Request, wanted: NewEnrollments) -> tuple[RosterEntry | list[AddedShown], int]:
    """Enroll known people and invite unknown addresses: one `email` (201, 200 if already) or many `emails` (200)."""
    course_id = path_id(request, "course_id")
    tier = Tier(wanted.tier) if wanted.tier else None
    addresses = wanted.emails if wanted.emails is not None else [wanted.email or ""]
    async with request.app[DATABASE].work() as work:
        added = await roster.add(work, request[ACTOR], course_id, addresses, tier, request.app[ACCOUNTS].invite_tokens)
    answers = [roster.shown(one, _links(request)) for one in added]
    await _with_presence(request, course_id, [one.enrollment for one in answers if one.enrollment])
    if wanted.emails is not None:
        return answers, 200
    entry = roster.usable(answers[0])
    return entry, 201 if answers[0].outcome in ("enrolled", "invited") else 200


async def _on_roster(request: Request) -> None:
    await _edits(request)
    async with request.app[DATABASE].read() as read:
        await roster.entry(read, path_id(request, "course_id"), path_id(request, "user_id"))


@route.patch(
    "/courses/{course_id}/enrollments/{user_id}",
    door=_on_roster,
    body=TierChange,
    answers=RosterEntry,
    refuses=(NotCourseInstructor, NotOnRoster),
)
async def change_tier(request: Request, wanted: TierChange) -> RosterEntry:
    """Give a student another tier."""
    course_id, user_id = path_id(request, "course_id"), path_id(request, "user_id")
    async with request.app[DATABASE].work() as work:
        await enrollments.change_tier(work, request[ACTOR], course_id, user_id, Tier(wanted.tier))
        await work.flush()
        entry = await roster.entry(work, course_id, user_id)
    await _with_presence(request, course_id, [entry])
    return entry


@route.delete("/courses/{course_id}/enrollments/{user_id}", door=_edits, refuses=(NotCourseInstructor,))
async def revoke(request: Request) -> None:
    """Revoke somebody's enrollment: they leave its rooms, media and tickets within two seconds."""
    course_id, user_id = path_id(request, "course_id"), path_id(request, "user_id")
    async with request.app[DATABASE].work() as work:
        await enrollments.revoke(work, request[ACTOR], course_id, user_id, request.app[ROOMS])


@route.delete("/courses/{course_id}/invitations/{invitation_id}", door=_edits, refuses=(NotCourseInstructor,))
async def uninvite(request: Request) -> None:
    """Take an invitation back: its link stops working."""
    async with request.app[DATABASE].work() as work:
        await roster.uninvite(work, request[ACTOR], path_id(request, "course_id"), path_id(request, "invitation_id"))


async def _with_presence(request: Request, course_id: int, entries: list[RosterEntry]) -> None:
    async with request.app[DATABASE].read() as read:
        live = await shown_for_courses(read, [course_id], request[ACTOR])
    await roster.with_presence(entries, live.get(course_id, {}).get("id"), request.app[PRESENCE])


def _links(request: Request) -> InviteLinks:
    base = request.app[SETTINGS].public_url.rstrip("/") or request.app[ORIGINS].own_origin(request)
    return InviteLinks(request.app[ACCOUNTS].invite_tokens, base)
