"""Every way Lectern says no, drawn as a tree; each error is a kind, a stable code and a sentence to act on.

    LecternError
    ├── Invalid (400) ─ Malformed
    ├── Unauthenticated (401) ─ TokenExpired, WrongCredentials
    ├── Forbidden (403) ─ ExpertOnly, NotCourseInstructor, NotEnrolled, PremiumRequired, NotAllowed, ...
    ├── Missing (404)
    ├── Conflict (409) ─ InvalidStatus, AlreadyLive, SessionNotLive, ...
    ├── TooLarge (413) · TypeNotAllowed (415) · ContentMismatch (422) · RateLimited (429)
    └── Away (503) · NoRoom (507)

Areas add their own beside their services by subclassing these. Transports translate once: REST by STATUS, sockets
by putting the same problem object under `error`.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Any, ClassVar


class Kind(Enum):
    """What sort of refusal this is; one table per transport gives it a status."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    METHOD = "method"
    CONFLICT = "conflict"
    LENGTH = "length"
    PRECONDITION = "precondition"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    MISMATCH = "mismatch"
    CHECKSUM = "checksum"
    LIMITED = "limited"
    INTERNAL = "internal"
    AWAY = "away"
    NO_ROOM = "no_room"


STATUS: dict[Kind, int] = {
    Kind.INVALID: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.MISSING: 404,
    Kind.METHOD: 405,
    Kind.CONFLICT: 409,
    Kind.LENGTH: 411,
    Kind.PRECONDITION: 412,
    Kind.TOO_LARGE: 413,
    Kind.UNSUPPORTED: 415,
    Kind.MISMATCH: 422,
    Kind.CHECKSUM: 460,  # tus 1.0, checksum extension
    Kind.LIMITED: 429,
    Kind.INTERNAL: 500,
    Kind.AWAY: 503,
    Kind.NO_ROOM: 507,
}


class LecternError(Exception):
    """A refusal a person can act on.

    `detail` is the sentence; `extra` are further members of the problem object (limits, allowed lists, ids).
    """

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "invalid"
    sentence: ClassVar[str] = "The request cannot be carried out as sent."

    def __init__(self, detail: str | None = None, **extra: Any) -> None:
        self.detail = detail or self.sentence
        self.extra = extra
        super().__init__(self.detail)

    @property
    def status(self) -> int:
        return STATUS[self.kind]


class Invalid(LecternError):
    """Values that cannot be used; `errors` is a list of {pointer, detail} (RFC 6901 pointers)."""

    kind, code, sentence = Kind.INVALID, "invalid", "Some values cannot be used; see errors."

    def __init__(self, detail: str | None = None, *, errors: list[dict[str, str]] | None = None, **extra: Any) -> None:
        if errors:
            extra["errors"] = errors
            detail = detail or _sentence(errors)
        super().__init__(detail, **extra)


def _sentence(errors: list[dict[str, str]]) -> str:
    """The first three in one line: "title is missing; limit needs a whole number."."""
    named = ((e["pointer"].lstrip("/").replace("/", ".") or "The body", e["detail"]) for e in errors[:3])
    return "; ".join(f"{name} {detail}" for name, detail in named) + "."


class Malformed(LecternError):
    kind, code, sentence = Kind.INVALID, "malformed", "The request could not be parsed."


class Stalled(Malformed):
    code, sentence = "stalled", "The rest of the body did not come within 30 seconds."


class Unauthenticated(LecternError):
    kind, code, sentence = Kind.UNAUTHENTICATED, "unauthenticated", "Sign in first."


class TokenExpired(Unauthenticated):
    code, sentence = "token_expired", "The access token has run out; refresh it and try again."


class WrongCredentials(Unauthenticated):
    code, sentence = "wrong_credentials", "The e-mail address or the password is not right."


class Forbidden(LecternError):
    kind, code, sentence = Kind.FORBIDDEN, "forbidden", "You may not do this."


class NotAllowed(Forbidden):
    code, sentence = "not_allowed", "Your role does not allow this."


class ExpertOnly(Forbidden):
    code, sentence = "expert_only", "Only instructors may do this."


class AdminOnly(Forbidden):
    code, sentence = "admin_only", "Only administrators may do this."


class NotCourseInstructor(Forbidden):
    code, sentence = "not_course_instructor", "Only the instructor of this course may do this."


class NotEnrolled(Forbidden):
    code, sentence = "not_enrolled", "Enroll in the course first."


class PremiumRequired(Forbidden):
    code, sentence = "premium_required", "This lesson is for premium students of the course."


class OriginNotAllowed(Forbidden):
    code, sentence = "origin_not_allowed", "This site may not call Lectern."


class Missing(LecternError):
    kind, code, sentence = Kind.MISSING, "not_found", "There is nothing here."


class MethodNotAllowed(LecternError):
    kind, code, sentence = Kind.METHOD, "method_not_allowed", "This address does not take that method."


class Conflict(LecternError):
    kind, code, sentence = Kind.CONFLICT, "conflict", "That does not fit the present state."


class PreconditionFailed(LecternError):
    kind, code = Kind.PRECONDITION, "precondition_failed"
    sentence = "It has changed since you read it; read it again and repeat."


class LengthRequired(LecternError):
    kind, code, sentence = Kind.LENGTH, "length_required", "Send the length of the body."


class TooLarge(LecternError):
    kind, code, sentence = Kind.TOO_LARGE, "too_large", "That is larger than allowed."


class TypeNotAllowed(LecternError):
    kind, code, sentence = Kind.UNSUPPORTED, "type_not_allowed", "That type is not accepted here."


class ContentMismatch(LecternError):
    kind, code, sentence = Kind.MISMATCH, "content_mismatch", "The bytes are not what they claim to be."


class RateLimited(LecternError):
    """Too much at once; `retry_after` is in seconds."""

    kind, code, sentence = Kind.LIMITED, "rate_limited", "Too many requests; wait a moment and try again."

    def __init__(self, retry_after: float, detail: str | None = None, **extra: Any) -> None:
        self.retry_after = retry_after
        super().__init__(detail, retry_after=math.ceil(round(retry_after * 1000, 6)) / 1000, **extra)


class Internal(LecternError):
    kind, code = Kind.INTERNAL, "internal"
    sentence = "Something went wrong on our side; it has been logged. Try again."


class Away(LecternError):
    """A part we need does not answer now; the same request may be sent again."""

    kind, code, sentence = Kind.AWAY, "away", "A part of the service does not answer right now; try again shortly."


class DatabaseAway(Away):
    code, sentence = "database_away", "The database does not answer right now; try again shortly."


class OutcomeUnknown(Away):
    code, sentence = "outcome_unknown", "It is not known whether that was saved; send it again with the same id."


class Draining(Away):
    code, sentence = "draining", "This server is closing; connect again shortly."


class MediaAway(Away):
    code, sentence = "media_away", "The media server does not answer right now; try again shortly."


class NoRoom(LecternError):
    kind, code, sentence = Kind.NO_ROOM, "no_room", "There is no room left on the server's disk."
