"""Becoming a person here: openly, by an invitation into a course, or by the set-up link of an empty server.

One transaction registers, enrolls and uses the link up, so that a link never half works.
"""

from __future__ import annotations

from server.access import AccountRole
from server.accounts import invites, service
from server.accounts.tables import User
from server.courses import enrollments
from server.db import Work
from server.errors import Forbidden


class ExpertSignupClosed(Forbidden):
    code = "expert_signup_closed"
    sentence = "Instructors are made by an administrator here; register as a student."


async def register(
    work: Work,
    *,
    email: str,
    name: str,
    role: AccountRole,
    password_hash: str,
    invite_token: str | None,
    is_expert_signup_open: bool,
) -> User:
    """A new person, enrolled or made an instructor by the link they came with.

    Raises EmailTaken, InviteInvalid, ExpertSignupClosed.
    """
    invite = await invites.usable(work, invite_token) if invite_token else None
    if invite is not None and invite.kind == invites.SETUP:
        role = AccountRole.EXPERT
    elif role is AccountRole.EXPERT and not is_expert_signup_open:
        raise ExpertSignupClosed()
    user = await service.create_user(work, email=email, name=name, role=role, password_hash=password_hash)
    if invite is not None:
        if invite.course_id is not None:
            await enrollments.enter_by_invite(work, user.id, invite.course_id, invite.tier)
        invites.use(work, invite, user.id)
    return user


async def accept_invite(work: Work, user_id: int, invite_token: str) -> int:
    """A known person follows an invitation; returns the course. Somebody who is in already leaves the link unused.

    Raises InviteInvalid, EnrollmentRevoked.
    """
    invite = await invites.usable(work, invite_token)
    if invite.kind != invites.COURSE or invite.course_id is None:
        raise invites.InviteInvalid()
    if await enrollments.enter_by_invite(work, user_id, invite.course_id, invite.tier):
        invites.use(work, invite, user_id)
    return invite.course_id
