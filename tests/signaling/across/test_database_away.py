"""While PostgreSQL is away, dead or hanging, nothing is acknowledged, nobody waits long and nobody is thrown out."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from server.db.database import Database
from server.db.engines import COMMAND_SECONDS
from tests.factories import World
from tests.fakes import HeardFacts
from tests.processes import resume
from tests.services import Postgres
from tests.signaling.across.conftest import Apis, Open
from tests.signaling.conftest import Tab, stored
from tests.signaling.transport.official import OfficialClients

RETRYABLE = {"database_away", "away", "outcome_unknown"}
FIRST_WAIT_SECONDS = COMMAND_SECONDS + 4  # for what was under way; a connection is given up within two of them
LATER_WAIT_SECONDS = 1  # once it is known
BACK_SECONDS = 5

Away = Callable[[Postgres], Any]


@pytest.fixture
async def database(own_postgres: Postgres) -> AsyncIterator[Database]:
    url = own_postgres.url(own_postgres.create()).replace("postgresql:", "postgresql+asyncpg:")
    opened = Database.open(url, publisher=HeardFacts())
    yield opened
    await opened.close()


@asynccontextmanager
async def dead(postgres: Postgres) -> AsyncIterator[None]:
    postgres.kill()
    yield
    await postgres.start_again()


@asynccontextmanager
async def hanging(postgres: Postgres) -> AsyncIterator[None]:
    held = postgres.pause()
    try:
        yield
    finally:
        resume(held)


class Speaker:
    """Says numbered lines, and remembers which were acknowledged."""

    def __init__(self, tab: Tab, room: int) -> None:
        self.tab, self.room = tab, room
        self.kept, self.unknown, self.said = list[str](), set[str](), 0

    async def say(self) -> str:
        """The code of the refusal; empty when it was kept."""
        self.said += 1
        text = f"line {self.said}"
        line = {"live_session_id": self.room, "text": text, "client_id": str(uuid.uuid4())}
        answer = await self.tab.io.call("chat_send", line, namespace="/live", timeout=2 * FIRST_WAIT_SECONDS)
        if answer["ok"]:
            self.kept.append(text)
            return ""
        assert answer["error"]["status"] == 503
        if answer["error"]["code"] == "outcome_unknown":
            self.unknown.add(text)
        return str(answer["error"]["code"])


async def _timed(call: Awaitable[Any]) -> tuple[Any, float]:
    began = time.monotonic()
    return await call, time.monotonic() - began


@pytest.mark.parametrize("away", [dead, hanging], ids=["dead", "hanging"])
async def test_writes_are_refused_soon_and_everybody_stays(
    away: Away, own_postgres: Postgres, processes: list[TestServer], world: World, open_tab: Open, apis: Apis
) -> None:
    room = (await world.live_session(students=["bo"])).id
    ana, bo = await open_tab(0, "ana"), await open_tab(1, "bo")
    for one in (ana, bo):
        await one.wish("join", live_session_id=room)
    speaker = Speaker(ana, room)
    assert await speaker.say() == ""
    calls = {
        "write": lambda: apis(1, "bo").patch("/auth/me", {"name": "Bo"}),
        "read": lambda: apis(0, "ana").get(f"/live-sessions/{room}"),
    }
    async with away(own_postgres):
        ready, waited = await _timed(apis(0, "ana").get("/readyz"))
        assert (ready.status, ready.json["waiting"]) == (503, ["database"])
        assert waited < 2
        for patience in (FIRST_WAIT_SECONDS, LATER_WAIT_SECONDS):
            (code, waited), *answers = await asyncio.gather(
                _timed(speaker.say()), *(_timed(call()) for call in calls.values())
            )
            assert code in RETRYABLE
            assert [answer.status for answer, _ in answers] == [503, 503]
            assert {answer.code for answer, _ in answers} <= RETRYABLE
            assert max(waited, *(w for _, w in answers)) < patience
        assert ana.io.connected and bo.io.connected
        assert not ana.all("room_closed") + bo.all("room_closed")
    async with asyncio.timeout(BACK_SECONDS):
        while await speaker.say():
            await asyncio.sleep(0.25)
        while (await calls["write"]()).status != 200:
            await asyncio.sleep(0.05)
        await bo.until(lambda t: any(e["payload"].get("text") == speaker.kept[-1] for e in t.events))
        while (await apis(0, "ana").get("/readyz")).status != 200:
            await asyncio.sleep(0.05)
    written = [line["text"] for line in await stored(world, room) if line["type"] == "chat_posted"]
    assert [text for text in written if text not in speaker.unknown] == speaker.kept
    assert len(written) == len(set(written))
    for one in (ana, bo):
        await one.until(lambda t: [e["payload"]["text"] for e in t.events if e["type"] == "chat_posted"] == written)
        assert [e["type"] for e in one.events if e["type"] == "participant_left"] == []


async def test_who_comes_meanwhile_is_in_by_itself_as_soon_as_it_is_back(
    own_postgres: Postgres, processes: list[TestServer], world: World, open_tab: Open
) -> None:
    """Official clients that connect, and tabs that join, in a crowd: a refusal would keep the former away for good."""
    people = [f"student{number}" for number in range(12)]
    for one in people:
        await world.person(one)
    room = (await world.live_session(students=people)).id
    joining, connecting = people[:6], people[6:]
    tabs = [await open_tab(0, one) for one in joining]
    async with OfficialClients() as node:
        clients = [node.client(one) for one in connecting]
        async with dead(own_postgres):
            answers = await asyncio.gather(*(tab.wish("join", live_session_id=room) for tab in tabs))
            assert {answer["error"]["code"] for answer in answers} <= RETRYABLE
            for client in clients:
                url = str(processes[0].make_url("/live"))
                client.connect(url, auth={"token": world.token(client.name)}, transports=["websocket"])
            for client in clients:
                await client.until(lambda heard: heard)
        async with asyncio.timeout(BACK_SECONDS):
            for client in clients:
                await client.first("connect")
                assert (await client.wish("join", {"live_session_id": room}))["ok"]
            for tab in tabs:
                while not (await tab.wish("join", live_session_id=room))["ok"]:
                    await asyncio.sleep(0.1)
    told = [line for client in clients for line in client.heard if line["on"] == "connect_error"]
    assert not [line for line in told if not line["active"]]
    inside = [line["user_id"] for line in await stored(world, room) if line["type"] == "participant_joined"]
    assert sorted(inside) == sorted(map(world.id_of, people))
