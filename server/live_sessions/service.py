"""Schedule, change and show live sessions; starting and ending are room commands behind the port Rooms."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, or_, select

from server.access import Action, Actor, Role, require, require_expert
from server.accounts.tables import User
from server.courses.tables import Course, Enrollment
from server.db.database import Reading, Work
from server.errors import Conflict, Missing, NotCourseInstructor
from server.events import LiveSessionChanged
from server.live_sessions import rules
from server.live_sessions.commands import CancelLiveSession, StartLiveSession
from server.live_sessions.schemas import LiveSessionChange, LiveSessionShown, NewLiveSession
from server.live_sessions.tables import (
    LiveSession,
    LiveSessionEvent,
    LiveSessionGuest,
    LiveSessionRemoval,
    Participation,
    RoomConnection,
)
from server.notifications.service import notify
from server.ports import Rooms
from server.wire import rfc3339

INVITE_BYTES = 16  # 128 bit


async def is_a_class_on(read: Reading) -> bool:
    """Whether anybody is in a live room now."""
    inside = select(RoomConnection.lease_id).where(RoomConnection.live_session_id == LiveSession.id)
    query = select(LiveSession.id).where(LiveSession.status == "live", inside.exists()).limit(1)
    return await read.scalar(query) is not None


async def membership(read: Reading, user_id: int, live_session_id: int) -> tuple[LiveSession, Role | None]:
    """The session and what `user_id` is to it, in one query. Raises Missing when there is no such session."""
    enrolled = select(Enrollment.id).where(
        Enrollment.course_id == LiveSession.course_id, Enrollment.user_id == user_id, Enrollment.status == "active"
    )
    invited = select(LiveSessionGuest.user_id).where(
        LiveSessionGuest.live_session_id == LiveSession.id, LiveSessionGuest.user_id == user_id
    )
    relation = case(
        (LiveSession.host_id == user_id, "instructor"),
        (enrolled.exists(), "student"),
        (invited.exists(), "guest"),
        else_=None,
    )
    found = (await read.execute(select(LiveSession, relation).where(LiveSession.id == live_session_id))).first()
    if found is None:
        raise Missing()
    return found[0], Role(found[1]) if found[1] else None


async def access(read: Reading, actor: Actor, live_session_id: int, action: Action) -> tuple[LiveSession, Role]:
    """The door: loading a live session is the check. Raises Missing to strangers, Forbidden to members who may not."""
    row, role = await membership(read, actor.id, live_session_id)
    require(role, action)
    assert role is not None
    return row, role


async def require_not_removed(read: Reading, live_session_id: int, user_id: int) -> None:
    """What happens in a room is not for those the instructor removed from it. Raises RemovedFromSession."""
    removed = select(LiveSessionRemoval.user_id).filter_by(live_session_id=live_session_id, user_id=user_id)
    if await read.scalar(removed) is not None:
        raise rules.RemovedFromSession()


async def schedule(work: Work, actor: Actor, wanted: NewLiveSession, rooms: Rooms) -> tuple[LiveSession, int]:
    """A new session, perhaps started at once; returns it and how many students were told of the start."""
    require_expert(actor)
    course = await _own_course(work, actor, wanted.course_id) if wanted.course_id is not None else None
    if not wanted.start_now:
        rules.require_future(wanted.scheduled_at, work.now)
    row = LiveSession(
        course_id=course.id if course else None,
        host_id=actor.id,
        title=wanted.title,
        description=wanted.description,
        status=rules.SCHEDULED,
        scheduled_at=wanted.scheduled_at,
        duration_minutes=wanted.duration_minutes,
        max_participants=wanted.max_participants,
        invite_code=None if course else secrets.token_urlsafe(INVITE_BYTES),
        epoch=secrets.token_hex(8),
        last_seq=0,
        created_at=work.now,
        updated_at=work.now,
    )
    work.add(row)
    if course:
        course.last_activity_at = work.now
    await work.flush()
    if wanted.start_now:
        answer = await rooms.perform(work, StartLiveSession(row.id, actor.id))
        return row, int(answer["notified"])
    if wanted.scheduled_at is not None:
        await _tell_course(work, row, "live_session_scheduled", f"Class scheduled: {row.title}")
    await announce_change(work, row)
    return row, 0


async def change(work: Work, actor: Actor, live_session_id: int, wanted: LiveSessionChange) -> LiveSession:
    """New title, time or size; a new time is told. Raises InvalidStatus for a class that is over."""
    row, _ = await access(work, actor, live_session_id, Action.LIVE_SESSION_EDIT)
    rules.require_changeable(row.status)
    fields = wanted.model_dump(exclude_unset=True)
    if "scheduled_at" in fields and fields["scheduled_at"] != row.scheduled_at:
        if row.status != rules.SCHEDULED:
            raise rules.InvalidStatus("A class that is live has no new starting time.")
        rules.require_future(fields["scheduled_at"], work.now)
    was_at = row.scheduled_at
    for name, value in fields.items():
        if value is not None or name in ("scheduled_at", "duration_minutes", "max_participants"):
            setattr(row, name, value)
    row.updated_at = work.now
    if row.scheduled_at != was_at and row.scheduled_at is not None:
        row.reminded_at = None
        told = "live_session_rescheduled" if was_at else "live_session_scheduled"
        await _tell_course(work, row, told, f"Class {'moved' if was_at else 'scheduled'}: {row.title}")
    await announce_change(work, row)
    return row


async def cancel(work: Work, actor: Actor, live_session_id: int, rooms: Rooms) -> LiveSession:
    """It will not take place. Raises InvalidStatus when it is live or over."""
    row, _ = await access(work, actor, live_session_id, Action.LIVE_SESSION_EDIT)
    await rooms.perform(work, CancelLiveSession(row.id, actor.id))
    return row


async def announce_change(work: Work, row: LiveSession) -> None:
    """Tell course members' pages that the session changed."""
    await work.flush()
    shown = (await shown_many(work, [row], {}, base_url=""))[0].model_dump(mode="json")
    work.announce(LiveSessionChanged(row.id, row.course_id, row.host_id, shown))


