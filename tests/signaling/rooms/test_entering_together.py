"""What a crowd comes to that enters several rooms in one transaction is what they come to one after the other."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from server.db.database import Database
from server.errors import LecternError
from server.live_sessions.tables import LiveSession, LiveSessionEvent, Participation, RoomConnection
from server.ports import SilentPublisher
from signaling.rooms.commands import Enter, Leave, Remove, Vacate
from signaling.rooms.leases import take_lease
from signaling.rooms.registry import Registry
from signaling.rooms.timeline import Judged, Timeline
from tests.conftest import SECRET
from tests.factories import World

STUDENTS = ("bo", "cleo", "dan", "eve", "fay", "gil")
PEOPLE = (*STUDENTS, "ana")
AWAY_SECONDS = (0, 10, 40, 90)  # of a held seat: just gone, back at once, with a gap in the attendance, lapsed
NOWHERE = 9_999
SHORT, LONG = 8, 250


class Classes:
    """One to four classes with a past, on a database of their own; all of it follows from `seed`."""

    def __init__(self, url: str, seed: int) -> None:
        self._database, self._chance = Database.open(url, publisher=SilentPublisher()), random.Random(seed)
        self._registry = Registry(self._database, lambda *_: None, lambda _: True)
        self._timeline = Timeline(self._database, self._registry)
        self._rooms = list[int]()

    async def begin(self) -> None:
        self._world = world = await World.with_cast(self._database, SECRET)
        for name in STUDENTS[4:]:
            await world.person(name)
        self._timeline.lease_id = await take_lease(self._database)
        for _ in range(self._chance.randint(1, 4)):
            status, most = self._chance.choice(["live"] * 6 + ["ended"]), self._chance.choice([None, None, 2, 4])
            row = await world.live_session(students=STUDENTS, status=status, max_participants=most)
            self._rooms.append(row.id)
        for room in self._rooms:
            for _ in range(self._chance.randint(0, 12)):
                await self._something_happens(room)
        async with self._database.work() as work:
            open_stays = select(Participation).where(Participation.left_at.is_(None)).order_by(Participation.id)
            for stay in list(await work.scalars(open_stays)):
                away = self._chance.choice(AWAY_SECONDS)
                stay.joined_at = work.now - timedelta(minutes=5)
                stay.last_seen_at = stay.last_seen_at and work.now - timedelta(seconds=away)

    async def _something_happens(self, room: int) -> None:
        who, kind = self._chance.choice(PEOPLE), self._chance.choice([Enter] * 4 + [Vacate] * 3 + [Leave, Remove])
        wish, ana = self._enters(who), self._world.id_of("ana")
        if kind is Enter:
            await self._judged({room: [wish]})
            return
        command = Remove(ana, wish.user_id) if kind is Remove else kind(wish.user_id, wish.connection_id)
        try:
            async with self._database.work() as work:
                await self._timeline.judge(work, room, command, None, None)
                self._timeline.tell_after_commit(work)
        except LecternError:
            pass  # refused, in both

    def _enters(self, who: str, *, stayed: bool = False) -> Enter:
        tab = f"{who} {self._chance.randint(1, 3)}"
        return Enter(self._world.id_of(who), who, None, "student", tab, stayed=stayed)

    async def _judged(self, wishes: dict[int, list[Enter]]) -> Sequence[Judged]:
        async with self._database.work() as work:
            judged = await self._timeline.judge_entries(work, wishes)
            self._timeline.tell_after_commit(work)
        return judged

    async def enter(self, *, together: bool) -> list[Any]:
        """A crowd comes; what each is answered, and all that is written and known of the classes then."""
        wishes: dict[int, list[Enter]] = {}
        for _ in range(self._chance.randint(1, 14)):
            room = self._chance.choice([*self._rooms, NOWHERE] if self._chance.random() < 0.1 else self._rooms)
            stayed = self._chance.random() < 0.1
            wishes.setdefault(room, []).append(self._enters(self._chance.choice(PEOPLE), stayed=stayed))
        if together:
            judged = await self._judged(wishes)
        else:
            judged = [one for room in wishes for wish in wishes[room] for one in await self._judged({room: [wish]})]
        answers = [
            type(one).__name__ if isinstance(one, LecternError) else (one.seq, one.is_unchanged) for one in judged
        ]
        found = [answers, *[await self._state(room) for room in self._rooms]]
        await self._registry.close()
        await self._database.close()
        return found

    async def _state(self, room: int) -> list[Any]:
        of_room = {"live_session_id": room}
        async with self._database.read() as read:
            row = await read.get(LiveSession, room)
            assert row is not None
            events = list(await read.scalars(select(LiveSessionEvent).filter_by(**of_room).order_by("seq")))
            stays = list(await read.scalars(select(Participation).filter_by(**of_room)))
            tabs = list(await read.scalars(select(RoomConnection).filter_by(**of_room)))
        known = (await self._registry.entry(room)).room
        assert [event.seq for event in events] == list(range(1, row.last_seq + 1))
        assert known.seq == row.last_seq
        return [
            row.empty_since is None,
            [(event.type, event.payload.get("user_id")) for event in events],
            sorted((s.user_id, s.role, s.left_at is None, s.last_seen_at is None) for s in stays),
            sorted((tab.connection_id, tab.user_id) for tab in tabs),
            sorted((person.user_id, person.in_room) for person in known.participants.values()),
        ]


async def _same(template: Path, folder: Path, seeds: range) -> None:
    for seed in seeds:
        came_to = []
        for together in (True, False):
            path = folder / f"{seed}-{together}.db"
            shutil.copyfile(template, path)
            classes = Classes(f"sqlite+aiosqlite:///{path}", seed)
            await classes.begin()
            came_to.append(await classes.enter(together=together))
            path.unlink()
        assert came_to[0] == came_to[1], f"seed {seed}"


async def test_together_they_come_to_the_same_as_one_after_the_other(migrated_sqlite: Path, tmp_path: Path) -> None:
    await _same(migrated_sqlite, tmp_path, range(SHORT))


@pytest.mark.prove
@pytest.mark.timeout(900)
async def test_in_hundreds_of_classes_they_come_to_the_same(migrated_sqlite: Path, tmp_path: Path) -> None:
    await _same(migrated_sqlite, tmp_path, range(SHORT, LONG))
