"""Rows of a crowd in one statement: what is stored is what row by row would store, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from server.db.base import Base
from server.db.bulk import BulkInsert
from server.db.database import Database
from server.live_sessions.tables import LiveSessionEvent, RoomConnection
from signaling.rooms.leases import take_lease
from tests.factories import World

_events, _here = (Base.metadata.tables[table.__tablename__] for table in (LiveSessionEvent, RoomConnection))
EVENTS = BulkInsert(_events, [column.name for column in _events.c])
AT = datetime(2026, 1, 31, 9, 0, 0, 123456, tzinfo=UTC)
ODD: tuple[dict[str, Any], ...] = (
    {"text": 'Ω "quoted" \\ \n\t 👩‍🏫', "reply_to": None, "n": 2**62, "f": 0.1, "on": True},
    {"nested": [[], {}, [1, "1", None]], "": "empty name"},
    {},
)


async def test_every_value_comes_back_as_from_rows_one_by_one(database: Database, world: World) -> None:
    many, single = [(await world.live_session("ana", ["bo"])).id for _ in range(2)]

    def rows(room: int) -> list[dict[str, Any]]:
        given = {"live_session_id": room, "at": AT, "type": "chat_posted", "answer": None, "line_seq": None}
        who = {"actor_id": None, "client_id": None}
        return [{**given, **who, "seq": 10 + at, "payload": payload} for at, payload in enumerate(ODD)]

    async with database.work() as work:
        await EVENTS.run(work, rows(many))
        for row in rows(single):
            await work.execute(insert(_events), row)
    kept = []
    for room in (many, single):
        query = select(*(c for c in _events.c if c.name != "live_session_id")).where(_events.c.live_session_id == room)
        async with database.read() as read:
            kept.append([tuple(row) for row in await read.execute(query.where(_events.c.seq >= 10).order_by("seq"))])
    assert kept[0] == kept[1]
    assert [row[list(_events.c.keys()).index("payload") - 1] for row in kept[0]] == list(ODD)


async def test_one_row_that_cannot_be_leaves_none(database: Database, world: World) -> None:
    room = (await world.live_session("ana", ["bo"])).id
    given = {"live_session_id": room, "at": AT, "type": "x", "answer": None, "line_seq": None, "payload": {}}
    rows = [{**given, "actor_id": None, "client_id": None, "seq": seq} for seq in (100, 101, 100)]
    with pytest.raises(IntegrityError):
        async with database.work() as work:
            await EVENTS.run(work, rows)
    async with database.read() as read:
        assert await read.scalar(select(_events.c.seq).where(_events.c.seq >= 100)) is None


async def test_no_rows_are_no_row(database: Database, world: World) -> None:
    room = (await world.live_session("ana", ["bo"])).id
    of_room = select(_events.c.seq).where(_events.c.live_session_id == room)
    async with database.work() as work:
        before = list(await work.scalars(of_room))
        await EVENTS.run(work, [])
        assert list(await work.scalars(of_room)) == before


async def test_rows_that_are_there_already_can_stay_as_they_are(database: Database, world: World) -> None:
    room = (await world.live_session("ana", ["bo"])).id
    lease = await take_lease(database)
    columns = ("connection_id", "live_session_id", "user_id", "lease_id", "joined_at")
    connections = BulkInsert(_here, columns, or_keep=True)
    bo = world.people["bo"].id

    def rows(*ids: str) -> list[dict[str, Any]]:
        given = {"live_session_id": room, "user_id": bo, "lease_id": lease}
        return [{**given, "connection_id": one, "joined_at": AT.replace(year=AT.year + len(ids))} for one in ids]

    async with database.work() as work:
        await connections.run(work, rows("a"))
        await connections.run(work, rows("a", "b"))
    async with database.read() as read:
        found = await read.execute(select(_here.c.connection_id, _here.c.joined_at).order_by(_here.c.connection_id))
        assert [(one, at.year) for one, at in found] == [("a", 2027), ("b", 2028)]
