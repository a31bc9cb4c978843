"""What changes a room, as REST, jobs and sockets all say it; the port Rooms.perform carries them out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StartLiveSession:
    """Scheduled becomes live; adds {"notified": int}, 0 when it is live already."""

    live_session_id: int
    actor_id: int
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class EndLiveSession:
    """Live becomes ended, everybody leaves; changes nothing when it has ended. `reason` is ended or empty.

    `known`: the polls that are open, each with how often its options were chosen; filled in where it is carried out.
    """

    live_session_id: int
    actor_id: int | None
    client_id: str | None = None
    reason: str = "ended"
    known: tuple[tuple[int, tuple[int, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class CancelLiveSession:
    """A scheduled session will not take place."""

    live_session_id: int
    actor_id: int


@dataclass(frozen=True, slots=True)
class CutOff:
    """A person lost their place in the course: they leave every live room of it, now."""

    course_id: int
    user_id: int
