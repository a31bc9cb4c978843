"""Access tokens (signed, ten minutes) and refresh tokens (derived, so that nothing secret is stored).

An access token is a JWT with one fixed algorithm and a key of its own, derived from the secret (RFC 8725, 3.1 and 3.9).
A refresh token is an HMAC over its sign-in and generation: the row keeps a counter, and asking twice for the successor
gives the same one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt

from server.errors import TokenExpired, Unauthenticated
from server.wire import MAXIMUM_ID

ALGORITHMS = ["HS256"]
ISSUER, AUDIENCE, TYPE = "lectern", "lectern-api", "access"
CLAIMS = ["exp", "iat", "nbf", "iss", "aud", "sub", "jti", "typ", "sid"]
LEEWAY_SECONDS = 2  # between the clocks of our own machines
LONGEST_TOKEN = 2048  # ours have about 350 characters; longer ones are refused unread
REMEMBERED = 4096  # tokens whose signature was checked; when full, all are forgotten and checked again
_CLAIMS = frozenset(CLAIMS)
_REFRESH = re.compile(r"([0-9]{1,18})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a valid access token says; `expires_at` is Unix seconds."""

    user_id: int
    sign_in_id: int
    expires_at: int


class Tokens:
    """Makes and reads both kinds for one secret."""

    def __init__(self, secret: str, access_seconds: int) -> None:
        self.access_seconds = access_seconds
        self._access_key = derived_key(secret, "access-token")
        self._signed: dict[bytes, tuple[AccessClaims, int]] = {}  # by digest: claims, and when they begin to hold
        self._refresh_key = derived_key(secret, "refresh-token")

    def access(self, user_id: int, sign_in_id: int, now: datetime) -> str:
        """A new access token, valid from `now` for `access_seconds`."""
        at = int(now.timestamp())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "typ": TYPE,
            "sub": str(user_id),
            "sid": sign_in_id,
            "jti": secrets.token_urlsafe(12),
            "iat": at,
            "nbf": at,
            "exp": at + self.access_seconds,
        }
        return jwt.encode(claims, self._access_key, algorithm=ALGORITHMS[0])

    def read_access(self, token: str, now: datetime) -> AccessClaims:
        """What `token` says, if we signed it for this purpose. Raises Unauthenticated, TokenExpired."""
        if len(token) > LONGEST_TOKEN or not token.isascii():
            raise Unauthenticated()
        digest = hashlib.sha256(token.encode()).digest()
        if (signed := self._signed.get(digest)) is None:
            signed = self._checked(token)
            if len(self._signed) >= REMEMBERED:
                self._signed.clear()
            self._signed[digest] = signed
        claims, holds_from = signed
        at = now.timestamp()
        if claims.expires_at + LEEWAY_SECONDS <= at:
            self._signed.pop(digest, None)
            raise TokenExpired()
        if holds_from > at + LEEWAY_SECONDS:
            raise Unauthenticated()
        return claims

    def _checked(self, token: str) -> tuple[AccessClaims, int]:
        """What only its signature and shape decide, whatever the time is."""
        try:
            # The times are checked above, against the clock everything else uses.
            claims = self._as_made(token) or jwt.decode(
                token,
                self._access_key,
                algorithms=ALGORITHMS,
                audience=AUDIENCE,
                issuer=ISSUER,
                options={
                    "require": CLAIMS,
                    "strict_aud": True,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
            user_id, sign_in_id = int(claims["sub"]), claims["sid"]
            times = claims["exp"], claims["nbf"], claims["iat"]
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise Unauthenticated() from error
        if claims["typ"] != TYPE or set(map(type, (sign_in_id, *times))) != {int}:
            raise Unauthenticated()
        if not (1 <= user_id <= MAXIMUM_ID and 1 <= sign_in_id <= MAXIMUM_ID):
            raise Unauthenticated()
        return AccessClaims(user_id, sign_in_id, times[0]), max(times[1], times[2])

    def _as_made(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that is to the byte as access() makes them; any other is left to the library.

        A class that begins is a thousand new tokens, and the library's way through its options costs four times this.
        """
        signed, _, signature = token.rpartition(".")
        header, _, body = signed.partition(".")
        if header != _HEADER or "." in body:
            return None
        if not hmac.compare_digest(_text(hmac.digest(self._access_key, signed.encode(), hashlib.sha256)), signature):
            return None
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        is_ours = claims.keys() == _CLAIMS and claims["iss"] == ISSUER and claims["aud"] == AUDIENCE
        return claims if is_ours and type(claims["sub"]) is str and type(claims["jti"]) is str else None

    def refresh(self, sign_in_id: int, generation: int) -> str:
        """The refresh token of one generation of a sign-in: `<generation>.<256 bit>`."""
        signed = hmac.digest(self._refresh_key, f"{sign_in_id}.{generation}".encode(), hashlib.sha256)
        return f"{generation}.{_text(signed)}"

    def read_refresh(self, sign_in_id: int, token: str) -> int | None:
        """The generation of a refresh token we made for this sign-in, else None."""
        match = _REFRESH.fullmatch(token)
        if match is None or not token.isascii():
            return None
        generation = int(match[1])
        return generation if hmac.compare_digest(self.refresh(sign_in_id, generation), token) else None

    @property
    def access_life(self) -> timedelta:
        return timedelta(seconds=self.access_seconds)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


_HEADER = _text(b'{"alg":"HS256","typ":"JWT"}')


def derived_key(secret: str, purpose: str) -> bytes:
    """A 256 bit key for one purpose, so that no token can pass for another kind."""
    return hmac.digest(secret.encode(), f"lectern/{purpose}".encode(), hashlib.sha256)


def token_hash(token: str) -> str:
    """What is stored of a one-time token: SHA-256, as hexadecimal."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
