"""Who gets into a course and who goes: enroll, leave, revoke, change tier, follow an invitation.

Everything is safe to repeat and to race: the table's one row per person is inserted on conflict or locked, never hoped
for. Whoever loses their place is cut off from live rooms in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from server.access import Action, Actor
from server.accounts.invites import end_invites_of
from server.accounts.tables import User
from server.courses import service
from server.courses.rules import EnrollmentStatus, NotOnRoster, OwnCourse, Tier, may_enter_alone
from server.courses.tables import Course, Enrollment
from server.db import UtcDateTime, Work
from server.errors import Missing
from server.events import EnrollmentActivated, EnrollmentEnded
from server.live_sessions.commands import CutOff
from server.notifications.service import notify
from server.ports import Rooms

ACTIVE = EnrollmentStatus.ACTIVE.value


async def enroll(work: Work, actor: Actor, course_id: int) -> tuple[Enrollment, bool]:
    """Enroll oneself; returns the enrollment and whether it is new. Raises Missing, EnrollmentRevoked, OwnCourse."""
    course, _, _ = await service.access(work, course_id, actor, Action.COURSE_VIEW)
    rows = await locked(work, course_id, [actor.id])
    known = rows.get(actor.id)
    if course.status != "published" and (known is None or known.status != ACTIVE) and actor.id != course.instructor_id:
        raise Missing()
    is_new = may_enter_alone(course.instructor_id, known.status if known else None, actor.id)
    if is_new:
        is_new = actor.id in await admit(work, course_id, [actor.id], None)
    return (await locked(work, course_id, [actor.id]))[actor.id], is_new


async def leave(work: Work, actor: Actor, course_id: int, rooms: Rooms) -> None:
    """Leave by oneself; changes nothing for one who is not in. Raises Missing, OwnCourse."""
    course, _, _ = await service.course_role(work, course_id, actor)
    if actor.id == course.instructor_id:
        raise OwnCourse()
    row = (await locked(work, course_id, [actor.id])).get(actor.id)
    if row is not None and row.status == ACTIVE:
        await _end(work, row, EnrollmentStatus.LEFT, rooms)


async def revoke(work: Work, actor: Actor, course_id: int, user_id: int, rooms: Rooms) -> None:
    """Take somebody's place away, and their rooms, media and tickets with it. Raises Missing, NotCourseInstructor."""
    course, _, _ = await service.access(work, course_id, actor, Action.ROSTER_EDIT)
    row = (await locked(work, course_id, [user_id])).get(user_id)
    if row is None:
        raise Missing()
    if row.status == EnrollmentStatus.REVOKED:
        return
    was_active = row.status == ACTIVE
    await _end(work, row, EnrollmentStatus.REVOKED, rooms)
    if was_active:
        title = f"You are no longer enrolled in {course.title}"
        data = {"url": "/app/courses", "course_id": course_id}
        await notify(work, [user_id], "enrollment_revoked", title, "Its instructor ended your enrollment.", data)


async def change_tier(work: Work, actor: Actor, course_id: int, user_id: int, tier: Tier) -> Enrollment:
    """Raises Missing, NotCourseInstructor, NotOnRoster for one who was revoked."""
    await service.access(work, course_id, actor, Action.ROSTER_EDIT)
    row = (await locked(work, course_id, [user_id])).get(user_id)
    if row is None or row.status == EnrollmentStatus.LEFT:
        raise Missing()
    if row.status != ACTIVE:
        raise NotOnRoster()
    if row.tier != tier:
        _set_tier(work, row, tier)
    return row


async def enter_by_invite(work: Work, user_id: int, course_id: int, tier: str) -> bool:
    """Follow an invitation; whether that changed anything. Raises EnrollmentRevoked."""
    course = await work.get(Course, course_id)
    if course is None:
        raise Missing()
    if user_id == course.instructor_id:
        return False
    known = (await locked(work, course_id, [user_id])).get(user_id)
    if not may_enter_alone(course.instructor_id, known.status if known else None, user_id):
        return False
    return user_id in await admit(work, course_id, [user_id], Tier(tier))


async def admit(work: Work, course_id: int, user_ids: Collection[int], tier: Tier | None) -> set[int]:
    """Make these people active, whatever they were; returns who was not before. `tier` None leaves tiers alone."""
    known = await locked(work, course_id, user_ids)
    absent = sorted(set(user_ids) - set(known))
    created = await _insert(work, course_id, absent, tier or Tier.STANDARD)
    if raced := set(absent) - created:  # somebody else enrolled them in this very moment
        known |= await locked(work, course_id, raced)
    admitted = set(created)
    for row in known.values():
        if row.status != ACTIVE:
            row.status, row.enrolled_at, row.ended_at = ACTIVE, work.now, None
            row.tier = tier.value if tier else row.tier
            row.revision += 1
            admitted.add(row.user_id)
        elif tier is not None and row.tier != tier:
            _set_tier(work, row, tier)
    if admitted:
        await end_invites_of(work, course_id, admitted)
    for user_id in sorted(admitted):
        work.announce(EnrollmentActivated(course_id, user_id))
    return admitted


async def tell_added(work: Work, course: Course, instructor: Actor, user_ids: Collection[int]) -> None:
    """Notify people whom the instructor enrolled."""
    title = f"You were added to {course.title}"
    data = {"url": f"/app/courses/{course.id}", "course_id": course.id}
    await notify(work, user_ids, "enrollment_added", title, f"{instructor.name} enrolled you in this course.", data)


async def locked(work: Work, course_id: int, user_ids: Collection[int]) -> dict[int, Enrollment]:
    """Enrollments by person, whatever their status, locked until the end of the work."""
    await work.flush()
    rows = await work.scalars(
        select(Enrollment)
        .where(Enrollment.course_id == course_id, Enrollment.user_id.in_(user_ids))
        .order_by(Enrollment.user_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.user_id: row for row in rows}


async def _insert(work: Work, course_id: int, user_ids: Sequence[int], tier: Tier) -> set[int]:
    """Insert active rows; returns whose row is ours. One inserted elsewhere meanwhile is left alone."""
    if not user_ids:
        return set()
    table = Enrollment.__table__
    assert isinstance(table, Table)
    values: dict[str, ColumnElement[Any]] = {
        "course_id": literal(course_id),
        "tier": literal(tier.value),
        "status": literal(ACTIVE),
        "revision": literal(1),
        "enrolled_at": literal(work.now, UtcDateTime),
    }
    people = select(*values.values(), User.id).where(User.id.in_(user_ids)).order_by(User.id)
    insert = sqlite.insert(table) if work.is_sqlite else postgresql.insert(table)
    written = await work.execute(
        insert.from_select([*values, "user_id"], people)
        .on_conflict_do_nothing(index_elements=["course_id", "user_id"])
        .returning(table.c.user_id)
    )
    return set(written.scalars())


async def _end(work: Work, row: Enrollment, status: EnrollmentStatus, rooms: Rooms) -> None:
    row.status, row.ended_at = status.value, work.now
    row.revision += 1
    await work.flush()
    await rooms.perform(work, CutOff(row.course_id, row.user_id))
    work.announce(EnrollmentEnded(row.course_id, row.user_id, is_revoked=status is EnrollmentStatus.REVOKED))


def _set_tier(work: Work, row: Enrollment, tier: Tier) -> None:
    row.tier = tier.value
    row.revision += 1
    work.announce(EnrollmentActivated(row.course_id, row.user_id))
