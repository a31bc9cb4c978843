"""What makes an address, a password and a refresh token acceptable.

Pure: nothing here awaits or reads a clock, so every rule is tested without a database.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from pathlib import Path

SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1024
LONGEST_EMAIL = 254  # RFC 5321, 4.5.3.1.3
IDLE_LIFE = timedelta(days=14)  # a sign-in not used for this long is over
LONGEST_LIFE = timedelta(days=60)  # and none lives longer than this
SUCCESSION_GRACE = timedelta(seconds=30)  # a second tab, or a client whose answer was lost, may still use the old token
COMMON_PASSWORDS = Path(__file__).with_name("common_passwords.txt")

# Nowhere white space, control characters, lone surrogates or what separates addresses; a dot in the domain.
_PART = r"[^@\s,;:<>()\[\]\\\"\x00-\x20\x7f\ud800-\udfff]"
_EMAIL = re.compile(rf"{_PART}{{1,64}}@{_PART}+\.{_PART}{{2,}}")


def normal_email(given: str) -> str:
    """The address as it is kept and compared: trimmed, composed, lower-case."""
    return unicodedata.normalize("NFC", given.strip()).lower()


def is_email(normal: str) -> bool:
    """Whether a normal address can be one; only a delivered letter proves more."""
    return len(normal) <= LONGEST_EMAIL and _EMAIL.fullmatch(normal) is not None


def normal_password(given: str) -> str:
    """One spelling for the same typed characters on every keyboard (NIST SP 800-63B, 5.1.1.2)."""
    return unicodedata.normalize("NFKC", given)


def password_fault(password: str, *, email: str, name: str) -> str | None:
    """Why a new password is refused, as a sentence; None when it is fine. No rules of composition, on purpose."""
    normal = normal_password(password)
    if len(normal) < SHORTEST_PASSWORD:
        return f"needs at least {SHORTEST_PASSWORD} characters"
    if len(normal) > LONGEST_PASSWORD:
        return f"may have at most {LONGEST_PASSWORD} characters"
    lowered = normal.lower()
    if lowered in (email, email.partition("@")[0], name.strip().lower()):
        return "may not be your name or e-mail address"
    if len(set(lowered)) == 1 or lowered in common_passwords():
        return "is one of the passwords people guess first; choose another"
    return None


@cache
def common_passwords() -> frozenset[str]:
    """The 5,000 most common passwords of at least 8 characters (Royce Williams's list, as shipped with Django)."""
    return frozenset(COMMON_PASSWORDS.read_text(encoding="utf-8").splitlines())


@dataclass(frozen=True, slots=True)
class Held:
    """A refresh token a browser holds, proven to be one of ours."""

    sign_in_id: int
    generation: int


class Judged(Enum):
    """What a refresh token of some generation means for its family."""

    CURRENT = "current"
    PREVIOUS = "previous"
    REUSED = "reused"


def judge(presented: int, generation: int, rotated_at: datetime, now: datetime) -> Judged:
    """Judge a refresh token by its generation.

    The one before the current works for SUCCESSION_GRACE and yields the same successor; any older use means that two
    hold the token. A generation ahead of ours proves that the database was restored: it goes on from there.
    """
    if presented >= generation:
        return Judged.CURRENT
    if presented == generation - 1 and now - rotated_at <= SUCCESSION_GRACE:
        return Judged.PREVIOUS
    return Judged.REUSED


def expiry(created_at: datetime, now: datetime) -> datetime:
    """When a sign-in used now runs out."""
    return min(now + IDLE_LIFE, created_at + LONGEST_LIFE)