async def changed_since(
    read: Reading, course_ids: Collection[int], host_ids: Collection[int], since: datetime, limit: int
) -> list[tuple[datetime, LiveSessionChanged]]:
    """The latest changes of these courses' sessions, and of those these hosts have without a course; oldest first."""
    of_host = and_(LiveSession.course_id.is_(None), LiveSession.host_id.in_(host_ids))
    query = select(LiveSession).where(
        LiveSession.updated_at > since, or_(LiveSession.course_id.in_(course_ids), of_host)
    )
    newest = query.order_by(LiveSession.updated_at.desc(), LiveSession.id.desc()).limit(limit)
    rows = list(reversed(list(await read.scalars(newest))))
    shown = await shown_many(read, rows, {}, base_url="")
    return [
        (row.updated_at, LiveSessionChanged(row.id, row.course_id, row.host_id, told.model_dump(mode="json")))
        for row, told in zip(rows, shown, strict=True)
    ]


async def tell_cancelled(work: Work, row: LiveSession) -> None:
    await _tell_course(work, row, "live_session_cancelled", f"Class cancelled: {row.title}")


async def tell_started(work: Work, row: LiveSession) -> int:
    """Notify every enrolled student; returns how many."""
    return await _tell_course(work, row, "live_session_started", f"Live now: {row.title}")


async def remind(work: Work, row: LiveSession) -> None:
    row.reminded_at = work.now
    await _tell_course(work, row, "live_session_reminder", f"Starting soon: {row.title}")


