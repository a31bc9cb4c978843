"""How a connection begins and ends, and that its handlers hear of both exactly once."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from signaling.transport import Connection, ConnectRefused, TransportLimits
from signaling.transport.engine_socket import EngineSocket
from signaling.transport.gate import MOMENT_SECONDS
from signaling.transport.server import LOOK_SECONDS
from tests.signaling.transport.classroom import PATIENCE
from tests.signaling.transport.conftest import Live, Start
from tests.signaling.transport.official import OfficialClients
from tests.signaling.transport.raw import RawClient, RawSocket


async def test_a_connection_being_decided_on_hears_nothing_and_a_refused_one_never_does(
    live: Live, raw: RawClient
) -> None:
    accepted, _ = await raw.websocket(live.url)
    await accepted.send('40/live,{"slow":true,"early":1}')
    refused, _ = await raw.websocket(live.url)
    await refused.send('40/live,{"slow":true,"early":2,"refuse":"unauthenticated"}')
    classroom = live.classroom
    await classroom.until(lambda: len(classroom.deciding) == 2)
    live.server.broadcast("class", "said", {"secret": True})
    for connection in classroom.deciding:
        assert connection.emit("said", {"secret": 2})
        assert not connection.emit_droppable("said", {"secret": 3})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await refused.ws.receive()

    classroom.decide.set()
    error = str(await refused.receive())
    assert error.startswith('44/live,{"message":"Sign in again.","data":{"code":"unauthenticated"')
    await refused.closed()
    assert str(await accepted.receive()).startswith("40/live,")
    assert [await accepted.receive() for _ in range(3)] == [
        '42/live,["welcome",{"early":1}]',
        '42/live,["said",{"secret":true}]',
        '42/live,["said",{"secret":2}]',
    ]
    assert [c.state for c in live.server.members("class")] == [None]
    assert classroom.left == []


async def test_a_client_that_leaves_while_being_decided_on_is_let_in_and_out(live: Live, raw: RawClient) -> None:
    socket, _ = await raw.websocket(live.url)
    await socket.send('40/live,{"slow":true,"early":1}')
    await live.classroom.until(lambda: live.classroom.deciding)
    await socket.ws.close()
    live.classroom.decide.set()
    ((connection, reason),) = await live.classroom.until(lambda: live.classroom.left)
    assert not connection.connected
    assert reason == "transport close"
    assert not live.server.members("class")
    assert not live.server.connections()


async def test_a_transport_that_never_connects_is_closed(start: Start, raw: RawClient) -> None:
    live = await start(limits=TransportLimits(connect_timeout=0.1))
    socket, _ = await raw.websocket(live.url)
    polling = await raw.polling(live.url)
    await socket.closed()
    assert "1" in await polling.poll_until("1")
    assert live.server.counters.closed["connect timeout"] == 2


async def test_a_transport_whose_handler_hangs_is_closed(start: Start, raw: RawClient) -> None:
    live = await start(limits=TransportLimits(connect_timeout=0.1))
    socket, _ = await raw.websocket(live.url)
    await socket.send('40/live,{"slow":true}')
    await socket.closed()
    assert live.server.counters.closed["connect timeout"] == 1
    assert live.classroom.left == []


async def test_a_broken_connect_handler_refuses(live: Live, raw: RawClient) -> None:
    socket, _ = await raw.websocket(live.url)
    assert '"code":"internal"' in str(await socket.connect({"broken": True}))
    await socket.closed()


async def test_a_refused_client_may_try_again_but_not_for_ever(live: Live, raw: RawClient) -> None:
    socket, _ = await raw.websocket(live.url)
    for _ in range(5):
        assert str(await socket.connect({"refuse": "token_expired"})).startswith("44/live,")
    assert str(await socket.connect()).startswith("40/live,")

    socket, _ = await raw.websocket(live.url)
    for _ in range(6):
        await socket.connect({"refuse": "token_expired"})
    await socket.closed()
    assert live.server.counters.closed["refused"] == 1


@pytest.mark.parametrize("ending", ["left", "refused"])
async def test_what_a_client_was_is_freed_without_the_collector(live: Live, raw: RawClient, ending: str) -> None:
    class Owned:
        """What a handler keeps of a client, and refers back to its connection."""

        def __init__(self, connection: Connection) -> None:
            self.connection = connection

    def kept() -> int:
        return sum(isinstance(found, Connection | EngineSocket | Owned) for found in gc.get_objects())

    transports = list[weakref.ref[asyncio.Transport]]()

    async def connect(connection: Connection, auth: Mapping[str, Any]) -> None:
        link = connection._socket.link
        assert link is not None
        transports.append(weakref.ref(link._transport))
        connection.state = Owned(connection)
        if ending == "refused":
            raise ConnectRefused("token_expired", {})

    live.classroom.connect = connect  # type: ignore[method-assign]
    gc.collect()
    gc.disable()
    try:
        before = kept()
        for _ in range(10):
            socket, _ = await raw.websocket(live.url)
            await socket.connect()
            await (socket.closed() if ending == "refused" else socket.ws.close())
        await live.classroom.until(lambda: ending == "refused" or len(live.classroom.left) == 10)
        live.classroom.left.clear()
        async with asyncio.timeout(PATIENCE):
            while kept() > before or any(transport() is not None for transport in transports):
                await asyncio.sleep(LOOK_SECONDS)
    finally:
        gc.enable()


async def test_many_at_once_are_let_in_a_few_at_a_time_and_none_is_dropped(start: Start, raw: RawClient) -> None:
    live = await start(limits=TransportLimits(connecting=3))
    sockets = [(await raw.websocket(live.url))[0] for _ in range(12)]
    for socket in sockets:
        await socket.send('40/live,{"slow":true}')
    await live.classroom.until(lambda: len(live.classroom.deciding) == 3)
    live.classroom.decide.set()
    for socket in sockets:
        assert str(await socket.receive()).startswith("40/live,")
    assert len(live.server.connections()) == 12


async def seen(reached: Callable[[], object]) -> None:
    """Wait for what no handler is told of."""
    async with asyncio.timeout(PATIENCE):
        while not reached():
            await asyncio.sleep(LOOK_SECONDS)


async def test_a_crowd_is_let_in_at_a_bounded_rate_and_in_order(start: Start, raw: RawClient) -> None:
    live = await start(limits=TransportLimits(connects_per_second=50, connect_burst=2))
    sockets = [(await raw.websocket(live.url))[0] for _ in range(12)]
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number, socket in enumerate(sockets):
        await socket.send(f'40/live,{{"name":{number}}}')
    for socket in sockets:
        assert str(await socket.receive()).startswith("40/live,")
    assert loop.time() - began >= (12 - 2) / 50 - 2 * MOMENT_SECONDS
    assert [connection.state for connection in live.classroom.connections] == list(range(12))


async def test_a_late_loop_lets_fewer_in_and_does_not_make_up_for_it(start: Start, raw: RawClient) -> None:
    live = await start(limits=TransportLimits(connects_per_second=100, connect_burst=20))
    sockets = [(await raw.websocket(live.url))[0] for _ in range(40)]
    for socket in sockets:
        await socket.send("40/live,{}")
    await live.classroom.until(lambda: len(live.classroom.connections) >= 20)
    before = len(live.classroom.connections)
    time.sleep(0.2)
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(live.classroom.connections) - before <= 2  # 20 would have been due
    await live.classroom.until(lambda: len(live.classroom.connections) == 40)


async def test_beyond_the_line_one_is_asked_to_come_back_and_nobody_in_it_is_dropped(
    start: Start, raw: RawClient
) -> None:
    live = await start(limits=TransportLimits(connecting=1, waiting_connects=3))
    sockets = [(await raw.websocket(live.url))[0] for _ in range(6)]
    for socket in sockets[:4]:
        await socket.send('40/live,{"slow":true}')
    await seen(lambda: live.server.waiting == 3)
    await sockets[4].send("40/live,{}")
    await sockets[4].closed()
    assert live.server.counters.closed["line full"] == 1
    async with raw.http.get(f"{live.url}/socket.io/?EIO=4&transport=polling") as response:
        assert response.status == 503
        assert (await response.json())["code"] == "crowded"
        assert int(response.headers["Retry-After"]) >= 1
    assert live.server.counters.refused["crowded"] == 2
    await sockets[3].ws.close()  # gives up the place in line, which the next one takes
    await seen(lambda: live.server.waiting == 2)
    await sockets[5].send("40/live,{}")
    await seen(lambda: live.server.waiting == 3)
    live.classroom.decide.set()
    for socket in (*sockets[:3], sockets[5]):
        assert str(await socket.receive()).startswith("40/live,")
    assert live.server.waiting == 0


async def test_the_official_client_comes_back_by_itself_when_the_line_was_full(
    start: Start, raw: RawClient, official: OfficialClients
) -> None:
    live = await start(limits=TransportLimits(connecting=1, waiting_connects=1))
    sockets = [(await raw.websocket(live.url))[0] for _ in range(2)]
    for socket in sockets:
        await socket.send('40/live,{"slow":true}')
    await seen(lambda: live.server.waiting == 1)
    ana = official.client("ana")
    ana.connect(live.live_url, transports=["websocket"])
    await seen(lambda: live.server.counters.refused["crowded"])
    live.classroom.decide.set()
    await ana.first("connect")
    assert len(live.server.connections()) == 3


async def test_wishes_sent_just_before_leaving_are_still_worked(live: Live, raw: RawClient) -> None:
    socket = await raw.live(live.url)
    for number in range(10):
        await socket.send(f'42/live,["echo",{{"n":{number}}}]')
    await socket.send("41/live,")
    await live.classroom.until(lambda: live.classroom.left)
    assert [p["n"] for _, p in live.classroom.wishes] == list(range(10))
    assert live.classroom.left[0][1] == "client disconnect"


@pytest.mark.parametrize(
    ("ending", "reason"), [("close", "transport close"), ("1", "client disconnect"), ("abc", "malformed")]
)
async def test_the_end_is_told_once_with_its_reason(live: Live, raw: RawClient, ending: str, reason: str) -> None:
    socket = await raw.live(live.url)
    (connection,) = live.server.connections()
    if ending == "close":
        await socket.ws.close()
    else:
        await socket.send(ending)
        await socket.closed()
    await live.classroom.until(lambda: live.classroom.left)
    connection.close("again")
    live.server.enter(connection, "class")
    assert [r for _, r in live.classroom.left] == [reason]
    assert not connection.emit("said", {})
    assert not live.server.members("class")


async def test_closing_the_server_flushes_tells_everyone_and_waits(live: Live, raw: RawClient) -> None:
    socket, polling = await raw.live(live.url), await raw.polling(live.url)
    await polling.post("40/live,{}")
    await live.classroom.until(lambda: len(live.classroom.connections) == 2)
    live.server.broadcast("class", "said", {"last": 1})
    await live.server.close()
    assert await socket.receive() == '42/live,["said",{"last":1}]'
    await socket.closed()
    packets = await polling.poll_until("1")
    assert packets[-2:] == ['42/live,["said",{"last":1}]', "1"]
    assert [r for _, r in live.classroom.left] == ["server going away"] * 2
    async with raw.http.get(f"{live.url}/socket.io/?EIO=4&transport=polling") as response:
        assert response.status == 503


async def test_closing_in_the_middle_of_an_upgrade_closes_both_transports(live: Live, raw: RawClient) -> None:
    polling = await raw.polling(live.url)
    candidate = RawSocket(await raw.http.ws_connect(polling.websocket_url))
    await candidate.send("2probe")
    assert await candidate.receive() == "3probe"
    await live.server.close()
    await candidate.closed()
    assert await polling.poll_until("1") == ["1"]
    assert live.server.transports == 0


async def test_a_restarted_server_is_found_again_by_the_official_client(
    start: Start, official: OfficialClients
) -> None:
    live = await start()
    ana = official.client("ana")
    await ana.connected(live.live_url, transports=["websocket"])
    (connection,) = live.server.connections()
    connection.close("going away")
    await ana.first("connect", count=2)
    assert (await ana.first("disconnect"))["reason"] == "transport close"


async def test_ids_are_unguessable_and_begin_with_the_workers_number(start: Start, raw: RawClient) -> None:
    live = await start(worker=3)
    sessions = [await raw.websocket(live.url) for _ in range(2)]
    for socket, opening in sessions:
        await socket.connect()
        assert opening["sid"].startswith("3-")
        assert len(opening["sid"]) >= 20
    ids = {c.id for c in live.server.connections()}
    assert len(ids) == 2
    assert all(i.startswith("3-") for i in ids)
    assert ids.isdisjoint(opening["sid"] for _, opening in sessions)
