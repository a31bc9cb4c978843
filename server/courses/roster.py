"""The roster as its instructor keeps it: people with their presence, invited addresses with their links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from server.access import Action, Actor
from server.accounts import invites
from server.accounts.invites import InviteTokens
from server.accounts.rules import is_email, normal_email
from server.accounts.service import users_by_emails
from server.accounts.tables import Invite, User
from server.courses import enrollments, service
from server.courses.rules import EnrollmentStatus, OwnCourse, Tier
from server.courses.schemas import AddedShown, Outcome, RosterEntry, RosterPerson
from server.courses.tables import Course, Enrollment
from server.db import Reading, Work
from server.errors import Invalid, Missing
from server.http.paging import Page
from server.live_sessions.service import shown_for_courses
from server.ports import Presence

ON_ROSTER = (EnrollmentStatus.ACTIVE.value, EnrollmentStatus.REVOKED.value)


@dataclass(frozen=True, slots=True)
class InviteLinks:
    """Makes the links an instructor sends; `base` is the server as the instructor's browser sees it."""

    tokens: InviteTokens
    base: str

    def url(self, invite: Invite) -> str:
        return f"{self.base}/app/register#{self.tokens.token(invite)}"


@dataclass(frozen=True, slots=True)
class RosterPage:
    """Lines without presence, the class that is live now, and where the next page starts."""

    entries: list[RosterEntry]
    live_session_id: int | None
    next_after: int | None


async def listed(read: Reading, actor: Actor, course_id: int, page: Page, links: InviteLinks) -> RosterPage:
    """People in the order they came, then invited addresses.

    The cursor is an enrollment's id or, below zero, an invitation's. Raises Missing, NotCourseInstructor.
    """
    await service.access(read, course_id, actor, Action.ROSTER_VIEW)
    limit, after = page.limit or 0, page.after or 0
    people = await _people(read, course_id, after, limit + 1) if after >= 0 else []
    invited = await invites.course_invites_after(read, course_id, max(0, -after), limit + 1 - len(people))
    live = await shown_for_courses(read, [course_id], actor)
    keyed = [(row.id, entry_of(row, user)) for row, user in people]
    keyed += [(-invite.id, invited_entry(invite, links)) for invite in invited]
    next_after = keyed[limit - 1][0] if len(keyed) > limit else None
    return RosterPage([entry for _, entry in keyed[:limit]], live.get(course_id, {}).get("id"), next_after)


async def with_presence(entries: Sequence[RosterEntry], live_session_id: int | None, presence: Presence) -> None:
    """Fill in who is connected and who is in this course's class; where else somebody is stays theirs."""
    ids = [entry.user.id for entry in entries if entry.user.id is not None]
    online, rooms = await presence.online(ids), await presence.in_rooms(ids)
    for entry in entries:
        if entry.user.id is not None and entry.status == "active":
            entry.online = entry.user.id in online
            is_inside = live_session_id is not None and rooms.get(entry.user.id) == live_session_id
            entry.in_live_session_id = live_session_id if is_inside else None


