"""What room events do to rows, in the transaction that appends them: the session's row, seats, connections, inboxes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, update

from server.db.database import Work
from server.live_sessions import service as live_sessions
from server.live_sessions.tables import LiveSession, LiveSessionRemoval, Participation, RoomConnection
from signaling.rooms.blanking import blank_stored
from signaling.rooms.seating import begin_stays
from signaling.rooms.state import TimelineEvent


@dataclass(frozen=True, slots=True)
class RoomOpened:
    """A session went live: those who waited for it may enter."""

    live_session_id: int


@dataclass(frozen=True, slots=True)
class RoomClosed:
    """A session ended or was cancelled: every connection leaves it."""

    live_session_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class SeatLeft:
    """A person's stay ended; `connection_id` is the one that left by itself, None when all were cut off."""

    live_session_id: int
    user_id: int
    connection_id: str | None


Effect = Callable[[Work, LiveSession, TimelineEvent], Awaitable[dict[str, Any] | None]]


async def started(work: Work, row: LiveSession, event: TimelineEvent) -> dict[str, Any]:
    row.status, row.started_at, row.updated_at, row.empty_since = "live", work.now, work.now, work.now
    notified = await live_sessions.tell_started(work, row)
    await live_sessions.announce_change(work, row)
    work.announce(RoomOpened(row.id))
    return {"notified": notified}


async def ended(work: Work, row: LiveSession, event: TimelineEvent) -> None:
    reason = event.payload["reason"]
    row.status, row.ended_at, row.updated_at, row.end_reason = "ended", work.now, work.now, reason
    await work.execute(
        update(Participation)
        .where(Participation.live_session_id == row.id, Participation.left_at.is_(None))
        .values(left_at=func.coalesce(Participation.last_seen_at, work.now))
    )
    await work.execute(delete(RoomConnection).where(RoomConnection.live_session_id == row.id))
    await live_sessions.announce_change(work, row)
    work.announce(RoomClosed(row.id, reason))


async def joined(work: Work, row: LiveSession, event: TimelineEvent) -> None:
    await begin_stays(work, [(row, [event])])


async def left(work: Work, row: LiveSession, event: TimelineEvent) -> None:
    user_id = event.payload["user_id"]
    await work.execute(
        update(Participation)
        .where(
            Participation.live_session_id == row.id,
            Participation.user_id == user_id,
            Participation.left_at.is_(None),
        )
        .values(left_at=func.coalesce(Participation.last_seen_at, work.now))
    )
    await work.execute(
        delete(RoomConnection).where(RoomConnection.live_session_id == row.id, RoomConnection.user_id == user_id)
    )


async def removed(work: Work, row: LiveSession, event: TimelineEvent) -> None:
    user_id = event.payload["user_id"]
    await work.execute(insert(LiveSessionRemoval).values(live_session_id=row.id, user_id=user_id, removed_at=work.now))


async def text_replaced(work: Work, row: LiveSession, event: TimelineEvent) -> None:
    await blank_stored(work, row.id, event)


EFFECTS: dict[str, Effect] = {
    "session_started": started,
    "session_ended": ended,
    "participant_joined": joined,
    "participant_left": left,
    "participant_removed": removed,
    "chat_edited": text_replaced,
    "chat_deleted": text_replaced,
}


async def apply(work: Work, row: LiveSession, events: Sequence[TimelineEvent]) -> dict[str, Any]:
    """Carry out what `events` mean for rows; returns what the acknowledgement adds."""
    extra: dict[str, Any] = {}
    is_over = any(event.type == "session_ended" for event in events)
    for event in events:
        if is_over and event.type == "participant_left":
            continue  # the end has closed every seat at once
        effect = EFFECTS.get(event.type)
        if effect is not None:
            extra.update(await effect(work, row, event) or {})
    return extra
