"""Signing up, in, on and out, and the people an administrator sees."""

from __future__ import annotations

from aiohttp import hdrs, web

from server.access import AccountRole
from server.accounts import browser, registration, service
from server.accounts.browser import SignInAmbiguous
from server.accounts.rules import normal_email, password_fault
from server.accounts.schemas import (
    AccountChanges,
    AccountShown,
    CourseEntered,
    Credentials,
    InviteToken,
    LinkToken,
    NewPassword,
    NewPerson,
    OwnChanges,
    PeopleAsked,
    SignedIn,
    SigningOut,
    UserShown,
    WhichSignIn,
)
from server.accounts.service import EmailTaken, OwnAccount, WrongPassword
from server.accounts.tables import SignIn, User
from server.accounts.tokens import token_hash
from server.accounts.wiring import ACCOUNTS, SIGN_IN_LINKS
from server.errors import Invalid, RateLimited, Unauthenticated, WrongCredentials
from server.http.etags import etag_of, require_match
from server.http.keys import ACTOR, DATABASE, SETTINGS
from server.http.middleware import ORIGINS
from server.http.paging import Paged, cut, page_of
from server.http.routes import Request, Routes, Who, authenticated, path_id

route = Routes("accounts")
link_route = Routes("accounts")  # mounted only where SIGN_IN_LINKS is given


class LinkInvalid(WrongCredentials):
    code, sentence = "link_invalid", "This sign-in link is not valid any more; take a new one from the terminal."


@route.post(
    "/auth/register", who=Who.ANYONE, body=NewPerson, answers=SignedIn, status=201, refuses=(EmailTaken, RateLimited)
)
async def register(request: Request, wanted: NewPerson) -> web.Response:
    """Become a person here and sign in."""
    accounts = request.app[ACCOUNTS]
    accounts.limits.registering(_address(request))
    is_open = request.app[SETTINGS].expert_signup == "open"
    if wanted.role == "expert" and not is_open and wanted.invite is None:
        raise registration.ExpertSignupClosed()  # the set-up link may still open it
    _require_good_password(wanted.password, "/password", wanted.email, wanted.name)
    hashed = await accounts.passwords.hash(wanted.password)
    async with request.app[DATABASE].work() as work:
        user = await registration.register(
            work,
            email=wanted.email,
            name=wanted.name,
            role=AccountRole(wanted.role),
            password_hash=hashed,
            invite_token=wanted.invite,
            is_expert_signup_open=is_open,
        )
        sign_in = await service.sign_in_directly(work, user.id)
        ended = await browser.make_place(request, work)
    return browser.signed_in(request, user, sign_in, 201, ended)


@route.post("/auth/login", who=Who.ANYONE, body=Credentials, answers=SignedIn, refuses=(WrongCredentials, RateLimited))
async def login(request: Request, given: Credentials) -> web.Response:
    """Sign in with an address and a password."""
    accounts = request.app[ACCOUNTS]
    async with accounts.limits.guess(normal_email(given.email), _address(request)):
        async with request.app[DATABASE].read() as read:
            user = await service.user_by_email(read, given.email)
        if not await accounts.passwords.verify(given.password, user.password_hash if user else None) or user is None:
            raise WrongCredentials()
    if accounts.passwords.is_outdated(user.password_hash):
        renewed = await accounts.passwords.hash(given.password)
        async with request.app[DATABASE].work() as work:
            await service.renew_hash(work, user.id, user.password_hash, renewed)
    return await _open(request, user, given.invite)


@link_route.post("/auth/link", who=Who.ANYONE, body=LinkToken, answers=SignedIn, refuses=(LinkInvalid, RateLimited))
async def follow_link(request: Request, given: LinkToken) -> web.Response:
    """Sign in with a one-click link of the demo; it stays valid until the process ends."""
    async with request.app[ACCOUNTS].limits.guess("link", _address(request)):
        user_id = request.app[SIGN_IN_LINKS].get(token_hash(given.token))
        if user_id is None:
            raise LinkInvalid()
    async with request.app[DATABASE].read() as read:
        user = await service.user_of(read, user_id)
    return await _open(request, user, None)


@route.post(
    "/auth/refresh", who=Who.ANYONE, body=WhichSignIn, answers=SignedIn, refuses=(Unauthenticated, SignInAmbiguous)
)
async def refresh(request: Request, which: WhichSignIn) -> web.Response:
    """Exchange the refresh cookie for a new one and an access token."""
    held = await browser.chosen(request, which.sign_in_id)
    if held is None:
        raise Unauthenticated()
    async with request.app[DATABASE].work() as work:
        renewed = await service.renew(work, held)
    if renewed is None:
        return browser.refused(request, held)
    return browser.signed_in(request, renewed.user, renewed.sign_in, 200)


@route.post("/auth/logout", who=Who.ANYONE, body=SigningOut, refuses=(Unauthenticated, SignInAmbiguous))
async def logout(request: Request, wanted: SigningOut) -> web.Response:
    """End this sign-in or, with `everywhere`, all of the person's. Nobody signed in is a fine end too."""
    held = await browser.chosen(request, wanted.sign_in_id)
    if held is None:
        return await _log_out_by_token(request, wanted.everywhere)
    async with request.app[DATABASE].work() as work:
        renewed = await service.renew(work, held) if wanted.everywhere else None
        if renewed is not None:
            await service.end_sign_ins(work, renewed.user.id, "logout")
        elif (sign_in := await work.get(SignIn, held.sign_in_id, for_update=True)) is not None:
            service.end_one(work, sign_in, "logout")
    if wanted.everywhere and renewed is None:
        return browser.refused(request, held)
    response = web.Response(status=204)
    request.app[ACCOUNTS].cookies.take(request, response, held.sign_in_id)
    return response


