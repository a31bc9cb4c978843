"""People and their sign-ins: create, change, open, renew, end.

Passwords arrive here as hashes: hashing takes tens of milliseconds and never happens inside a unit of work.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from server.access import AccountRole
from server.accounts.rules import Held, Judged, expiry, is_email, judge, normal_email
from server.accounts.tables import SignIn, User
from server.db import Reading, Work
from server.errors import Conflict, Forbidden, Invalid, Missing
from server.events import RoleChanged, SignInsEnded
from server.http.paging import Page

KEPT_AFTER_END = timedelta(days=7)  # rows of old sign-ins are swept when their person signs in again


class EmailTaken(Conflict):
    code, sentence = "email_taken", "Somebody has registered with this e-mail address already; sign in instead."


class AccountDisabled(Forbidden):
    code, sentence = "account_disabled", "This account is disabled; ask an administrator."


class OwnAccount(Conflict):
    code, sentence = "own_account", "Administrators change each other, never themselves."


class WrongPassword(Forbidden):
    code, sentence = "wrong_password", "That is not your present password."


async def create_user(
    work: Work, *, email: str, name: str, role: AccountRole | str, password_hash: str, avatar_url: str | None = None
) -> User:
    """A new person. Raises Invalid for an address that cannot be one, EmailTaken."""
    normal = normal_email(email)
    if not is_email(normal):
        raise Invalid(errors=[{"pointer": "/email", "detail": "needs an e-mail address, as in ana@example.org"}])
    if await user_by_email(work, normal) is not None:
        raise EmailTaken()
    user = User(
        email=normal,
        name=name,
        password_hash=password_hash,
        role=AccountRole(role).value,
        avatar_url=avatar_url,
        created_at=work.now,
        updated_at=work.now,
    )
    work.add(user)
    try:
        await work.flush()
    except IntegrityError as error:  # somebody registered the address in the same moment
        raise EmailTaken() from error
    return user


async def user_by_email(read: Reading, email: str) -> User | None:
    """The person with this address, in whatever spelling."""
    found: User | None = await read.scalar(select(User).where(User.email == normal_email(email)))
    return found


async def users_by_emails(read: Reading, emails: Collection[str]) -> dict[str, User]:
    """People by normal address, in one query."""
    rows = await read.scalars(select(User).where(User.email.in_(emails)))
    return {user.email: user for user in rows}


async def user_of(read: Reading, user_id: int) -> User:
    """Raises Missing."""
    user = await read.get(User, user_id)
    if user is None:
        raise Missing()
    return user


async def is_empty(read: Reading) -> bool:
    """Whether nobody has registered yet."""
    return await read.scalar(select(User.id).limit(1)) is None


async def listed(read: Reading, query: str | None, page: Page) -> list[User]:
    """People by id, one more than the page holds; `query` is part of a name or an address."""
    statement = select(User).order_by(User.id).limit((page.limit or 0) + 1)
    if query:
        statement = statement.where(
            or_(User.name.icontains(query, autoescape=True), User.email.icontains(query, autoescape=True))
        )
    if page.after is not None:
        statement = statement.where(User.id > page.after)
    return list(await read.scalars(statement))


async def set_password(work: Work, user_id: int, password_hash: str, keep_sign_in: int | None = None) -> User:
    """Change the password and end all other sign-ins: whoever knew the old one is out. Raises Missing."""
    user = await _locked(work, user_id)
    user.password_hash, user.updated_at = password_hash, work.now
    await end_sign_ins(work, user_id, "password", spare=keep_sign_in)
    return user


async def renew_hash(work: Work, user_id: int, old: str, new: str) -> None:
    """Store the same password under newer parameters, unless it was changed meanwhile."""
    await work.execute(update(User).where(User.id == user_id, User.password_hash == old).values(password_hash=new))


async def set_profile(work: Work, user: User, *, name: str, avatar_url: str | None) -> None:
    """Change what others see of a person."""
    if (user.name, user.avatar_url) != (name, avatar_url):
        user.name, user.avatar_url, user.updated_at = name, avatar_url, work.now


async def set_role(work: Work, user_id: int, role: AccountRole) -> User:
    """Their connections end, and come back with the new role. Raises Missing."""
    user = await _locked(work, user_id)
    if user.role != role.value:
        user.role, user.updated_at = role.value, work.now
        work.announce(RoleChanged(user_id))
    return user


async def disable(work: Work, user_id: int) -> User:
    """Close the account: all sign-ins and connections end. Raises Missing."""
    user = await _locked(work, user_id)
    if user.disabled_at is None:
        user.disabled_at = user.updated_at = work.now
    await end_sign_ins(work, user_id, "disabled")
    return user


async def enable(work: Work, user_id: int) -> User:
    """Open the account again. Raises Missing."""
    user = await _locked(work, user_id)
    if user.disabled_at is not None:
        user.disabled_at, user.updated_at = None, work.now
    return user


async def sign_in_directly(work: Work, user_id: int) -> SignIn:
    """Open a sign-in for a person who has proven who they are. Raises AccountDisabled, Missing."""
    user = await user_of(work, user_id)
    if user.disabled_at is not None:
        raise AccountDisabled()
    old = or_(SignIn.expires_at < work.now - KEPT_AFTER_END, SignIn.ended_at < work.now - KEPT_AFTER_END)
    await work.execute(delete(SignIn).where(SignIn.user_id == user_id, old))
    sign_in = SignIn(
        user_id=user_id,
        generation=0,
        rotated_at=work.now,
        created_at=work.now,
        expires_at=expiry(work.now, work.now),
    )
    work.add(sign_in)
    await work.flush()
    return sign_in


async def standing(read: Reading, sign_in_ids: Collection[int]) -> set[int]:
    """Which of these sign-ins have neither ended nor run out."""
    rows = await read.scalars(
        select(SignIn.id)
        .join(User, User.id == SignIn.user_id)
        .where(
            SignIn.id.in_(sign_in_ids),
            SignIn.ended_at.is_(None),
            SignIn.expires_at > read.now,
            User.disabled_at.is_(None),
        )
    )
    return set(rows)


@dataclass(frozen=True, slots=True)
class Renewed:
    """A sign-in that goes on, and its person."""

    user: User
    sign_in: SignIn


async def renew(work: Work, held: Held) -> Renewed | None:
    """Exchange a refresh token for its successor; None when the sign-in is over.

    A token used again after its grace ends the sign-in: this must be committed, so it is an answer and not an error.
    """
    sign_in = await work.get(SignIn, held.sign_in_id, for_update=True)
    if sign_in is None or sign_in.ended_at is not None or sign_in.expires_at <= work.now:
        return None
    user = await user_of(work, sign_in.user_id)
    if user.disabled_at is not None:
        return None
    judged = judge(held.generation, sign_in.generation, sign_in.rotated_at, work.now)
    if judged is Judged.REUSED:
        end_one(work, sign_in, "reuse")
        return None
    if judged is Judged.CURRENT:
        sign_in.generation = held.generation + 1
        sign_in.rotated_at = work.now
        sign_in.expires_at = expiry(sign_in.created_at, work.now)
    return Renewed(user, sign_in)


def end_one(work: Work, sign_in: SignIn, reason: str) -> None:
    """End one sign-in, its access tokens and connections."""
    if sign_in.ended_at is None:
        sign_in.ended_at, sign_in.end_reason = work.now, reason
        work.announce(SignInsEnded(sign_in.user_id, frozenset({sign_in.id})))


async def end_sign_ins(
    work: Work, user_id: int, reason: str, *, spare: int | None = None, only: int | None = None
) -> None:
    """End all of a person's sign-ins, or all but `spare`, or `only` one."""
    statement = update(SignIn).where(SignIn.user_id == user_id, SignIn.ended_at.is_(None))
    if spare is not None:
        statement = statement.where(SignIn.id != spare)
    if only is not None:
        statement = statement.where(SignIn.id == only)
    ended = await work.scalars(statement.values(ended_at=work.now, end_reason=reason).returning(SignIn.id))
    if ids := frozenset(ended):
        work.announce(SignInsEnded(user_id, ids))


async def counted(read: Reading) -> int:
    """How many people there are."""
    return int(await read.scalar(select(func.count()).select_from(User)))


async def _locked(work: Work, user_id: int) -> User:
    user = await work.get(User, user_id, for_update=True)
    if user is None:
        raise Missing()
    return user
