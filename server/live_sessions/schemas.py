"""Live sessions as they cross the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from server.live_sessions.rules import LONGEST_MINUTES, MOST_PARTICIPANTS
from server.wire import Id, LongText, Moment, Number, Title, Wire

Status = Literal["scheduled", "live", "ended", "cancelled"]
Minutes = Annotated[int, Field(ge=1, le=LONGEST_MINUTES), Number]
Seats = Annotated[int, Field(ge=1, le=MOST_PARTICIPANTS), Number]


class NewLiveSession(Wire):
    course_id: Id | None = None
    title: Title
    description: LongText = ""
    scheduled_at: Moment | None = None
    duration_minutes: Minutes | None = None
    max_participants: Seats | None = None
    start_now: bool = False


class LiveSessionChange(Wire):
    title: Title | None = None
    description: LongText | None = None
    scheduled_at: Moment | None = None
    duration_minutes: Minutes | None = None
    max_participants: Seats | None = None


class HostShown(Wire):
    id: int
    name: str


class LiveSessionShown(Wire):
    """`participant_count`: who is in now while live, who attended once ended."""

    id: int
    course_id: int | None
    course_title: str | None
    title: str
    description: str
    status: Status
    scheduled_at: Moment | None
    duration_minutes: int | None
    started_at: Moment | None
    ended_at: Moment | None
    host: HostShown
    participant_count: int
    invited_count: int
    max_participants: int | None
    join_url: str
    my_role: Literal["instructor", "student", "guest"] | None


class LiveSessionStarted(LiveSessionShown):
    """`notified`: enrolled students told, connected or not."""

    notified: int


class MineAsked(Wire):
    status: Status | None = None


class AttendanceAsked(Wire):
    format: Literal["json", "csv"] = "json"


class TimelineAsked(Wire):
    after: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0


class TimelineEventShown(Wire):
    seq: int
    at: Moment
    type: str
    actor_id: int | None
    client_id: str | None
    payload: dict[str, Any]


class PersonShown(Wire):
    id: int
    name: str
    avatar_url: str | None


class ParticipantShown(Wire):
    """One row of the roster as the room has it now."""

    user: PersonShown
    role: Literal["instructor", "student", "guest"]
    online: bool
    in_room: bool
    joined_at: Moment | None


class IntervalShown(Wire):
    joined_at: Moment
    left_at: Moment | None


class AttendanceShown(Wire):
    user: PersonShown
    intervals: list[IntervalShown]
    total_seconds: float
    first_joined_at: Moment | None
    last_left_at: Moment | None
