"""A room's state kept beside its log, so that a long class is read quickly: the kept state, then later events.

No chat text is in it: lines are kept without their words, which are read from the log, where edits and deletions have
been blanked. What somebody took back is therefore never here, and nothing here has to be rewritten.
A state that is of another epoch, of another shape, ahead of the log or unreadable is ignored; the log is the truth.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Protocol

import structlog
from sqlalchemy import or_, select
from sqlalchemy.dialects import postgresql, sqlite

from server.db.database import Database, Reading, Work
from server.live_sessions.tables import LiveSession, LiveSessionEvent, LiveSessionState
from signaling.rooms.state import Line, Participant, Poll, Question, Room, person

SHAPE = 1  # of the state's JSON and of what evolve() makes of events; a change of either wants the next number
EVERY = 250  # events after which a room's state is kept anew; about as many are read when it is needed
log = structlog.get_logger(__name__)


class Told(Protocol):
    """A room as told so far: committed. `kept_seq` is moved on when its state is to be kept."""

    epoch: str
    room: Room
    kept_seq: int


class States:
    """Keeps the states of rooms, one after the other, after their commits and beside them: nobody waits for it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._due: dict[int, Told] = {}  # at most the rooms in memory, each once
        self._task: asyncio.Task[None] | None = None

    def keep(self, told: Told) -> None:
        """Soon, as it is then. When that fails, the next EVERY events bring another try."""
        told.kept_seq = told.room.seq
        self._due[told.room.live_session_id] = told
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Finish what is due."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while self._due:
                told = self._due.pop(next(iter(self._due)))
                try:
                    async with self._database.work("keep room") as work:
                        await store(work, told.epoch, told.room)
                except Exception as error:
                    # What was committed is in the log whatever happens here.
                    log.warning("room not kept", live_session_id=told.room.live_session_id, reason=repr(error)[:200])
        finally:
            self._task = None


async def load(read: Reading, row: LiveSession, empty: Room) -> Room | None:
    """The room as it was kept, on top of `empty`; None when the log must be read from its start."""
    query = select(LiveSessionState.seq, LiveSessionState.state).filter_by(
        live_session_id=row.id, epoch=row.epoch, shape=SHAPE
    )
    found = (await read.execute(query.where(LiveSessionState.seq <= row.last_seq))).first()
    if found is None:
        return None
    try:
        room = from_json(empty, found.seq, json.loads(found.state))
    except (ValueError, KeyError, TypeError) as error:
        log.warning("kept room not understood", live_session_id=row.id, reason=str(error)[:200])
        return None
    return await _with_words(read, room)


async def store(work: Work, epoch: str, room: Room) -> None:
    """Keep `room`, which is committed, unless a later state of it is kept already."""
    insert = sqlite.insert if work.is_sqlite else postgresql.insert
    given = {"epoch": epoch, "seq": room.seq, "shape": SHAPE, "state": to_json(room)}
    kept = LiveSessionState
    made = insert(kept).values(live_session_id=room.live_session_id, **given)
    is_older = or_(kept.seq < room.seq, kept.epoch != epoch, kept.shape != SHAPE)
    await work.execute(made.on_conflict_do_update(index_elements=["live_session_id"], set_=given, where=is_older))


def to_json(room: Room) -> str:
    """Everything that events made of a room, but for the words of its lines."""
    state = {
        "status": room.status,
        "participants": [person(participant) for participant in room.participants.values()],
        "hands": room.hands,
        "floor": room.floor,
        "muted": room.muted,
        "removed": room.removed,
        "policy": dict(room.policy),
        "polls": [asdict(poll) for poll in room.polls],
        "questions": [{**asdict(question), "at": question.at.isoformat()} for question in room.questions],
        "tracks": room.tracks,
        "lines": [_line_kept(line) for line in room.lines],
        "earlier": room.earlier,
    }
    return json.dumps(state, separators=(",", ":"))


def from_json(empty: Room, seq: int, state: Mapping[str, Any]) -> Room:
    """The room again; its lines are without words. Raises ValueError, KeyError, TypeError."""
    return replace(
        empty,
        seq=seq,
        status=state["status"],
        participants={one["user_id"]: Participant(**one) for one in state["participants"]},
        hands=tuple(state["hands"]),
        floor=tuple(state["floor"]),
        muted=tuple((user_id, tuple(sources)) for user_id, sources in state["muted"]),
        removed=tuple(state["removed"]),
        policy=state["policy"],
        polls=tuple(_poll(one) for one in state["polls"]),
        questions=tuple(Question(**{**one, "at": _time(one["at"])}) for one in state["questions"]),
        tracks=tuple((user_id, source) for user_id, source in state["tracks"]),
        lines=tuple(_line(one) for one in state["lines"]),
        earlier=state["earlier"],
    )


def _line_kept(line: Line) -> dict[str, Any]:
    return {
        "seq": line.seq,
        "at": line.at.isoformat(),
        "actor_id": line.actor_id,
        "client_id": line.client_id,
        "edited_at": line.edited_at.isoformat() if line.edited_at else None,
        "deleted": line.deleted,
        "reactions": dict(line.reactions),
    }


def _line(kept: Mapping[str, Any]) -> Line:
    edited_at = _time(kept["edited_at"]) if kept["edited_at"] else None
    reactions = {emoji: tuple(people) for emoji, people in kept["reactions"].items()}
    given = {**kept, "at": _time(kept["at"]), "edited_at": edited_at, "reactions": reactions}
    return Line(text=None, reply_to=None, **given)


def _poll(kept: Mapping[str, Any]) -> Poll:
    tally = tuple(kept["tally"]) if kept["tally"] is not None else None
    return Poll(**{**kept, "options": tuple(kept["options"]), "tally": tally})


def _time(shown: str) -> datetime:
    return datetime.fromisoformat(shown)


async def _with_words(read: Reading, room: Room) -> Room:
    """The lines with what the log says in them now. One deleted since is deleted at once."""
    event = LiveSessionEvent
    query = select(event.seq, event.payload).where(
        event.live_session_id == room.live_session_id, event.seq.in_([line.seq for line in room.lines])
    )
    words = {row.seq: row.payload for row in await read.execute(query)} if room.lines else {}
    return replace(room, lines=tuple(_worded(line, words.get(line.seq, {"deleted": True})) for line in room.lines))


def _worded(line: Line, payload: Mapping[str, Any]) -> Line:
    if payload.get("deleted") is True:
        return replace(line, deleted=True, edited_at=None, reactions={})
    return replace(line, text=payload["text"], reply_to=payload.get("reply_to"))
