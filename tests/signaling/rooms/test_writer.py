"""The rooms' writers: many commands in one transaction, but none that holds a room's row for long."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from server.db.database import Database, Work
from server.errors import Internal, Missing
from server.live_sessions import people
from server.live_sessions.tables import LiveSessionEvent, Participation, RoomConnection
from server.metrics import Metrics
from signaling.rooms import log as timeline_log
from signaling.rooms import writer as writer_module
from signaling.rooms.commands import Enter, PostChat, Vacate
from signaling.rooms.leases import take_lease
from signaling.rooms.registry import Registry
from signaling.rooms.state import TimelineEvent
from signaling.rooms.timeline import Answer, Timeline
from signaling.rooms.writer import CROWD, HOLD_SECONDS, Writer
from tests.factories import World

LINES = 12


async def test_a_transaction_that_has_held_its_row_for_long_leaves_the_rest_to_the_next(
    database: Database, world: World
) -> None:
    """On a slow database each command takes half of what a transaction may: three a transaction, all in order."""
    assert [len(group) for group in await _transactions(database, world, HOLD_SECONDS / 2 + 0.001)] == [3, 3, 3, 3]


async def test_a_quick_transaction_takes_all_that_wait(database: Database, world: World) -> None:
    assert [len(group) for group in await _transactions(database, world, 0.0)] == [LINES]


async def _transactions(database: Database, world: World, each: float) -> list[list[int]]:
    """Lines posted at once, by a clock that goes on by `each` whenever it is read; positions by transaction."""
    row = await world.live_session(students=["bo"])
    told: list[list[int]] = []
    registry = Registry(database, lambda room, epoch, events, *_: told.append([e.seq for e in events]), lambda _: True)
    await registry.entry(row.id)
    ticks = count(1)
    writer = Writer(Timeline(database, registry), Metrics(), clock=lambda: next(ticks) * each)
    bo = world.id_of("bo")

    async def post(number: int) -> Answer:
        line = PostChat(bo, f"line {number}")
        return await writer.act(row.id, line, actor_id=bo, client_id=str(uuid.uuid4()))

    answers = await asyncio.gather(*(post(number) for number in range(LINES)))
    await writer.close()
    await registry.close()
    positions = [answer.seq for answer in answers]
    assert positions == sorted(positions) == [seq for group in told for seq in group]
    async with database.read() as read:
        written = select(LiveSessionEvent.seq).where(LiveSessionEvent.type == "chat_posted")
        assert list(await read.scalars(written.order_by(LiveSessionEvent.seq))) == positions
    return told


async def test_a_crowd_is_waited_for_but_not_by_anybody_else(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two halves of a crowd go in one transaction, which begins as soon as somebody else has something to say."""
    monkeypatch.setattr(writer_module, "CROWD_SECONDS", 3_600.0)
    row = await world.live_session(students=["bo"])
    told: list[list[str]] = []
    registry = Registry(database, lambda room, epoch, events, *_: told.append([e.type for e in events]), lambda _: True)
    await registry.entry(row.id)
    timeline = Timeline(database, registry)
    timeline.lease_id = await take_lease(database)
    writer, bo = Writer(timeline, Metrics()), world.id_of("bo")

    def half(number: int) -> list[asyncio.Task[Answer]]:
        tabs = [Enter(bo, "Bo", None, "student", f"tab {number} {tab}") for tab in range(CROWD)]
        return [asyncio.create_task(writer.act(row.id, wish)) for wish in tabs]

    entering = half(1)
    while not writer._pauses:
        await asyncio.sleep(0)
    entering += half(2)
    await asyncio.sleep(0)
    assert not any(task.done() for task in entering)
    async with asyncio.timeout(30):
        said = await writer.act(row.id, PostChat(bo, "hello"), actor_id=bo, client_id=str(uuid.uuid4()))
        await asyncio.gather(*entering)
    await writer.close()
    await registry.close()
    assert said.seq == 3  # behind the start of the class and the coming in of Bo
    assert told == [["participant_joined", "chat_posted"]]


