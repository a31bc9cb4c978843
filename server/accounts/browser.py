"""What one browser holds: choosing among its sign-ins, giving it one more, making place for that."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from server.accounts import service
from server.accounts.cookies import MOST_SIGN_INS, held_by
from server.accounts.rules import Held
from server.accounts.schemas import SignedIn, UserShown
from server.accounts.tables import SignIn, User
from server.accounts.wiring import ACCOUNTS
from server.db import Work
from server.errors import Invalid, Unauthenticated
from server.http.keys import DATABASE, REQUEST_ID
from server.http.problems import problem_response


class SignInAmbiguous(Invalid):
    code, sentence = "sign_in_ambiguous", "Several people are signed in here; say which with sign_in_id."


async def chosen(request: web.Request, sign_in_id: int | None) -> Held | None:
    """The sign-in a call is about: the named one or the only one that stands. Raises SignInAmbiguous."""
    held = held_by(request, request.app[ACCOUNTS].tokens)
    if sign_in_id is not None:
        return next((one for one in held if one.sign_in_id == sign_in_id), None)
    if len(held) > 1:
        async with request.app[DATABASE].read() as read:
            standing = await service.standing(read, [one.sign_in_id for one in held])
        held = [one for one in held if one.sign_in_id in standing]
    if len(held) > 1:
        raise SignInAmbiguous(sign_in_ids=[one.sign_in_id for one in held])
    return held[0] if held else None


async def make_place(request: web.Request, work: Work) -> list[int]:
    """End the oldest sign-ins of a browser that holds the most it may; returns whose cookies go."""
    held = held_by(request, request.app[ACCOUNTS].tokens)
    leaving = [one.sign_in_id for one in held[: max(0, len(held) - MOST_SIGN_INS + 1)]]
    for sign_in_id in leaving:
        sign_in = await work.get(SignIn, sign_in_id, for_update=True)
        if sign_in is not None:
            service.end_one(work, sign_in, "displaced")
    return leaving


def signed_in(
    request: web.Request, user: User, sign_in: SignIn, status: int, leaving: Sequence[int] = ()
) -> web.Response:
    """The answer of every sign-in: the person, an access token, and the refresh cookie."""
    accounts, now = request.app[ACCOUNTS], request.app[DATABASE].clock.now()
    body = SignedIn(
        user=UserShown.model_validate(user),
        access_token=accounts.tokens.access(user.id, sign_in.id, now),
        expires_in=accounts.tokens.access_seconds,
        sign_in_id=sign_in.id,
    )
    response = web.Response(
        status=status,
        body=body.model_dump_json().encode(),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
    for sign_in_id in leaving:
        accounts.cookies.take(request, response, sign_in_id)
    value = accounts.tokens.refresh(sign_in.id, sign_in.generation)
    accounts.cookies.give(request, response, sign_in.id, value, sign_in.expires_at - now)
    return response


def refused(request: web.Request, held: Held) -> web.Response:
    """The sign-in is over: say so and let the browser forget its cookie."""
    response = problem_response(Unauthenticated("This sign-in has ended; sign in again."), request[REQUEST_ID])
    request.app[ACCOUNTS].cookies.take(request, response, held.sign_in_id)
    return response
