"""Accounts as they cross the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, Field, PrivateAttr, StringConstraints

from server.access import AccountRole
from server.accounts.rules import LONGEST_EMAIL, LONGEST_PASSWORD, is_email, normal_email
from server.wire import Id, Moment, Name, Storable, Wire


def _email(value: str) -> str:
    normal = normal_email(value)
    if not is_email(normal):
        raise ValueError("needs an e-mail address, as in ana@example.org")
    return normal


def _web_address(value: str) -> str:
    if not value.startswith(("https://", "http://", "/")) or any(c.isspace() for c in value):
        raise ValueError("needs a web address")
    return value


Email = Annotated[Storable, StringConstraints(max_length=LONGEST_EMAIL * 2), AfterValidator(_email)]
Password = Annotated[Storable, StringConstraints(max_length=LONGEST_PASSWORD)]
OneTimeToken = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=16, max_length=200, pattern=r"^[\x21-\x7e]+$")
]
WebAddress = Annotated[Storable, StringConstraints(max_length=2000), AfterValidator(_web_address)]


class NewPerson(Wire):
    """`invite` is the token of an invitation or of the set-up link."""

    email: Email
    password: Password
    name: Name
    role: Literal["student", "expert"] = "student"
    invite: OneTimeToken | None = None


class Credentials(Wire):
    """`invite` lets somebody who is registered already follow an invitation while signing in."""

    email: Annotated[Storable, StringConstraints(max_length=LONGEST_EMAIL * 2)]
    password: Password
    invite: OneTimeToken | None = None


class LinkToken(Wire):
    token: OneTimeToken


class InviteToken(Wire):
    invite: OneTimeToken


class CourseEntered(Wire):
    course_id: int


class WhichSignIn(Wire):
    """Needed when the browser holds several sign-ins."""

    sign_in_id: Id | None = None


class SigningOut(WhichSignIn):
    everywhere: bool = False


class OwnChanges(Wire):
    """Only what is sent changes; `avatar_url` may be null."""

    name: Name | None = None
    avatar_url: WebAddress | None = None


class NewPassword(Wire):
    current_password: Annotated[Password, Field(validation_alias=AliasChoices("current_password", "old_password"))]
    new_password: Annotated[Password, Field(validation_alias=AliasChoices("new_password", "password"))]


class AccountChanges(Wire):
    role: AccountRole | None = None
    disabled: bool | None = None


class PeopleAsked(Wire):
    query: Annotated[Storable, StringConstraints(strip_whitespace=True, max_length=200)] | None = None


class UserShown(Wire):
    """A person to themselves."""

    id: int
    email: str
    name: str
    role: AccountRole
    avatar_url: str | None
    created_at: Moment
    _etag: str = PrivateAttr("")


class AccountShown(UserShown):
    """A person to an administrator."""

    disabled: bool


class SignedIn(Wire):
    """A sign-in; its refresh token travels in the cookie `lectern_refresh_<sign_in_id>`. `expires_in` is seconds."""

    user: UserShown
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 (the scheme, RFC 6750)
    expires_in: int
    sign_in_id: int
