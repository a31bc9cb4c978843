"""The whole application on a real port, and people connected to it with the Python Socket.IO client."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import socketio
from aiohttp.test_utils import TestServer
from sqlalchemy import delete, select, update

from server.live_sessions.tables import LiveSession, LiveSessionEvent
from tests.factories import World

PATIENCE = 30.0  # seconds; only a failing test waits that long


class Tab:
    """One connected browser tab: what it was told, and what it wishes."""

    def __init__(self, url: str) -> None:
        self.url, self.told = url, list[tuple[str, Any]]()
        self.io = socketio.AsyncClient(reconnection=False)
        self._heard = asyncio.Condition()
        self.io.on("*", self._hear, namespace="/live")

    async def _hear(self, event: str, payload: Any) -> None:
        async with self._heard:
            self.told.append((event, payload))
            self._heard.notify_all()

    async def connect(self, token: str, transports: tuple[str, ...] = ("websocket",), **auth: Any) -> Tab:
        await self.io.connect(
            self.url,
            namespaces=["/live"],
            auth={"token": token, **auth},
            transports=list(transports),
            wait_timeout=PATIENCE,
        )
        return self

    async def wish(self, event: str, **payload: Any) -> dict[str, Any]:
        """Send and wait for the acknowledgement."""
        answer = await self.io.call(event, payload, namespace="/live", timeout=PATIENCE)
        return dict(answer)

    async def durable(self, event: str, **payload: Any) -> dict[str, Any]:
        """A wish with a client_id of its own unless one is given."""
        return await self.wish(event, **{"client_id": str(uuid.uuid4()), **payload})

    async def acknowledged(self, event: str, **payload: Any) -> dict[str, Any]:
        """The same as wish(); the acknowledgement takes its place in `told` as "<event> acknowledged"."""

        async def heard(answer: dict[str, Any]) -> None:
            await self._hear(f"{event} acknowledged", answer)

        await self.io.emit(event, payload, namespace="/live", callback=heard)
        return dict(await self.hear(f"{event} acknowledged"))

    def all(self, event: str) -> list[Any]:
        return [payload for name, payload in self.told if name == event]

    @property
    def events(self) -> list[dict[str, Any]]:
        """All timeline events told, in order."""
        return [event for told in self.all("timeline") for event in told["events"]]

    async def until(self, is_so: Callable[[Tab], Any]) -> Any:
        """Wait until what was told makes `is_so` true; returns its value."""
        async with self._heard:
            async with asyncio.timeout(PATIENCE):
                await self._heard.wait_for(lambda: is_so(self))
        return is_so(self)

    async def hear(self, event: str) -> Any:
        """Wait for the first `event`; returns its payload."""
        return (await self.until(lambda tab: tab.all(event)))[0]

    async def hear_event(self, type: str) -> dict[str, Any]:
        """Wait for the first timeline event of a type."""
        found = await self.until(lambda tab: [e for e in tab.events if e["type"] == type])
        return dict(found[0])

    async def close(self) -> None:
        if self.io.connected:
            await self.io.disconnect()


async def refusal(url: str, auth: Any) -> dict[str, Any]:
    """The data of a refused connect."""
    client = socketio.AsyncClient(reconnection=False)
    refused: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def heard(data: Any) -> None:
        if not refused.done():
            refused.set_result(data)

    client.on("connect_error", heard, namespace="/live")
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(url, namespaces=["/live"], auth=auth, transports=["websocket"], wait_timeout=PATIENCE)
    return dict((await asyncio.wait_for(refused, PATIENCE))["data"])


Connect = Callable[..., Awaitable[Tab]]


@pytest.fixture
def live_url(server: TestServer) -> str:
    return str(server.make_url("")).rstrip("/")


@pytest.fixture
async def tab(live_url: str, world: World) -> AsyncIterator[Connect]:
    """`await tab("bo")`: a connected tab of that person."""
    opened: list[Tab] = []

    async def open_tab(person: str, **options: Any) -> Tab:
        made = Tab(live_url)
        opened.append(made)
        return await made.connect(options.pop("token", None) or world.token(person), **options)

    yield open_tab
    for one in opened:
        await one.close()


async def a_class(tab: Connect, world: World, *people: str) -> tuple[int, list[Tab]]:
    """A live session with these people in it; ana teaches."""
    room = (await world.live_session(students=[p for p in people if p != "ana"])).id
    tabs = [await tab(person) for person in people]
    for one in tabs:
        assert (await one.wish("join", live_session_id=room))["ok"]
    return room, tabs


async def stored(world: World, room: int) -> list[dict[str, Any]]:
    """All payloads of the log, in order, with their seq and type."""
    async with world.database.read() as read:
        rows = await read.scalars(select(LiveSessionEvent).filter_by(live_session_id=room).order_by("seq"))
        return [{"seq": row.seq, "type": row.type, **row.payload} for row in rows]


async def lose(world: World, room: int, *, after: int) -> None:
    """The log is put back to this position, behind everybody's back."""
    async with world.database.work("lose") as work:
        lost = (LiveSessionEvent.live_session_id == room, LiveSessionEvent.seq > after)
        await work.execute(delete(LiveSessionEvent).where(*lost))
        await work.execute(update(LiveSession).filter_by(id=room).values(last_seq=after))
