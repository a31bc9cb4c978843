"""The refresh cookies of one browser: `lectern_refresh_<sign-in id>`, so that several people can use its tabs."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from server.accounts.rules import Held
from server.accounts.tokens import Tokens
from server.http.middleware import ORIGINS
from server.settings import Settings
from server.wire import MAXIMUM_ID

PREFIX = "lectern_refresh_"
MOST_SIGN_INS = 8  # in one browser; the next sign-in ends the oldest


def held_by(request: web.BaseRequest, tokens: Tokens) -> list[Held]:
    """The browser's genuine refresh tokens, oldest sign-in first; anything else under our names is passed over."""
    found = []
    for name, value in request.cookies.items():
        number = name.removeprefix(PREFIX)
        if number == name or not number.isascii() or not number.isdigit() or len(number) > 19:
            continue
        sign_in_id = int(number)
        if sign_in_id > MAXIMUM_ID or str(sign_in_id) != number:
            continue
        generation = tokens.read_refresh(sign_in_id, value)
        if generation is not None:
            found.append(Held(sign_in_id, generation))
    return sorted(found, key=lambda held: held.sign_in_id)


class RefreshCookies:
    """Writes them as the contract fixes their attributes."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.api_prefix + "/auth"
        self._is_https = settings.is_https
        self._has_other_sites = bool(settings.allowed_origins)

    def give(self, request: web.Request, response: web.Response, sign_in_id: int, value: str, life: timedelta) -> None:
        """Store a refresh token for as long as its sign-in may live."""
        self._set(request, response, sign_in_id, value, max(1, int(life.total_seconds())))

    def take(self, request: web.Request, response: web.Response, sign_in_id: int) -> None:
        """Let the browser forget it."""
        self._set(request, response, sign_in_id, "", 0)

    def _set(self, request: web.Request, response: web.Response, sign_in_id: int, value: str, seconds: int) -> None:
        # Browsers send cookies of another site only with SameSite=None, and take those only with Secure.
        is_https = self._is_https or request.app[ORIGINS].own_origin(request).startswith("https:")
        response.set_cookie(
            f"{PREFIX}{sign_in_id}",
            value,
            max_age=seconds,
            path=self._path,
            httponly=True,
            secure=is_https or self._has_other_sites,
            samesite="None" if self._has_other_sites else "Strict",
        )
