"""Rooms in memory are never behind the log for longer than a reading takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from server.db.database import Database, Reading
from signaling.rooms import log as timeline_log
from signaling.rooms.registry import Entry, Registry
from signaling.rooms.state import TimelineEvent
from tests.factories import World


async def test_what_is_told_while_a_room_is_being_read_is_not_missed(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first to come has the log read; what others write meanwhile is told to nobody, and must follow by itself."""
    row = await world.live_session(students=["bo"])
    told: list[int] = []
    registry = Registry(database, lambda room, epoch, events, *_: told.extend(e.seq for e in events), lambda room: True)
    read = registry._read

    async def overtaken(reading: Reading, live_session_id: int) -> Entry:
        made = await read(reading, live_session_id)
        line = TimelineEvent(
            made.room.seq + 1, reading.now, "chat_posted", world.id_of("bo"), None, {"text": "hello", "reply_to": None}
        )
        async with database.work("line") as work:
            await timeline_log.append(work, live_session_id, [line], None)
        registry.advance(live_session_id, row.epoch, [line])
        return made

    monkeypatch.setattr(registry, "_read", overtaken)
    entry = await registry.entry(row.id)
    position = entry.room.seq
    await _until(lambda: bool(told))
    assert told == [position + 1] == [entry.room.seq]
    await registry.close()


async def test_what_is_missing_while_a_room_is_being_healed_is_not_missed_either(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is read because a bell was lost; while it is, another is, and a third shows that: one reading more."""
    row = await world.live_session(students=["bo"])
    told: list[int] = []
    registry = Registry(database, lambda room, epoch, events, *_: told.extend(e.seq for e in events), lambda room: True)
    position = (await registry.entry(row.id)).room.seq
    lines = [await _line(database, world, row.id, position + 1)]
    read = timeline_log.events_after

    async def overtaken(reading: Reading, live_session_id: int, *rest: int) -> list[TimelineEvent]:
        found = await read(reading, live_session_id, *rest)
        if len(lines) == 1:
            lines.extend([await _line(database, world, row.id, position + more) for more in (2, 3)])
            registry.advance(live_session_id, row.epoch, lines[-1:])
        return found

    monkeypatch.setattr(timeline_log, "events_after", overtaken)
    await registry.catch_up(row.id)
    assert told == [line.seq for line in lines] == [position + 1, position + 2, position + 3]
    await registry.close()


async def _line(database: Database, world: World, live_session_id: int, seq: int) -> TimelineEvent:
    """Written by another process, which told nobody here."""
    async with database.work("line") as work:
        payload = {"text": f"line {seq}", "reply_to": None}
        line = TimelineEvent(seq, work.now, "chat_posted", world.id_of("bo"), None, payload)
        await timeline_log.append(work, live_session_id, [line], None)
    return line


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.01)
