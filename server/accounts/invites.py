"""One-time links: into a course for an address nobody has registered, and the set-up link of an empty server.

Only the SHA-256 of a token is stored. A course link's token is derived from its row and the secret, so that the
instructor can be shown the same link again without its being kept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Table, insert, select, update

from server.accounts.tables import Invite, User
from server.accounts.tokens import derived_key, token_hash
from server.db import Reading, Work
from server.errors import Invalid

COURSE_INVITE_LIFE = timedelta(days=14)
SETUP_LIFE = timedelta(days=7)
COURSE, SETUP = "course", "setup"


class InviteInvalid(Invalid):
    code = "invite_invalid"
    sentence = "This link has been used or has run out; ask for a new one."


class InviteTokens:
    """Makes the tokens of course invitations: 256 bit, the same each time they are asked for."""

    def __init__(self, secret: str) -> None:
        self._key = derived_key(secret, "course-invite")

    def token(self, invite: Invite) -> str:
        """The token of an invitation to a course."""
        return self.token_for(invite.course_id or 0, invite.email or "", invite.created_at)

    def token_for(self, course_id: int, email: str, created_at: datetime) -> str:
        """The token of the invitation made at that moment; no two share all three."""
        named = f"{course_id}|{email}|{created_at.isoformat(timespec='microseconds')}"
        raw = hmac.digest(self._key, named.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")


async def make_setup_link(work: Work) -> str:
    """The token that makes whoever registers with it an instructor; an earlier unused one ends."""
    await work.execute(update(Invite).where(Invite.kind == SETUP, Invite.used_at.is_(None)).values(expires_at=work.now))
    token = secrets.token_urlsafe(32)
    work.add(
        Invite(
            kind=SETUP,
            tier="standard",
            token_hash=token_hash(token),
            created_at=work.now,
            expires_at=work.now + SETUP_LIFE,
        )
    )
    await work.flush()
    return token


async def add_course_invites(
    work: Work, tokens: InviteTokens, course_id: int, emails: Collection[str], tier: str, created_by: int
) -> dict[str, Invite]:
    """New invitations of these addresses (normal form) to a course, in two statements however many."""
    if not emails:
        return {}
    created_at, expires_at = work.now, work.now + COURSE_INVITE_LIFE
    rows = [
        {
            "kind": COURSE,
            "course_id": course_id,
            "email": email,
            "tier": tier,
            "token_hash": token_hash(tokens.token_for(course_id, email, created_at)),
            "created_by": created_by,
            "created_at": created_at,
            "expires_at": expires_at,
        }
        for email in emails
    ]
    # One executemany and one SELECT: five hundred rows through the unit of work hold the only writer ten times longer.
    table = Invite.__table__
    assert isinstance(table, Table)
    await work.execute(insert(table), rows)
    return await open_course_invites(work, course_id, emails)


async def open_course_invites(read: Reading, course_id: int, emails: Collection[str]) -> dict[str, Invite]:
    """The invitations to a course that can still be used, by address."""
    rows = await read.scalars(
        select(Invite).where(Invite.email.in_(emails), *_open(read, course_id)).order_by(Invite.id)
    )
    return {invite.email or "": invite for invite in rows}


async def course_invites_after(read: Reading, course_id: int, after: int, limit: int) -> list[Invite]:
    """Usable invitations with a larger id, oldest first."""
    rows = await read.scalars(
        select(Invite).where(Invite.id > after, *_open(read, course_id)).order_by(Invite.id).limit(limit)
    )
    return list(rows)


async def end_invites_of(work: Work, course_id: int, user_ids: Collection[int]) -> None:
    """These people are in: links sent to their addresses are not needed any more."""
    addresses = select(User.email).where(User.id.in_(user_ids)).scalar_subquery()
    await work.execute(
        update(Invite)
        .where(Invite.email.in_(addresses), *_open(work, course_id))
        .values(expires_at=work.now)
        .execution_options(synchronize_session=False)
    )


async def end_course_invite(work: Work, course_id: int, invite_id: int) -> bool:
    """Ends one link; whether there was one to end."""
    ended = await work.scalars(
        update(Invite)
        .where(Invite.id == invite_id, *_open(work, course_id))
        .values(expires_at=work.now)
        .returning(Invite.id)
    )
    return ended.first() is not None


async def usable(work: Work, token: str) -> Invite:
    """The invitation behind `token`, locked. Raises InviteInvalid."""
    invite: Invite | None = await work.scalar(
        select(Invite).where(Invite.token_hash == token_hash(token)).with_for_update()
    )
    if invite is None or invite.used_at is not None or invite.expires_at <= work.now:
        raise InviteInvalid()
    return invite


def use(work: Work, invite: Invite, user_id: int) -> None:
    """It has served."""
    invite.used_at, invite.used_by = work.now, user_id


def _open(read: Reading, course_id: int) -> tuple[ColumnElement[bool], ...]:
    return (
        Invite.kind == COURSE,
        Invite.course_id == course_id,
        Invite.used_at.is_(None),
        Invite.expires_at > read.now,
    )
