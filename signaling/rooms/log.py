"""The stored timeline: read pages of it, find a repeated wish, append."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import cast, null, or_, select, union_all

from server.accounts.tables import User
from server.db.base import Json
from server.db.bulk import BulkInsert
from server.db.database import Reading, Work
from server.live_sessions.tables import LiveSession, LiveSessionEvent, PollAnswer, QuestionVote
from signaling.rooms import keeping
from signaling.rooms.evolve import evolve_all
from signaling.rooms.state import Room, TimelineEvent

PAGE = 1000  # events read at a time when a room is rebuilt
CHANGE_TYPES = ("chat_edited", "chat_deleted", "chat_reacted")
LINE_TYPES = ("chat_posted", *CHANGE_TYPES)

_EVENTS = LiveSessionEvent.metadata.tables[LiveSessionEvent.__tablename__]
_INSERT = BulkInsert(_EVENTS, [column.name for column in _EVENTS.c])
_COLUMNS = (
    LiveSessionEvent.seq,
    LiveSessionEvent.at,
    LiveSessionEvent.type,
    LiveSessionEvent.actor_id,
    LiveSessionEvent.client_id,
    LiveSessionEvent.payload,
)


@dataclass(frozen=True, slots=True)
class Stored:
    """What a wish was answered when it was first carried out."""

    seq: int
    at: datetime
    extra: dict[str, Any]


async def events_after(read: Reading, live_session_id: int, after: int, limit: int) -> list[TimelineEvent]:
    """Up to `limit` events later than `after`, in order, without a gap."""
    query = (
        select(*_COLUMNS)
        .where(LiveSessionEvent.live_session_id == live_session_id, LiveSessionEvent.seq > after)
        .order_by(LiveSessionEvent.seq)
        .limit(limit)
    )
    return [TimelineEvent(*row) for row in await read.execute(query)]


async def line_events(
    read: Reading, live_session_id: int, line: int, types: Sequence[str] = LINE_TYPES
) -> list[TimelineEvent]:
    """Everything that happened to one chat line, in order."""
    query = select(*_COLUMNS).where(
        LiveSessionEvent.live_session_id == live_session_id,
        LiveSessionEvent.type.in_(types),
        or_(LiveSessionEvent.seq == line, LiveSessionEvent.line_seq == line),
    )
    return [TimelineEvent(*row) for row in await read.execute(query.order_by(LiveSessionEvent.seq))]


async def is_line(read: Reading, live_session_id: int, seq: int) -> bool:
    """Whether this event is the posting of a chat line."""
    query = select(LiveSessionEvent.seq).filter_by(live_session_id=live_session_id, seq=seq, type="chat_posted")
    return await read.scalar(query) is not None


async def answer_to(read: Reading, live_session_id: int, actor_id: int, client_id: str) -> Stored | None:
    """The stored answer to a wish that was carried out before, be it an event or private."""
    given = {"live_session_id": live_session_id, "client_id": client_id}
    told = select(LiveSessionEvent.seq, LiveSessionEvent.at, LiveSessionEvent.answer)
    answered = select(PollAnswer.seq, PollAnswer.at, cast(null(), Json))
    voted = select(QuestionVote.seq, QuestionVote.at, cast(null(), Json))
    query = union_all(
        told.filter_by(actor_id=actor_id, **given),
        answered.filter_by(user_id=actor_id, **given),
        voted.filter_by(user_id=actor_id, **given),
    )
    # Rooms' rows wait: what they hold is not asked for here, and they are written once a transaction, not once a wish.
    with read.session.no_autoflush:
        row = (await read.execute(query)).first()
    return Stored(row[0], row[1], dict(row[2] or {})) if row is not None else None


async def append(
    work: Work, live_session_id: int, events: Sequence[TimelineEvent], extra: dict[str, Any] | None
) -> None:
    """Write numbered events; the first one keeps what the acknowledgement adds."""
    rows = [_row(live_session_id, event, extra if index == 0 else None) for index, event in enumerate(events)]
    await _INSERT.run(work, rows)


async def append_joined(work: Work, joined: Mapping[int, Sequence[TimelineEvent]]) -> None:
    """Write numbered events of several live sessions."""
    rows = [_row(live_session_id, event, None) for live_session_id, events in joined.items() for event in events]
    await _INSERT.run(work, rows)


def _row(live_session_id: int, event: TimelineEvent, extra: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "live_session_id": live_session_id,
        "seq": event.seq,
        "at": event.at,
        "type": event.type,
        "actor_id": event.actor_id,
        "client_id": event.client_id,
        "payload": dict(event.payload),
        "answer": extra or None,
        "line_seq": event.payload["seq"] if event.type in CHANGE_TYPES else None,
    }


async def empty_room(read: Reading, row: LiveSession) -> Room:
    """The room before its first event."""
    name = await read.scalar(select(User.name).where(User.id == row.host_id))
    status = row.status if row.status in ("scheduled", "cancelled") else "scheduled"
    return Room(row.id, row.host_id, name or "", status, row.max_participants)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A room from the database: with it the last events read, and the position of the kept state it began with."""

    room: Room
    events: list[TimelineEvent]
    kept_seq: int


async def rebuild(read: Reading, row: LiveSession) -> Rebuilt:
    """The room from its kept state and what came after; without one, from its whole log."""
    empty, page = await empty_room(read, row), list[TimelineEvent]()
    room = await keeping.load(read, row, empty) or empty
    kept_seq = room.seq
    while found := await events_after(read, row.id, room.seq, PAGE):
        page = found
        room = evolve_all(room, found)
        if len(found) < PAGE:
            break
    return Rebuilt(room, page, kept_seq)
