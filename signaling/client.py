"""One connected tab: who it is, which rooms it is in, what it may still send."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from enum import Enum

from server.access import Actor, Role
from server.settings import Settings
from signaling.limits import Bucket, Strikes
from signaling.transport import Connection


class Phase(Enum):
    """Where a tab stands towards a room."""

    WAITING = "waiting"  # it is not live yet; the tab is told when it is
    CATCHING_UP = "catching_up"  # reading what it missed; live events begin after the last page
    LIVE = "live"


@dataclass(slots=True)
class Place:
    """A tab's place in one room."""

    role: Role
    phase: Phase
    course_id: int | None
    audience: str = ""  # the room of the transport it is in for that
    has_roster: bool = False  # it was shown who belongs to the class, and is told what changes there


@dataclass(slots=True)
class Client:
    """Kept in Connection.state."""

    connection: Connection
    actor: Actor
    events: Bucket
    signaling: Bucket
    strikes: Strikes
    courses: dict[int, Role] = field(default_factory=dict)
    course_changes: int = 0  # enrollments of this person that began or ended since it came
    places: dict[int, Place] = field(default_factory=dict)
    expiry: asyncio.TimerHandle | None = None

    @classmethod
    def of(cls, connection: Connection, actor: Actor, settings: Settings) -> Client:
        clock = time.monotonic
        return cls(
            connection,
            actor,
            events=Bucket(settings.limit_events_per_second, settings.limit_events_burst, clock),
            signaling=Bucket(settings.limit_signaling_per_second, 2 * settings.limit_signaling_per_second, clock),
            strikes=Strikes(clock),
        )


def user_room(user_id: int) -> str:
    """All tabs of one person."""
    return f"user:{user_id}"


def course_room(course_id: int, role: Role) -> str:
    """All tabs of a course's instructor, or of its students."""
    return f"course:{course_id}:{'instructor' if role is Role.INSTRUCTOR else 'student'}"


def live_room(live_session_id: int) -> str:
    """All tabs that are in a room and up to date."""
    return f"room:{live_session_id}"


def waiting_room(live_session_id: int) -> str:
    """All tabs waiting for a class to begin."""
    return f"waiting:{live_session_id}"


def room_of(phase: Phase, live_session_id: int) -> str:
    """All tabs that stand so towards a room."""
    if phase is Phase.LIVE:
        return live_room(live_session_id)
    return waiting_room(live_session_id) if phase is Phase.WAITING else entering_room(live_session_id)


def entering_room(live_session_id: int) -> str:
    """All tabs still reading what they missed."""
    return f"entering:{live_session_id}"