async def _tell_course(work: Work, row: LiveSession, type: str, title: str) -> int:
    if row.course_id is None:
        return 0
    course = await work.get(Course, row.course_id)
    active = (Enrollment.course_id == row.course_id, Enrollment.status == "active")
    students = list(await work.scalars(select(Enrollment.user_id).where(*active)))
    data: dict[str, Any] = {
        "url": f"/app/sessions/{row.id}",
        "course_id": row.course_id,
        "live_session_id": row.id,
    }
    if row.scheduled_at is not None:
        data["scheduled_at"] = rfc3339(row.scheduled_at)
    return await notify(work, students, type, title, course.title if course else "", data)


async def _own_course(work: Work, actor: Actor, course_id: int) -> Course:
    """The course `actor` teaches. Raises Missing, NotCourseInstructor, Conflict for an archived one."""
    course = await work.get(Course, course_id)
    if course is None:
        raise Missing()
    if course.instructor_id != actor.id:
        enrolled = select(Enrollment.id).where(
            Enrollment.course_id == course_id, Enrollment.user_id == actor.id, Enrollment.status == "active"
        )
        if course.status == "published" or await work.scalar(enrolled):
            raise NotCourseInstructor()
        raise Missing()
    if course.status == "archived":
        raise Conflict("This course is archived; classes need an open one.")
    return course


async def for_course(read: Reading, course_id: int) -> Sequence[LiveSession]:
    """A course's sessions, live first, then the newest."""
    query = select(LiveSession).where(LiveSession.course_id == course_id)
    return list(await read.scalars(query.order_by(LiveSession.status != rules.LIVE, LiveSession.id.desc())))


async def mine(read: Reading, user_id: int, status: str | None) -> Sequence[tuple[LiveSession, Role]]:
    """Sessions the person teaches, studies in or was invited to; live first, then by time."""
    enrolled = select(Enrollment.course_id).where(Enrollment.user_id == user_id, Enrollment.status == "active")
    invited = select(LiveSessionGuest.live_session_id).where(LiveSessionGuest.user_id == user_id)
    is_guest = LiveSession.id.in_(invited)
    query = select(LiveSession, is_guest).where(
        or_(LiveSession.host_id == user_id, LiveSession.course_id.in_(enrolled), is_guest)
    )
    if status is not None:
        query = query.where(LiveSession.status == status)
    order = case((LiveSession.status == rules.LIVE, 0), (LiveSession.status == rules.SCHEDULED, 1), else_=2)
    rows = (await read.execute(query.order_by(order, LiveSession.id.desc()))).all()
    return [
        (row, Role.INSTRUCTOR if row.host_id == user_id else Role.GUEST if guest else Role.STUDENT)
        for row, guest in rows
    ]


async def shown_for_courses(read: Reading, course_ids: Collection[int], actor: Actor) -> dict[int, dict[str, Any]]:
    """The live session of each of these courses, by course id; the caller has checked membership."""
    if not course_ids:
        return {}
    query = select(LiveSession).where(LiveSession.course_id.in_(course_ids), LiveSession.status == rules.LIVE)
    rows = list(await read.scalars(query))
    roles = {r.id: Role.INSTRUCTOR if r.host_id == actor.id else Role.STUDENT for r in rows}
    shown = await shown_many(read, rows, roles, base_url="")
    return {r.course_id: s.model_dump(mode="json") for r, s in zip(rows, shown, strict=True) if r.course_id}


async def shown_for_instructor(
    read: Reading, actor: Actor, titles: Mapping[int, str], enrolled: Mapping[int, int]
) -> dict[int, dict[str, Any]]:
    """The live sessions of the actor's own courses, by course id, in two queries; what is known already is given."""
    own = select(Course.id).where(Course.instructor_id == actor.id)
    query = select(LiveSession).where(LiveSession.course_id.in_(own), LiveSession.status == rules.LIVE)
    rows = list(await read.scalars(query))
    if not rows:
        return {}
    around = _Around({actor.id: actor.name}, titles, await _counts(read, [row.id for row in rows]), enrolled, {})
    roles = {row.id: Role.INSTRUCTOR for row in rows}
    shown = _shown(rows, roles, "", around)
    return {r.course_id: s.model_dump(mode="json") for r, s in zip(rows, shown, strict=True) if r.course_id}


