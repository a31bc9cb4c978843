"""The bounds of a connection as the product sets them: what is promised, and what becomes of who falls behind."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from aiohttp import web

from server.app import GATEWAY
from signaling.transport import TransportLimits
from tests.factories import World
from tests.signaling.conftest import PATIENCE, Connect, a_class

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_connection_has_the_promised_bounds(app: web.Application, live_url: str) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{live_url}/socket.io/?EIO=4&transport=polling") as answer:
            opening = json.loads((await answer.text()).removeprefix("0"))
    assert (opening["pingInterval"], opening["pingTimeout"], opening["maxPayload"]) == (10_000, 10_000, 64 * 1024)
    limits: TransportLimits = app[GATEWAY].live._hub.limits
    assert (limits.connect_timeout, limits.buffer_bytes, limits.attachments) == (10, 1 << 20, 0)


async def test_who_does_not_read_is_cut_and_comes_back_to_all_that_was_said(
    app: web.Application, world: World, tab: Connect, live_url: str
) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    joined = await bo.wish("join", live_session_id=room)
    live = app[GATEWAY].live
    (stuck,) = [c for c in live.connections() if c.state.actor.id == world.id_of("bo")]
    line = bo.io.eio.ws._response.connection.transport
    line.pause_reading()
    said = [(await ana.durable("chat_send", live_session_id=room, text=f"line {n}"))["seq"] for n in range(10)]
    async with asyncio.timeout(PATIENCE):
        while not stuck.gone:
            stuck.emit("typing", {"live_session_id": room, "user_id": 1, "on": True, "pad": "x" * 60_000})
            await asyncio.sleep(0)
    assert stuck.reason == "slow client"
    line.resume_reading()
    assert (await ana.durable("chat_send", live_session_id=room, text="without bo"))["ok"]
    async with aiohttp.ClientSession() as http, http.get(f"{live_url}/metrics") as answer:
        assert 'lectern_socket_closed_total{reason="slow client"} 1.0' in await answer.text()
    back = await tab("bo")
    page = await back.wish("join", live_session_id=room, after={"epoch": joined["epoch"], "seq": joined["seq"]})
    seqs = [event["seq"] for event in page["events"]]
    assert seqs == list(range(joined["seq"] + 1, page["seq"] + 1)) and set(said) < set(seqs)
    assert page["events"][-1]["payload"]["text"] == "without bo"
