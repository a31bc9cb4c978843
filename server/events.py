"""Facts worth telling: registered with a unit of work, published after its commit.

A fact carries all its listeners need, so that telling needs no further reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class NotificationsAdded:
    """Inbox rows were written: (user id, the notification as clients see it)."""

    items: tuple[tuple[int, Mapping[str, Any]], ...]


@dataclass(frozen=True, slots=True)
class LiveSessionChanged:
    """A live session of a course was scheduled, changed, started, ended or cancelled; `shown` lacks `my_role`."""

    live_session_id: int
    course_id: int | None
    host_id: int
    shown: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EnrollmentActivated:
    """A student may enter the course from now on (or has another tier)."""

    course_id: int
    user_id: int


@dataclass(frozen=True, slots=True)
class EnrollmentEnded:
    """Left or revoked: rooms, media and tickets of that course end for them."""

    course_id: int
    user_id: int
    is_revoked: bool


@dataclass(frozen=True, slots=True)
class SignInsEnded:
    """These sign-ins are over; an empty set of ids means all of the user's."""

    user_id: int
    sign_in_ids: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class RoleChanged:
    """A person has another role: what they may do is judged anew, on every connection."""

    user_id: int


@dataclass(frozen=True, slots=True)
class Limited:
    """Another process counted something against a limit: a failed sign-in, or a registration. Names no person."""

    window: str
    key: str


@dataclass(frozen=True, slots=True)
class ContentProgressed:
    """Processing moved on: to the uploader's devices."""

    user_id: int
    content_id: int
    course_id: int
    stage: str
    percent: int
    revision: int


@dataclass(frozen=True, slots=True)
class ContentChanged:
    """What a lesson is, whose it is or whether it is there at all has changed: who may have its bytes is asked anew."""

    content_id: int
    course_id: int


@dataclass(frozen=True, slots=True)
class ContentReady:
    user_id: int
    content_id: int
    course_id: int
    revision: int


@dataclass(frozen=True, slots=True)
class ContentFailed:
    user_id: int
    content_id: int
    course_id: int
    code: str
    revision: int