async def shown_many(
    read: Reading, rows: Sequence[LiveSession], roles: Mapping[int, Role], *, base_url: str
) -> list[LiveSessionShown]:
    """Rows as clients see them, in five queries however many they are; `roles` is the caller's, by session id."""
    if not rows:
        return []
    ids = [row.id for row in rows]
    courses = {row.course_id for row in rows if row.course_id is not None}
    hosts = {row.host_id for row in rows}
    names = dict((await read.execute(select(User.id, User.name).where(User.id.in_(hosts)))).all())
    named = select(Course.id, Course.title).where(Course.id.in_(courses))
    titles = dict((await read.execute(named)).all())
    active = and_(Enrollment.course_id.in_(courses), Enrollment.status == "active")
    enrolled = dict(
        (
            await read.execute(select(Enrollment.course_id, func.count()).where(active).group_by(Enrollment.course_id))
        ).all()
    )
    guests = dict(
        (
            await read.execute(
                select(LiveSessionGuest.live_session_id, func.count())
                .where(LiveSessionGuest.live_session_id.in_(ids))
                .group_by(LiveSessionGuest.live_session_id)
            )
        ).all()
    )
    return _shown(rows, roles, base_url, _Around(names, titles, await _counts(read, ids), enrolled, guests))


@dataclass(frozen=True, slots=True)
class _Around:
    """What is shown with a live session: names of hosts, titles of courses, and how many people, by id.

    `counts` are who is inside now and who ever was.
    """

    names: Mapping[int, str]
    titles: Mapping[int, str]
    counts: Mapping[int, tuple[int, int]]
    enrolled: Mapping[int, int]
    guests: Mapping[int, int]


async def _counts(read: Reading, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    people = func.count(func.distinct(Participation.user_id))
    is_connected = and_(Participation.left_at.is_(None), Participation.last_seen_at.is_(None))
    inside = func.count(func.distinct(case((is_connected, Participation.user_id))))
    query = select(Participation.live_session_id, inside, people).where(Participation.live_session_id.in_(ids))
    found = await read.execute(query.group_by(Participation.live_session_id))
    return {live_session_id: (now_in, ever) for live_session_id, now_in, ever in found}


def _shown(
    rows: Sequence[LiveSession], roles: Mapping[int, Role], base_url: str, around: _Around
) -> list[LiveSessionShown]:
    result = []
    for row in rows:
        role = roles.get(row.id)
        now_in, ever = around.counts.get(row.id, (0, 0))
        join_url = f"{base_url}/app/sessions/{row.id}"
        if row.invite_code and role is Role.INSTRUCTOR:
            join_url += f"?invite_code={row.invite_code}"
        result.append(
            LiveSessionShown(
                id=row.id,
                course_id=row.course_id,
                course_title=around.titles.get(row.course_id) if row.course_id is not None else None,
                title=row.title,
                description=row.description,
                status=row.status,
                scheduled_at=row.scheduled_at,
                duration_minutes=row.duration_minutes,
                started_at=row.started_at,
                ended_at=row.ended_at,
                host={"id": row.host_id, "name": around.names.get(row.host_id, "")},
                participant_count=now_in if row.status == rules.LIVE else ever,
                invited_count=around.enrolled.get(row.course_id, 0) if row.course_id else around.guests.get(row.id, 0),
                max_participants=row.max_participants,
                join_url=join_url,
                my_role=role.value if role else None,
            )
        )
    return result


async def timeline(read: Reading, live_session_id: int, after: int, limit: int) -> list[LiveSessionEvent]:
    """Events later than `after`, in order."""
    query = (
        select(LiveSessionEvent)
        .where(LiveSessionEvent.live_session_id == live_session_id, LiveSessionEvent.seq > after)
        .order_by(LiveSessionEvent.seq)
        .limit(limit)
    )
    return list(await read.scalars(query))
