"""Which live sessions exist when: pure rules of scheduling, starting and attendance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from server.errors import Conflict, Forbidden, Invalid

LIVE, SCHEDULED, ENDED, CANCELLED = "live", "scheduled", "ended", "cancelled"
LONGEST_MINUTES = 24 * 60
MOST_PARTICIPANTS = 10_000


class InvalidStatus(Conflict):
    code, sentence = "invalid_status", "The class is over or cancelled."


class AlreadyLive(Conflict):
    """`live_session_id` names the one that is live."""

    code, sentence = "already_live", "This course has a live class already; end it first."


class RemovedFromSession(Forbidden):
    code, sentence = "removed_from_session", "The instructor removed you from this class."


@dataclass(frozen=True, slots=True)
class Stay:
    """One attendance interval; `left_at` is None while it lasts."""

    joined_at: datetime
    left_at: datetime | None


def require_changeable(status: str) -> None:
    """Raises InvalidStatus for a class that is over."""
    if status in (ENDED, CANCELLED):
        raise InvalidStatus()


def require_future(scheduled_at: datetime | None, now: datetime) -> None:
    """A class is scheduled for later. Raises Invalid."""
    if scheduled_at is not None and scheduled_at <= now:
        raise Invalid(errors=[{"pointer": "/scheduled_at", "detail": "needs a time in the future"}])


def merged(stays: Sequence[Stay], now: datetime) -> list[Stay]:
    """Stays in order of time, overlapping ones made one, so that nobody is counted twice."""
    result: list[Stay] = []
    for stay in sorted(stays, key=lambda s: s.joined_at):
        if result and (result[-1].left_at is None or stay.joined_at <= result[-1].left_at):
            last = result[-1]
            is_open = last.left_at is None or stay.left_at is None
            left_at = None if is_open else max(last.left_at or now, stay.left_at or now)
            result[-1] = Stay(last.joined_at, left_at)
        else:
            result.append(stay)
    return result


def total_seconds(stays: Sequence[Stay], now: datetime) -> float:
    """Seconds spent inside; an open stay counts until `now`."""
    return round(sum(max(0.0, ((s.left_at or now) - s.joined_at).total_seconds()) for s in stays), 3)