async def test_in_a_crowd_a_held_seat_is_taken_again_and_a_tab_that_is_in_stays_as_it_is(
    database: Database, world: World
) -> None:
    """Bo comes back to a held seat, Cleo's tab asks a second time, Dan is new: one transaction, three open stays."""
    row = await world.live_session(students=["bo", "cleo", "dan"])
    registry = Registry(database, lambda *_: None, lambda _: True)
    await registry.entry(row.id)
    timeline = Timeline(database, registry)
    timeline.lease_id = await take_lease(database)
    writer = Writer(timeline, Metrics())

    def entered(*names: str) -> list[Enter]:
        return [Enter(world.id_of(name), name, None, "student", f"tab of {name}") for name in names]

    async def together(*commands: Enter | Vacate) -> None:
        await asyncio.gather(*(writer.act(row.id, command) for command in commands))

    await together(*entered("bo", "cleo"))
    await together(Vacate(world.id_of("bo"), "tab of bo"))
    tabs = select(RoomConnection.connection_id, RoomConnection.joined_at)
    async with database.read() as read:
        before = dict((await read.execute(tabs)).all())
    await together(*entered("bo", "cleo", "dan"))
    await writer.close()
    await registry.close()
    async with database.read() as read:
        stays = select(Participation.user_id, Participation.last_seen_at).where(Participation.left_at.is_(None))
        assert set((await read.execute(stays)).all()) == {(world.id_of(name), None) for name in ("bo", "cleo", "dan")}
        after = dict((await read.execute(tabs)).all())
    assert before.keys() == {"tab of cleo"} and after.keys() == {"tab of bo", "tab of cleo", "tab of dan"}
    assert after["tab of cleo"] == before["tab of cleo"]


async def test_attendance_has_a_gap_where_somebody_was_away_for_long_though_the_seat_was_held(
    database: Database, world: World
) -> None:
    """Bo was away for 20 of his 60 seconds, Cleo for 45; Dan's tab never went, though his seat was given up.

    All are where they were, and only Cleo's hole is one.
    """
    row = await world.live_session(students=["bo", "cleo", "dan"])
    told: list[str] = []
    registry = Registry(database, lambda room, epoch, events, *_: told.extend(e.type for e in events), lambda _: True)
    await registry.entry(row.id)
    timeline = Timeline(database, registry)
    timeline.lease_id = await take_lease(database)
    writer, (bo, cleo, dan) = Writer(timeline, Metrics()), map(world.id_of, ("bo", "cleo", "dan"))
    away = {bo: timedelta(seconds=20), cleo: timedelta(seconds=45), dan: timedelta(seconds=45)}
    for tab in ("first", "second"):
        await asyncio.gather(
            *(
                writer.act(row.id, Enter(who, "?", None, "student", f"{tab} of {who}", stayed=who == dan))
                for who in away
            )
        )
        if tab == "first":
            await asyncio.gather(*(writer.act(row.id, Vacate(who, f"first of {who}")) for who in away))
            async with database.work("a while ago") as work:
                for who, since in away.items():
                    then = {"joined_at": work.now - timedelta(minutes=5), "last_seen_at": work.now - since}
                    await work.execute(update(Participation).filter_by(user_id=who).values(**then))
    await writer.close()
    await registry.close()
    assert told == ["participant_joined"] * 3
    async with database.read() as read:
        found = {line.user.id: line for line in await people.attendance(read, row)}
    for who in (bo, dan):
        assert [interval.left_at for interval in found[who].intervals] == [None]
        assert 300 <= found[who].total_seconds < 400
    gone, back = found[cleo].intervals
    assert gone.left_at is not None and back.left_at is None
    assert 45 <= (back.joined_at - gone.left_at).total_seconds() < 145