async def entry(read: Reading, course_id: int, user_id: int) -> RosterEntry:
    """One person's line. Raises Missing for one who is not on the roster."""
    found = await read.execute(
        select(Enrollment, User)
        .join(User, User.id == Enrollment.user_id)
        .where(Enrollment.course_id == course_id, Enrollment.user_id == user_id, Enrollment.status.in_(ON_ROSTER))
    )
    row = found.one_or_none()
    if row is None:
        raise Missing()
    return entry_of(row[0], row[1])


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one address; shown() says it."""

    email: str
    outcome: Outcome
    person: tuple[Enrollment, User] | None = None
    invite: Invite | None = None


async def add(
    work: Work, actor: Actor, course_id: int, addresses: Sequence[str], tier: Tier | None, tokens: InviteTokens
) -> list[Added]:
    """Enroll the known among `addresses` and invite the others; one outcome each, in order, duplicates once.

    Adding again changes nothing and finds the same link. Raises Missing, NotCourseInstructor.
    """
    course, _, _ = await service.access(work, course_id, actor, Action.ROSTER_EDIT)
    # Two instructors' tabs adding the same list take turns, so that nobody is invited twice.
    await work.execute(select(Course.id).where(Course.id == course_id).with_for_update(key_share=True))
    normal = list(dict.fromkeys(normal_email(address) for address in addresses))
    valid = {email for email in normal if is_email(email)}
    known = await users_by_emails(work, valid)
    students = [user.id for user in known.values() if user.id != course.instructor_id]
    admitted = await enrollments.admit(work, course_id, students, tier)
    rows = await enrollments.locked(work, course_id, students)
    if admitted:
        await enrollments.tell_added(work, course, actor, admitted)
    already = await invites.open_course_invites(work, course_id, valid - set(known))
    for invite in already.values():
        invite.tier = tier.value if tier else invite.tier
    absent = [email for email in normal if email in valid and email not in known and email not in already]
    made = await invites.add_course_invites(work, tokens, course_id, absent, (tier or Tier.STANDARD).value, actor.id)
    added = []
    for email in normal:
        user = known.get(email)
        if user is not None and user.id == course.instructor_id:
            added.append(Added(email, "own_course"))
        elif user is not None:
            outcome: Outcome = "enrolled" if user.id in admitted else "already_enrolled"
            added.append(Added(email, outcome, person=(rows[user.id], user)))
        elif email in made:
            added.append(Added(email, "invited", invite=made[email]))
        elif email in already:
            added.append(Added(email, "already_invited", invite=already[email]))
        else:
            added.append(Added(email, "invalid"))
    return added


def shown(added: Added, links: InviteLinks) -> AddedShown:
    """The answer for one address; made after the work, which holds the only writer."""
    entry = None
    if added.person is not None:
        entry = entry_of(*added.person)
    elif added.invite is not None:
        entry = invited_entry(added.invite, links)
    return AddedShown(email=added.email, outcome=added.outcome, enrollment=entry)


async def uninvite(work: Work, actor: Actor, course_id: int, invitation_id: int) -> None:
    """An invitation's link stops working. Raises Missing, NotCourseInstructor."""
    await service.access(work, course_id, actor, Action.ROSTER_EDIT)
    if not await invites.end_course_invite(work, course_id, invitation_id):
        raise Missing()


def usable(answer: AddedShown) -> RosterEntry:
    """For one address a fault is a refusal, not an answer. Raises Invalid, OwnCourse."""
    if answer.outcome == "own_course":
        raise OwnCourse()
    if answer.enrollment is None:
        raise Invalid(errors=[{"pointer": "/email", "detail": "needs an e-mail address, as in bo@example.org"}])
    return answer.enrollment


def entry_of(row: Enrollment, user: User) -> RosterEntry:
    """A person's line."""
    return RosterEntry(
        user=RosterPerson(id=user.id, name=user.name, email=user.email, avatar_url=user.avatar_url),
        tier=row.tier,
        status=row.status,
        enrolled_at=row.enrolled_at,
    )


def invited_entry(invite: Invite, links: InviteLinks) -> RosterEntry:
    """An invited address's line, with its link."""
    return RosterEntry(
        user=RosterPerson(id=None, name=None, email=invite.email or "", avatar_url=None),
        tier=invite.tier,
        status="invited",
        enrolled_at=None,
        invite_url=links.url(invite),
        invitation_id=invite.id,
        expires_at=invite.expires_at,
    )


async def _people(read: Reading, course_id: int, after: int, limit: int) -> list[tuple[Enrollment, User]]:
    found = await read.execute(
        select(Enrollment, User)
        .join(User, User.id == Enrollment.user_id)
        .where(Enrollment.course_id == course_id, Enrollment.status.in_(ON_ROSTER), Enrollment.id > after)
        .order_by(Enrollment.id)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in found]
