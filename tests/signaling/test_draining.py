"""A server that leaves: everybody is told when to come back, and what was begun is answered before the line closes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from server import app as application
from server.db.database import Database
from server.http.keys import DATABASE, READINESS
from server.live_sessions.tables import LiveSession
from signaling import gateway
from tests.factories import World
from tests.signaling.conftest import PATIENCE, Connect, Tab, a_class, stored

WISHES = 5


async def _until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def room_held(app: web.Application, room: int) -> AsyncIterator[None]:
    """Nobody can write to the room meanwhile, as when another process does."""
    database: Database = app[DATABASE]
    async with database.work("a test holds the room") as work:
        await work.get(LiveSession, room, for_update=True)
        yield


async def said(app: web.Application, bo: Tab, room: int) -> list[dict[str, Any]]:
    """Bo's wishes have reached the server; their answers will be in this list."""
    counters = app[application.GATEWAY].live.counters
    before, answers = counters.received, list[dict[str, Any]]()
    for number in range(WISHES):
        payload = {"live_session_id": room, "client_id": str(uuid.uuid4()), "text": f"{number}"}
        await bo.io.emit("chat_send", payload, namespace="/live", callback=answers.append)
    await _until(lambda: counters.received == before + WISHES)
    return answers


@pytest.mark.parametrize("transports", [("websocket",), ("polling",)])
async def test_wishes_in_work_are_answered_before_the_connection_closes(
    tab: Connect, world: World, app: web.Application, transports: tuple[str, ...]
) -> None:
    room = (await world.live_session(students=["bo"])).id
    bo = await tab("bo", transports=transports)
    await bo.wish("join", live_session_id=room)
    async with room_held(app, room):
        answers = await said(app, bo, room)
        leaving = asyncio.create_task(application.drain(app))
        await bo.hear("draining")
        assert app[READINESS].draining
        assert bo.io.connected
        assert answers == []
    await leaving
    await _until(lambda: not bo.io.connected)
    assert [answer["ok"] for answer in answers] == [True] * WISHES
    lines = [line["seq"] for line in await stored(world, room) if line["type"] == "chat_posted"]
    assert lines == [answer["seq"] for answer in answers]


async def test_whoever_cannot_be_answered_in_time_is_let_go_and_what_was_wished_is_kept(
    tab: Connect, world: World, app: web.Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "WORK_SECONDS", 0.1)
    room, (bo,) = await a_class(tab, world, "bo")
    async with room_held(app, room):
        answers = await said(app, bo, room)
        leaving = asyncio.create_task(application.drain(app))
        await _until(lambda: not bo.io.connected)
        assert answers == []
    await leaving
    lines = [line["text"] for line in await stored(world, room) if line["type"] == "chat_posted"]
    assert lines == [f"{number}" for number in range(WISHES)]


async def test_the_more_clients_the_longer_their_return_is_spread(
    tab: Connect, world: World, app: web.Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "RETURNS_PER_SECOND", 2)
    people = ("ana", "bo", "cleo", "dan", "eve", "root")
    tabs = [await tab(person) for person in people]
    await application.drain(app)
    moments = [(await one.hear("draining"))["retry_after"] for one in tabs]
    assert all(0 < moment <= len(people) / 2 for moment in moments)
    assert len(set(moments)) > 1


def test_nobody_is_sent_away_for_longer_than_a_moment() -> None:
    assert all(0 < gateway.moment_to_return(1) <= 0.1 for _ in range(100))
    assert 1 < max(gateway.moment_to_return(1_000) for _ in range(100)) <= 1_000 / gateway.RETURNS_PER_SECOND
    assert all(0 < gateway.moment_to_return(100_000) <= 10 for _ in range(1_000))
