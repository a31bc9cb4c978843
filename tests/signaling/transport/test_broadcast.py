"""Telling a room: the same to all, in order, in few writes, and nobody waits for a slow reader."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from signaling.transport import TransportLimits
from tests.signaling.transport.conftest import Live, Start
from tests.signaling.transport.raw import RawClient, RawSocket


async def test_members_are_told_and_others_not(live: Live, raw: RawClient) -> None:
    inside, outside = await raw.live(live.url, {"name": "in"}), await raw.live(live.url, {"name": "out"})
    by_name = {c.state: c for c in live.server.connections()}
    live.server.leave(by_name["out"], "class")
    assert live.server.broadcast("class", "said", {"n": 1}) == 1
    assert live.server.broadcast("class", "said", {"n": 2}, skip={by_name["in"]}) == 0
    assert live.server.broadcast("nowhere", "said", {"n": 3}) == 0
    live.server.enter(by_name["out"], "other")
    assert live.server.broadcast("other", "said", {"n": 4}) == 1
    assert await inside.receive() == '42/live,["said",{"n":1}]'
    assert await outside.receive() == '42/live,["said",{"n":4}]'


async def test_a_burst_in_one_turn_is_one_write_a_client_and_stays_in_order(live: Live, raw: RawClient) -> None:
    sockets = [await raw.live(live.url) for _ in range(3)]
    before = live.server.counters.writes
    for number in range(50):
        live.server.broadcast("class", "said", {"n": number})
        if number == 20:
            next(iter(live.server.connections())).emit("aside", {})
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert live.server.counters.writes - before == 3
    heard = [[str(await socket.receive()) for _ in range(50)] for socket in sockets[1:]]
    assert heard[0] == heard[1] == [f'42/live,["said",{{"n":{n}}}]' for n in range(50)]
    first = [str(await sockets[0].receive()) for _ in range(51)]
    assert first[21] == '42/live,["aside",{}]'


async def test_compression_is_never_negotiated(live: Live, http: aiohttp.ClientSession) -> None:
    async with http.ws_connect(f"{live.url}/socket.io/?EIO=4&transport=websocket", compress=15) as ws:
        assert ws.compress == 0


async def test_one_room_mixing_transports_hears_the_same(live: Live, raw: RawClient) -> None:
    socket, polling = await raw.live(live.url), await raw.polling(live.url)
    await polling.post("40/live,{}")
    await polling.poll_until("40/live")
    for number in range(5):
        live.server.broadcast("class", "said", {"n": number, "text": "Zoë 👋"})
    expected = [f'42/live,["said",{{"n":{n},"text":"Zoë 👋"}}]' for n in range(5)]
    assert [await socket.receive() for _ in range(5)] == expected
    assert await polling.poll_until(expected[-1]) == expected


async def test_frames_of_every_length_are_read_back(live: Live, raw: RawClient) -> None:
    socket = await raw.live(live.url)
    for size in (0, 100, 125, 126, 1000, 65_500, 65_536, 200_000):
        live.server.broadcast("class", "said", {"t": "x" * size})
        message = await socket.receive()
        assert json.loads(str(message).removeprefix("42/live,")) == ["said", {"t": "x" * size}]


async def stalled(raw: RawClient, url: str) -> RawSocket:
    """A member that stops reading from its connection."""
    socket = await raw.live(url)
    transport = socket.ws._response.connection.transport  # type: ignore[union-attr]
    assert isinstance(transport, asyncio.Transport)
    transport.pause_reading()
    return socket


async def test_a_stalled_reader_is_cut_and_the_others_hear_everything(live: Live, raw: RawClient) -> None:
    healthy = await raw.live(live.url)
    stuck = await stalled(raw, live.url)
    told = 0
    async with asyncio.timeout(30):
        while not live.server.counters.slow:
            live.server.broadcast("class", "said", {"n": told, "t": "x" * 60_000})
            assert f'"n":{told},' in str(await healthy.receive())
            told += 1
    ((_, reason),) = await live.classroom.until(lambda: live.classroom.left)
    assert reason == "slow client"
    assert len(live.server.members("class")) == 1
    assert not stuck.ws.closed
    live.server.broadcast("class", "said", {"n": "after"})
    assert await healthy.receive() == '42/live,["said",{"n":"after"}]'


async def test_a_client_that_stops_polling_is_cut(start: Start, raw: RawClient) -> None:
    live = await start(limits=TransportLimits(buffer_bytes=100_000))
    polling = await raw.polling(live.url)
    await polling.post("40/live,{}")
    await live.classroom.until(lambda: live.classroom.connections)
    told = 0
    while live.server.broadcast("class", "said", {"t": "x" * 10_000}):
        told += 1
    assert 10 <= told <= 11
    assert live.server.counters.slow == 1
    assert (await polling.poll())[0] == 400


async def test_droppable_events_are_skipped_for_a_busy_client_only(start: Start, raw: RawClient) -> None:
    live = await start(limits=TransportLimits(droppable_bytes=1000, buffer_bytes=50_000_000))
    healthy = await raw.live(live.url)
    stuck = await stalled(raw, live.url)
    async with asyncio.timeout(30):
        while live.server.broadcast_droppable("class", "typing", {"t": "x" * 50_000}) == 2:
            await healthy.receive()
    assert str(await healthy.receive()).startswith('42/live,["typing"')
    assert live.server.counters.dropped == 1
    busy = next(c for c in live.server.connections() if c.is_busy)
    assert not busy.emit_droppable("typing", {})
    assert busy.emit("said", {})
    assert not stuck.ws.closed


async def test_what_browsers_cannot_parse_is_not_sent(live: Live, raw: RawClient) -> None:
    await raw.live(live.url)
    with pytest.raises(ValueError, match="not JSON compliant"):
        live.server.broadcast("class", "said", {"level": float("nan")})
