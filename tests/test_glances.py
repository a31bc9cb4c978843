"""Questions asked by crowds: the same rows as by way of a session, on both databases, without what a session costs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import column, select, table
from sqlalchemy.exc import ProgrammingError

from server.db.base import Base
from server.db.database import Database
from server.db.glances import Question
from server.db.one_hop import Connection
from server.errors import DatabaseAway
from server.live_sessions.tables import LiveSession
from server.notifications.service import LATEST, RECENT, notify, with_news
from tests.factories import World

_sessions = Base.metadata.tables[LiveSession.__tablename__].c
SESSIONS = Question(lambda among: select(*_sessions).where(among(_sessions.id, "rooms")).order_by(_sessions.id))
NOWHERE = Question(lambda among: select(column("n")).select_from(table("nowhere", column("n"))))


async def test_values_are_those_a_session_gives(database: Database, world: World) -> None:
    rooms = [(await world.live_session("ana", ["bo"])).id for _ in range(2)]
    other = (await world.live_session("ana", ["bo"])).id
    (found,) = await database.glance((SESSIONS, {"rooms": rooms}))
    async with database.read() as read:
        rows = [await read.get(LiveSession, room) for room in rooms]
        expected = [tuple(getattr(row, c.key) for c in _sessions) for row in rows]
    assert [tuple(row) for row in found] == expected
    assert all(row[list(_sessions.keys()).index("created_at")].tzinfo is not None for row in found)
    assert other not in rooms


async def test_a_list_may_be_empty_and_each_question_has_its_own_answer(database: Database, world: World) -> None:
    room = await world.live_session("ana", ["bo"])
    nothing, one = await database.glance((SESSIONS, {"rooms": []}), (SESSIONS, {"rooms": [room.id, room.id]}))
    assert (len(nothing), len(one)) == (0, 1)


async def test_what_is_committed_meanwhile_is_seen(database: Database, world: World) -> None:
    room = await world.live_session("ana", ["bo"])
    await database.glance((SESSIONS, {"rooms": [room.id]}))
    async with database.work() as work:
        row = await work.get(LiveSession, room.id)
        assert row is not None
        row.title = "Changed"
    ((changed,),) = await database.glance((SESSIONS, {"rooms": [room.id]}))
    assert changed[list(_sessions.keys()).index("title")] == "Changed"


async def test_many_at_once_are_all_answered(database: Database, world: World) -> None:
    room = await world.live_session("ana", ["bo"])
    answers = await asyncio.gather(*(database.glance((SESSIONS, {"rooms": [room.id]})) for _ in range(20)))
    assert [len(found) for (found,) in answers] == [1] * 20


async def test_a_question_that_fails_leaves_the_next_one_its_way(database: Database, world: World) -> None:
    mistake = DatabaseAway if database.is_sqlite else ProgrammingError  # SQLite has one word for both
    with pytest.raises(mistake):
        await database.glance((NOWHERE, {}))
    (found,) = await database.glance((SESSIONS, {"rooms": []}))
    assert list(found) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_several_questions_are_one_visit(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.glance((SESSIONS, {"rooms": []}))
    visits: list[Any] = []
    visit = Connection.in_thread

    async def counted(self: Connection, *arguments: Any) -> Any:
        visits.append(arguments)
        return await visit(self, *arguments)

    monkeypatch.setattr(Connection, "in_thread", counted)
    await database.glance((SESSIONS, {"rooms": [1]}), (LATEST, {"people": [1, 2]}))
    assert len(visits) == 1


async def test_only_who_may_have_missed_something_is_looked_up(database: Database, world: World) -> None:
    bo, cleo = world.id_of("bo"), world.id_of("cleo")
    async with database.work() as work:
        for title in ("One", "Two"):
            await notify(work, [bo], "content_added", title, "", {"url": "/app"})
        now = work.now
    (latest,) = await database.glance((LATEST, {"people": [bo, cleo]}))
    ((user_id, last, _),) = latest
    assert user_id == bo
    later = now + 3 * RECENT + timedelta(seconds=1)
    asked = [(bo, None), (bo, last), (bo, last - 1), (cleo, None), (cleo, 0)]
    assert with_news(asked, latest, now) == [(bo, None), (bo, last), (bo, last - 1)]
    assert with_news(asked, latest, later) == [(bo, last - 1)]