async def test_a_command_that_breaks_its_transaction_fails_alone(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a group the database refuses one line's row: the others are kept, once, and answered as ever."""
    row = await world.live_session(students=["bo"])
    told: list[int] = []
    registry = Registry(database, lambda room, epoch, events, *_: told.extend(e.seq for e in events), lambda _: True)
    before = (await registry.entry(row.id)).room.seq
    writer, bo = Writer(Timeline(database, registry), Metrics()), world.id_of("bo")
    written = timeline_log.append

    async def append(work: Work, live_session_id: int, events: Sequence[TimelineEvent], extra: Any) -> None:
        await written(work, live_session_id, events, extra)
        if events[0].payload["text"] == "line 2":
            await written(work, live_session_id, events, extra)

    monkeypatch.setattr(timeline_log, "append", append)

    async def post(number: int) -> Answer:
        line = PostChat(bo, f"line {number}")
        return await writer.act(row.id, line, actor_id=bo, client_id=str(uuid.UUID(int=number)))

    with capture_logs() as logged:
        first = await asyncio.gather(*(post(number) for number in range(5)), return_exceptions=True)
    again = [await post(number) for number in range(5) if number != 2]
    await writer.close()
    await registry.close()
    assert isinstance(first[2], Internal)
    said = [line["event"] for line in logged if line["event"] != "slow work"]  # a busy machine says that too
    assert said == ["group commit failed", "room command failed"]
    kept = [answer for answer in first if isinstance(answer, Answer)]
    assert (
        [answer.seq for answer in kept]
        == [answer.seq for answer in again]
        == told
        == list(range(before + 1, before + 5))
    )
    assert all(answer.is_repeat for answer in again)
    async with database.read() as read:
        events = await timeline_log.events_after(read, row.id, before, 100)
    assert [(e.seq, e.payload["text"]) for e in events] == [
        (before + place, f"line {number}") for place, number in enumerate((0, 1, 3, 4), 1)
    ]


async def test_several_rooms_are_entered_in_one_transaction_each_as_by_itself(database: Database, world: World) -> None:
    """Bo comes back to a held seat in one and is new in the other; Dan is only held in the one he does not enter.

    A class that is not there is nobody's fault but of who asks for it, and changes nothing for the others.
    """
    bo, cleo, dan = (world.id_of(name) for name in ("bo", "cleo", "dan"))
    one, other = [(await world.live_session(students=["bo", "cleo", "dan"])).id for _ in range(2)]
    nowhere = other + 1_000
    told: list[tuple[int, list[int]]] = []
    registry = Registry(
        database,
        lambda room, epoch, events, *_: told.append((room, [e.payload["user_id"] for e in events])),
        lambda _: True,
    )
    for room in (one, other):
        await registry.entry(room)
    timeline = Timeline(database, registry)
    timeline.lease_id = await take_lease(database)

    def enters(user_id: int, room: int) -> Enter:
        return Enter(user_id, str(user_id), None, "student", f"{user_id} in {room}")

    async with database.work() as work:
        await timeline.judge_entries(work, {one: [enters(bo, one), enters(dan, one)]})
        await timeline.judge_vacancies(work, one, [Vacate(who, f"{who} in {one}") for who in (bo, dan)])
        timeline.tell_after_commit(work)
    told.clear()
    wishes = {other: [enters(bo, other), enters(cleo, other), enters(bo, other)], nowhere: [enters(bo, nowhere)],
              one: [enters(bo, one), enters(cleo, one)]}  # fmt: skip
    async with database.work() as work:
        judged = await timeline.judge_entries(work, wishes)
        timeline.tell_after_commit(work)
    await registry.close()
    assert [type(each) is Missing for each in judged] == [False, False, False, True, False, False]
    answers = [each for each in judged if isinstance(each, Answer)]
    assert [answer.is_unchanged for answer in answers] == [False, False, True, True, False]
    assert told == [(one, [cleo]), (other, [bo, cleo])]
    async with database.read() as read:
        stays = select(Participation.live_session_id, Participation.user_id, Participation.last_seen_at.is_not(None))
        assert set((await read.execute(stays.where(Participation.left_at.is_(None)))).all()) == {
            (one, bo, False), (one, cleo, False), (one, dan, True), (other, bo, False), (other, cleo, False),
        }  # fmt: skip
        tabs = set(await read.scalars(select(RoomConnection.connection_id)))
        assert tabs == {f"{bo} in {one}", f"{cleo} in {one}", f"{bo} in {other}", f"{cleo} in {other}"}


async def test_one_tab_takes_its_seats_in_several_rooms_at_once(database: Database, world: World) -> None:
    """As when a process that was late takes all its seats again: Bo's are held, and his one tab is in both rooms."""
    bo = world.id_of("bo")
    rooms = [(await world.live_session(students=["bo"])).id for _ in range(2)]
    registry = Registry(database, lambda *_: None, lambda _: True)
    timeline = Timeline(database, registry)
    timeline.lease_id = await take_lease(database)
    writer, wish = Writer(timeline, Metrics()), Enter(bo, "Bo", None, "student", "tab", stayed=True)
    for command in (wish, Vacate(bo, "tab"), wish):
        await asyncio.gather(*(writer.act(room, command) for room in rooms))
    await writer.close()
    await registry.close()
    async with database.read() as read:
        stays = select(Participation.live_session_id, Participation.last_seen_at).where(Participation.left_at.is_(None))
        assert set((await read.execute(stays)).all()) == {(room, None) for room in rooms}
        assert set(await read.scalars(select(RoomConnection.live_session_id))) == set(rooms)
