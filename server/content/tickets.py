"""Signed, short-lived passes for the bytes of one thing, so that <video> and <img> need no header.

A ticket names what it opens, for whom, under which revision of the enrollment, and until when. It is not the
permission itself: whoever serves the bytes still asks whether the person may have them now. Pure: no clock, no I/O.
Tickets survive restarts because their key is derived from the secret key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from server.errors import Unauthenticated

SHORTEST = timedelta(hours=1)
# Expiries fall on these marks, so that a lesson listed twice has one address and the browser's cache is of use.
MARK = timedelta(minutes=30)
SIGNATURE_BYTES = 16
OPEN_REVISION = 0  # for those who need no enrollment: the instructor, anyone for a free lesson or a preview
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_LONGEST = 120


class TicketInvalid(Unauthenticated):
    code, sentence = "ticket_invalid", "This address was not made for that; ask for a new one."


class TicketExpired(Unauthenticated):
    code, sentence = "ticket_expired", "This address has run out; ask for a new one."


@dataclass(frozen=True, slots=True)
class Subject:
    """What a ticket opens: a kind ("content", "courses"), an id, and the variant of its bytes.

    Variants are "file", "thumbnail" and "seek".
    """

    kind: str
    id: int
    variant: str


@dataclass(frozen=True, slots=True)
class Ticket:
    user_id: int
    revision: int
    expires_at: datetime


class Tickets:
    """Makes and checks tickets under one key."""

    def __init__(self, secret_key: str) -> None:
        self._key = hmac.digest(secret_key.encode(), b"lectern media tickets, 1", "sha256")

    def sign(self, subject: Subject, user_id: int, revision: int, expires_at: datetime) -> str:
        """The value of `t` for this person and thing."""
        fields = [_to_base36(n) for n in (user_id, revision, int(expires_at.timestamp()))]
        return ".".join([*fields, self._signature(subject, fields)])

    def check(self, subject: Subject, given: str, now: datetime) -> Ticket:
        """Read a ticket made for `subject`. Raises TicketInvalid, TicketExpired."""
        parts = given.split(".") if len(given) <= _LONGEST and given.isascii() else []
        if len(parts) != 4 or not hmac.compare_digest(parts[3], self._signature(subject, parts[:3])):
            raise TicketInvalid()
        user_id, revision, expiry = (int(part, 36) for part in parts[:3])
        expires_at = datetime.fromtimestamp(expiry, UTC)
        if expires_at <= now:
            raise TicketExpired()
        return Ticket(user_id, revision, expires_at)

    def _signature(self, subject: Subject, fields: list[str]) -> str:
        text = "|".join([subject.kind, str(subject.id), subject.variant, *fields])
        digest = hmac.digest(self._key, text.encode(), hashlib.sha256)[:SIGNATURE_BYTES]
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def expiry_from(now: datetime) -> datetime:
    """When a ticket made now runs out: at least an hour ahead, at a mark shared by all tickets of that half hour."""
    marks = -((now + SHORTEST).timestamp() // -MARK.total_seconds())
    return datetime.fromtimestamp(marks * MARK.total_seconds(), UTC)


def _to_base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
