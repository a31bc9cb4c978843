"""The Python client of the same protocol, over each transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import socketio

from tests.signaling.transport.conftest import Live

TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]]


class Listener:
    """A connected client and what it heard."""

    def __init__(self) -> None:
        self.client = socketio.AsyncClient(reconnection=False)
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        self.client.on("said", self.heard.put, namespace="/live")

    async def wish(self, event: str, payload: object) -> Any:
        return await self.client.call(event, payload, namespace="/live", timeout=20)


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    made = Listener()
    yield made
    await made.client.disconnect()
    await made.client.shutdown()


@pytest.mark.parametrize("transports", TRANSPORTS, ids=["websocket", "polling", "upgraded"])
async def test_wishes_are_answered_and_facts_arrive_in_order(
    live: Live, listener: Listener, transports: list[str]
) -> None:
    await listener.client.connect(live.url, namespaces=["/live"], auth={"name": "ana"}, transports=transports)
    for number in range(20):
        answer = await listener.wish("say", {"n": number})
        assert answer == {"ok": True, "payload": {"n": number}}
    assert [(await listener.heard.get())["n"] for _ in range(20)] == list(range(20))
    assert [c.state for c in live.server.connections()] == ["ana"]


async def test_a_refusal_reaches_it(live: Live, listener: Listener) -> None:
    refusals: asyncio.Queue[Any] = asyncio.Queue()
    listener.client.on("connect_error", refusals.put, namespace="/live")
    with pytest.raises(socketio.exceptions.ConnectionError):
        await listener.client.connect(live.url, namespaces=["/live"], auth={"refuse": "unauthenticated"})
    assert (await refusals.get())["data"]["code"] == "unauthenticated"
