"""Telling a room: the same to all, in order, in few writes, and nobody waits for a slow reader."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
from typing import Any

import aiohttp
import pytest

from signaling.transport import Ready, TransportLimits, packets
from signaling.transport import server as server_module
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


async def test_who_falls_behind_and_catches_up_hears_everything_once_and_in_order(start: Start, raw: RawClient) -> None:
    live = await start(limits=TransportLimits(buffer_bytes=50_000_000))
    late = await stalled(raw, live.url)
    for _ in range(2):
        await raw.live(live.url)
    connection = next(iter(live.server.connections()))
    told = 0

    def tell() -> None:
        nonlocal told
        live.server.broadcast("class", "said", {"n": told, "t": "x" * 50_000})
        told += 1

    async with asyncio.timeout(30):
        while not connection.is_busy:
            tell()
            await asyncio.sleep(0)
        tell()  # behind what waits
        late.ws._response.connection.transport.resume_reading()  # type: ignore[union-attr]
        for number in range(told):
            assert str(await late.receive()).startswith(f'42/live,["said",{{"n":{number},')
        assert not connection.is_busy
        for number in range(told, told + 3):
            tell()
            assert str(await late.receive()).startswith(f'42/live,["said",{{"n":{number},')


async def test_a_closing_server_waits_until_what_it_sent_is_taken(
    live: Live, raw: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "UNREAD_SECONDS", 20.0)
    late = await stalled(raw, live.url)
    (connection,) = live.server.connections()
    sent = 0
    async with asyncio.timeout(20):
        while not connection.is_busy:
            sent += live.server.broadcast("class", "said", {"t": "x" * 50_000})
            await asyncio.sleep(0)
        closing = asyncio.create_task(live.server.close())
        while live.server.transports:
            await asyncio.sleep(0)
        assert not closing.done()
        late.ws._response.connection.transport.resume_reading()  # type: ignore[union-attr]
        for _ in range(sent):
            assert str(await late.receive()).startswith('42/live,["said"')
        await late.closed()
        await closing


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"text": "Zoë 👋", "list": [1, 2.5, None, True], "nested": {"a": {"b": []}}},
        {"half": "\ud83d", "whole": "é"},
        {"made": Ready.of('{"before":1}'), "n": 2},
        {1: "one"},
    ],
)
def test_the_short_way_to_a_packet_makes_the_same_as_the_long_one(payload: dict[Any, Any]) -> None:
    assert packets.event("/live", "said", (payload,)).frame == packets.event_frame("/live", "said", payload)


def test_a_payload_that_holds_itself_is_refused() -> None:
    payload: dict[str, Any] = {}
    payload["self"] = payload
    with pytest.raises(ValueError, match="Circular"):
        packets.event_frame("/live", "said", payload)


async def test_what_browsers_cannot_parse_is_not_sent(live: Live, raw: RawClient) -> None:
    await raw.live(live.url)
    with pytest.raises(ValueError, match="not JSON compliant"):
        live.server.broadcast("class", "said", {"level": float("nan")})


async def test_members_of_several_rooms_hear_everything_in_the_order_of_telling(live: Live, raw: RawClient) -> None:
    """Some are told through one room, some through several, some something of their own between."""
    sockets = [await raw.live(live.url, {"name": str(number)}) for number in range(8)]
    people = sorted(live.classroom.connections, key=lambda connection: int(connection.state))
    rooms: dict[str, list[int]] = {"odd": [1, 3, 5, 7], "even": [0, 2, 4, 6], "low": [0, 1, 2, 3], "pair": [6, 7]}
    rooms |= {f"trio {n}": [n, (n + 1) % 8, (n + 2) % 8] for n in range(8)}
    for room, inside in rooms.items():
        for number in inside:
            live.server.enter(people[number], room)
    heard: list[list[str]] = [[] for _ in people]
    chance = random.Random(7)
    before, needed, reached = live.server.counters.writes, 0, set[int]()
    for count in range(300):
        if chance.random() < 0.3:
            told = [chance.randrange(8)]
            people[told[0]].emit("said", {"n": count})
        else:
            room = chance.choice([*rooms, "class"])
            told = rooms.get(room, list(range(8)))
            assert live.server.broadcast(room, "said", {"n": count}) == len(told)
        reached.update(told)
        for number in told:
            heard[number].append(f'42/live,["said",{{"n":{count}}}]')
        if count % 10 == 9:
            needed, reached = needed + len(reached), set()
            async with asyncio.timeout(10):
                while live.server.counters.writes - before < needed:
                    await asyncio.sleep(0)
    assert live.server.counters.writes - before == needed  # one a client and turn
    for reader, expected in zip(sockets, heard, strict=True):
        assert [await reader.receive() for _ in expected] == expected


async def test_rooms_told_in_one_turn_are_one_write_a_client(live: Live, raw: RawClient) -> None:
    sockets = [await raw.live(live.url) for _ in range(6)]
    for number, person in enumerate(live.classroom.connections):
        live.server.enter(person, f"room {number % 2}")
    before = live.server.counters.writes
    for count in range(10):
        live.server.broadcast(f"room {count % 2}", "said", {"n": count})
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert live.server.counters.writes - before == len(sockets)


async def test_who_comes_or_goes_within_a_turn_hears_what_was_told_while_inside(live: Live, raw: RawClient) -> None:
    sockets = [await raw.live(live.url, {"name": str(number)}) for number in range(5)]
    people = sorted(live.classroom.connections, key=lambda connection: int(connection.state))
    live.server.leave(people[4], "class")
    live.server.broadcast("class", "said", {"n": 1})
    live.server.leave(people[0], "class")
    live.server.enter(people[4], "class")
    people[1].close("enough")
    assert live.server.broadcast("class", "said", {"n": 2}) == 3
    first, second = ('42/live,["said",{"n":1}]', '42/live,["said",{"n":2}]')
    for reader in sockets[2:4]:
        assert [await reader.receive(), await reader.receive()] == [first, second]
    assert await sockets[4].receive() == second
    assert await sockets[0].receive() == first
    assert await sockets[1].receive() == first
    people[0].emit("said", {"n": 3})
    assert await sockets[0].receive() == '42/live,["said",{"n":3}]'


async def test_much_told_in_one_turn_does_not_gather_without_a_bound(live: Live, raw: RawClient) -> None:
    sockets = [await raw.live(live.url) for _ in range(4)]
    for count in range(40):
        live.server.broadcast("class", "said", {"n": count, "t": "x" * 10_000})
        assert live.server.members("class")
        assert max(c._socket.link.unread_bytes for c in live.classroom.connections if c._socket.link) < 1 << 20
    assert live.server.counters.writes >= 4 * 40 * 10_000 // (1 << 17)
    for reader in sockets:
        for count in range(40):
            assert str(await reader.receive()).startswith(f'42/live,["said",{{"n":{count},')


async def test_a_member_that_is_lost_ends_in_the_ordinary_way(live: Live, raw: RawClient) -> None:
    sockets = [await raw.live(live.url) for _ in range(4)]
    transport = sockets[0].ws._response.connection.transport  # type: ignore[union-attr]
    assert isinstance(transport, asyncio.Transport)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()  # with a reset: the next write meets ECONNRESET or EPIPE
    for count in range(50):
        live.server.broadcast("class", "said", {"n": count, "t": "x" * 2000})
        live.server.broadcast("class", "said", {"n": count, "t": "y" * 2000})
        await asyncio.sleep(0)
    ((_, reason),) = await live.classroom.until(lambda: live.classroom.left)
    assert reason == "transport close"
    assert len(live.server.members("class")) == 3
    for other in sockets[1:]:
        for count in range(100):
            assert str(await other.receive()).startswith(f'42/live,["said",{{"n":{count // 2},')