@route.get("/auth/me", answers=UserShown)
async def me(request: Request) -> UserShown:
    """The signed-in person."""
    async with request.app[DATABASE].read() as read:
        return _shown(await service.user_of(read, request[ACTOR].id))


@route.patch("/auth/me", body=OwnChanges, answers=UserShown)
async def change_me(request: Request, wanted: OwnChanges) -> UserShown:
    """Change one's own name or picture."""
    async with request.app[DATABASE].work() as work:
        user = await service.user_of(work, request[ACTOR].id)
        require_match(request, _etag(user))
        if "name" in wanted.model_fields_set and wanted.name is None:
            raise Invalid(errors=[{"pointer": "/name", "detail": "may not be null"}])
        await service.set_profile(
            work,
            user,
            name=wanted.name or user.name,
            avatar_url=wanted.avatar_url if "avatar_url" in wanted.model_fields_set else user.avatar_url,
        )
    request.app[ACCOUNTS].authenticate.forget(user.id)
    return _shown(user)


@route.post(
    "/auth/password", body=NewPassword, answers=UserShown, idempotent=False, refuses=(WrongPassword, RateLimited)
)
async def change_password(request: Request, wanted: NewPassword) -> UserShown:
    """Change one's password; all other sign-ins of the person end."""
    accounts, actor = request.app[ACCOUNTS], request[ACTOR]
    async with request.app[DATABASE].read() as read:
        user = await service.user_of(read, actor.id)
    async with accounts.limits.guess(user.email, _address(request), WrongPassword):
        if not await accounts.passwords.verify(wanted.current_password, user.password_hash):
            raise WrongPassword()
    _require_good_password(wanted.new_password, "/new_password", user.email, user.name)
    hashed = await accounts.passwords.hash(wanted.new_password)
    async with request.app[DATABASE].work() as work:
        user = await service.set_password(work, actor.id, hashed, keep_sign_in=actor.sign_in_id)
    accounts.authenticate.forget(user.id)
    return _shown(user)


@route.post("/invites/accept", body=InviteToken, answers=CourseEntered)
async def accept_invite(request: Request, given: InviteToken) -> CourseEntered:
    """Follow an invitation as the person one is already; answers which course."""
    async with request.app[DATABASE].work() as work:
        course_id = await registration.accept_invite(work, request[ACTOR].id, given.invite)
    return CourseEntered(course_id=course_id)


@route.get("/users", who=Who.ADMIN, query=PeopleAsked, answers=list[AccountShown], paged=True)
async def people(request: Request, asked: PeopleAsked) -> Paged[AccountShown]:
    """Everybody, by id."""
    page = page_of(request)
    async with request.app[DATABASE].read() as read:
        rows, more = cut(await service.listed(read, asked.query, page), page)
    return Paged([_account(row) for row in rows], rows[-1].id if more else None)


async def _known_person(request: Request) -> None:
    async with request.app[DATABASE].read() as read:
        await service.user_of(read, path_id(request, "user_id"))


@route.patch(
    "/users/{user_id}",
    who=Who.ADMIN,
    door=_known_person,
    body=AccountChanges,
    answers=AccountShown,
    refuses=(OwnAccount,),
)
async def change_person(request: Request, wanted: AccountChanges) -> AccountShown:
    """Give somebody another role, close their account or open it again."""
    user_id = path_id(request, "user_id")
    if user_id == request[ACTOR].id:
        raise OwnAccount()
    async with request.app[DATABASE].work() as work:
        user = await service.user_of(work, user_id)
        require_match(request, _etag(user))
        if wanted.role is not None:
            user = await service.set_role(work, user_id, wanted.role)
        if wanted.disabled is not None:
            user = await (service.disable if wanted.disabled else service.enable)(work, user_id)
    request.app[ACCOUNTS].authenticate.forget(user_id)
    return _account(user)


async def _open(request: Request, user: User, invite: str | None) -> web.Response:
    """Open a sign-in for a proven person, following their invitation in the same transaction."""
    async with request.app[DATABASE].work() as work:
        if invite is not None:
            await registration.accept_invite(work, user.id, invite)
        sign_in = await service.sign_in_directly(work, user.id)
        ended = await browser.make_place(request, work)
    return browser.signed_in(request, user, sign_in, 200, ended)


async def _log_out_by_token(request: Request, everywhere: bool) -> web.Response:
    """Programs without a cookie jar end the sign-in of their access token."""
    if hdrs.AUTHORIZATION in request.headers:
        actor = await authenticated(request)
        async with request.app[DATABASE].work() as work:
            await service.end_sign_ins(work, actor.id, "logout", only=None if everywhere else actor.sign_in_id)
        request.app[ACCOUNTS].authenticate.forget(actor.id)
    elif everywhere:
        raise Unauthenticated()
    return web.Response(status=204)


def _require_good_password(password: str, pointer: str, email: str, name: str) -> None:
    if fault := password_fault(password, email=email, name=name):
        raise Invalid(errors=[{"pointer": pointer, "detail": fault}])


def _address(request: Request) -> str:
    return request.app[ORIGINS].client_address(request)


def _etag(user: User) -> str:
    return etag_of("user", user.id, user.updated_at)


def _shown(user: User) -> UserShown:
    shown = UserShown.model_validate(user)
    shown._etag = _etag(user)
    return shown


def _account(user: User) -> AccountShown:
    shown = AccountShown(**UserShown.model_validate(user).model_dump(), disabled=user.disabled_at is not None)
    shown._etag = _etag(user)
    return shown
