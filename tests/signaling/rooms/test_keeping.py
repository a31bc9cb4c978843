"""A kept state and the events after it make the same room as the whole log does, and hold nobody's words."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from server.db.database import Database
from server.live_sessions.tables import LiveSession, LiveSessionState
from signaling.rooms import keeping
from signaling.rooms import log as timeline_log
from signaling.rooms.blanking import BLANKS, blank_stored
from signaling.rooms.evolve import evolve
from signaling.rooms.state import Line, Participant, Poll, Question, Room, TimelineEvent
from tests.factories import World
from tests.signaling.rooms.test_twins import RECORDED, _event, _room


async def _log(database: Database, row: LiveSession, events: list[TimelineEvent]) -> tuple[Room, list[Room]]:
    """Write a log as it would have been written; returns the room at the end and after each event."""
    async with database.work("log") as work:
        rooms = [await timeline_log.empty_room(work, row)]
        for event in events:
            rooms.append(evolve(rooms[-1], event))
            if event.type in BLANKS:
                await blank_stored(work, row.id, event)
            await timeline_log.append(work, row.id, [event], None)
        kept = await work.get(LiveSession, row.id)
        assert kept is not None
        kept.last_seq = row.last_seq = events[-1].seq
    return rooms[-1], rooms


async def _rebuilt(database: Database, row: LiveSession) -> timeline_log.Rebuilt:
    async with database.read() as read:
        return await timeline_log.rebuild(read, row)


@pytest.fixture
async def row(world: World) -> LiveSession:
    for number in range(12):
        await world.person(f"person{number}")  # whoever a recorded event names exists
    return await world.live_session(students=["bo"], status="scheduled")


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_from_every_kept_state_the_log_leads_to_the_same_room(
    path: Path, database: Database, row: LiveSession
) -> None:
    recorded = json.loads(path.read_text())
    events = [_event(told) for told in recorded["events"]]
    before = [TimelineEvent(n, events[0].at, "of_old", None, None, {}) for n in range(1, events[0].seq)]
    end, rooms = await _log(database, row, [*before, *events])
    assert (await _rebuilt(database, row)).room == end
    for room in rooms[len(before) :: max(1, len(events) // 40)]:
        async with database.work("keep") as work:
            await keeping.store(work, row.epoch, room)
        rebuilt = await _rebuilt(database, row)
        assert rebuilt.room == end
        assert (rebuilt.kept_seq, len(rebuilt.events)) == (room.seq, end.seq - room.seq)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_everything_but_the_words_of_the_chat_is_kept(path: Path) -> None:
    recorded = json.loads(path.read_text())
    room = replace(_room(recorded["snapshot"], recorded["seq"]), removed=(9,))
    for told in [None, *recorded["events"]]:
        room = evolve(room, _event(told)) if told else room
        kept = keeping.to_json(room)
        wordless = replace(room, lines=tuple(replace(line, text=None, reply_to=None) for line in room.lines))
        empty = Room(room.live_session_id, room.host_id, room.host_name, "scheduled")
        assert keeping.from_json(empty, room.seq, json.loads(kept)) == wordless
        assert not any(json.dumps(line.text) in kept for line in room.lines if line.text)


@pytest.mark.parametrize(
    "change", [{"epoch": "another"}, {"shape": keeping.SHAPE + 1}, {"state": "{"}, {"state": "{}"}, {"seq": 10_000}]
)
async def test_a_state_that_does_not_fit_is_ignored(
    database: Database, row: LiveSession, change: dict[str, Any]
) -> None:
    recorded = json.loads(next(path for path in RECORDED if path.stem == "hands_and_floor").read_text())
    events = [_event(told) for told in recorded["events"]]
    before = [TimelineEvent(n, events[0].at, "of_old", None, None, {}) for n in range(1, events[0].seq)]
    end, rooms = await _log(database, row, [*before, *events])
    async with database.work("keep") as work:
        await keeping.store(work, row.epoch, rooms[-2])
        await work.execute(update(LiveSessionState).values(**change))
    rebuilt = await _rebuilt(database, row)
    assert (rebuilt.room, rebuilt.kept_seq) == (end, 0)
    async with database.work("keep again") as work:
        await keeping.store(work, row.epoch, rooms[-1])
        if "state" not in change and "seq" not in change:
            assert await work.scalar(select(LiveSessionState.seq)) == end.seq


async def test_an_older_state_does_not_replace_a_later_one(database: Database, row: LiveSession) -> None:
    event = TimelineEvent(1, row.created_at, "session_started", None, None, {})
    end, rooms = await _log(database, row, [event])
    async with database.work("keep") as work:
        await keeping.store(work, row.epoch, end)
        await keeping.store(work, row.epoch, rooms[0])
    assert (await _rebuilt(database, row)).kept_seq == 1


def test_the_shape_has_a_new_number_when_the_state_is_another() -> None:
    """What is kept is read by later releases: whoever changes these fields raises keeping.SHAPE, and this list."""
    shape = {
        kind.__name__: " ".join(field.name for field in fields(kind))
        for kind in (Room, Participant, Line, Poll, Question)
    }
    assert (keeping.SHAPE, shape) == (
        1,
        {
            "Room": "live_session_id host_id host_name status max_participants seq participants hands floor muted "
            "removed policy polls questions tracks lines earlier",
            "Participant": "user_id name avatar_url role in_room",
            "Line": "seq at actor_id client_id text reply_to edited_at deleted reactions",
            "Poll": "poll question options multiple hidden open tally",
            "Question": "question actor_id at text votes resolved",
        },
    )
