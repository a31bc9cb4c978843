"""Two processes' transports on ports of their own: what reaches the wrong one is answered by the right one."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from signaling.transport import LiveServer, Place, TransportLimits
from signaling.transport.adoption import Door
from tests.signaling.transport.certificates import a_certificate
from tests.signaling.transport.classroom import Classroom
from tests.signaling.transport.raw import RawClient, RawPolling, RawSocket

LIMITS = TransportLimits(message_bytes=5_000)


@dataclass
class Worker:
    """One of the two: where it is, and who handles its events. `leave()` is its end."""

    url: str
    server: LiveServer
    classroom: Classroom
    leave: Callable[[], Awaitable[None]]


Pair = Callable[..., Awaitable[list[Worker]]]


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    """`zero, one = await pair()`; with a certificate they speak TLS."""
    async with AsyncExitStack() as stack:

        async def started(certificate: Path | None = None) -> list[Worker]:
            return [await _worker(stack, Place(number, 2, tmp_path), certificate) for number in range(2)]

        yield started


async def _worker(stack: AsyncExitStack, place: Place, certificate: Path | None) -> Worker:
    classroom = Classroom()
    server = classroom.server = LiveServer(classroom, place=place, limits=LIMITS)
    app = web.Application()
    server.attach(app)
    runner = server.runner(app, shutdown_timeout=1)
    await runner.setup()
    inner = await stack.enter_async_context(AsyncExitStack())
    inner.push_async_callback(runner.cleanup)
    inner.push_async_callback(server.close)
    await web.UnixSite(runner, str(place.http(place.number))).start()
    assert runner.server is not None
    inner.push_async_callback(Door(place.door(place.number), runner.server).close)
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = next(a[1] for a in runner.addresses if isinstance(a, tuple))
    return Worker(f"http{'s' if tls else ''}://127.0.0.1:{port}", server, classroom, inner.aclose)


def seen_from(worker: Worker, session: RawPolling, http: aiohttp.ClientSession) -> RawPolling:
    """The same session, asked for at that worker."""
    return RawPolling(http, f"{worker.url}/socket.io", session.opening)


async def upgraded(http: aiohttp.ClientSession, session: RawPolling) -> RawSocket:
    ws = await http.ws_connect(session.websocket_url)
    socket = RawSocket(ws)
    await socket.send("2probe")
    assert await socket.receive() == "3probe"
    await socket.send("5")
    return socket


async def test_polls_and_posts_reach_the_session_through_either(
    pair: Pair, raw: RawClient, http: aiohttp.ClientSession
) -> None:
    zero, one = await pair()
    for here, there in ((zero, one), (one, zero)):
        session = await raw.polling(here.url)
        other = seen_from(there, session, http)
        assert await other.post("40/live,{}") == (200, "ok")
        assert (await session.poll_until("40/live"))[0].startswith("40/live,")
        assert await other.post('42/live,7["echo",{"a":1}]') == (200, "ok")
        assert (await other.poll_until("43"))[-1].startswith("43/live,7")
        assert [connection.remote_address for connection in here.classroom.connections[-1:]] == ["127.0.0.1"]


async def test_an_upgrade_at_the_wrong_process_moves_the_connection_itself(
    pair: Pair, raw: RawClient, http: aiohttp.ClientSession
) -> None:
    zero, one = await pair()
    session = await raw.polling(zero.url)
    other = seen_from(one, session, http)
    await other.post("40/live,{}")
    await other.poll_until("40/live")
    socket = await upgraded(http, other)
    await one.leave()  # no hop remains: the connection lives on without the process that accepted it
    await socket.send('42/live,1["echo",{"b":2}]')
    assert str(await socket.receive()).startswith("43/live,1")
    zero.server.broadcast("class", "said", {"n": 1})
    assert await socket.receive() == '42/live,["said",{"n":1}]'
    assert zero.server.counters.upgraded == 1


async def test_under_tls_the_upgrade_is_carried(pair: Pair, tmp_path: Path) -> None:
    certificate = a_certificate(tmp_path)
    zero, one = await pair(certificate)
    theirs = ssl.create_default_context(cafile=str(certificate))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=theirs)) as http:
        session = await RawClient(http).polling(zero.url)
        other = seen_from(one, session, http)
        await other.post("40/live,{}")
        await other.poll_until("40/live")
        socket = await upgraded(http, other)
        await socket.send('42/live,1["echo",{"b":2}]')
        assert str(await socket.receive()).startswith("43/live,1")
        zero.server.broadcast("class", "said", {"text": "x" * 300_000})
        assert len(str(await socket.receive())) > 300_000
        await zero.server.close()
        assert await socket.closed() is not None
        again = await RawClient(http).polling(one.url)
        lost = seen_from(zero, again, http)
        await lost.post("40/live,{}")
        await lost.poll_until("40/live")
        carried = await upgraded(http, lost)
        await carried.ws.close()
        await one.classroom.until(lambda: one.classroom.left)


async def test_a_sibling_that_is_gone_is_a_session_nobody_knows(
    pair: Pair, raw: RawClient, http: aiohttp.ClientSession
) -> None:
    zero, one = await pair()
    session = await raw.polling(zero.url)
    other = seen_from(one, session, http)
    await zero.leave()
    status, body = await other.poll()
    assert (status, "Invalid session" in body) == (400, True)
    assert (await other.post("3"))[0] == 400
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(other.websocket_url)
    assert refused.value.status == 400


@pytest.mark.parametrize("sid", ["7-abc", "0-abc", "1-abc", "-abc", "abc", "²-abc", "99999-abc", "0"])
async def test_what_no_worker_made_is_unknown_everywhere(pair: Pair, http: aiohttp.ClientSession, sid: str) -> None:
    zero, one = await pair()
    for worker in (zero, one):
        session = RawPolling(http, f"{worker.url}/socket.io", {"sid": sid})
        assert (await session.poll())[0] == 400


async def test_a_body_too_large_ends_the_session_at_its_owner(
    pair: Pair, raw: RawClient, http: aiohttp.ClientSession
) -> None:
    zero, one = await pair()
    session = await raw.polling(zero.url)
    assert (await seen_from(one, session, http).post("4" + "x" * 6_000))[0] == 400
    assert zero.server.transports == 0


async def test_a_strangers_page_is_refused_wherever_it_comes(
    pair: Pair, raw: RawClient, http: aiohttp.ClientSession
) -> None:
    zero, one = await pair()
    session = await raw.polling(zero.url)
    other = seen_from(one, session, http)
    stranger = {"Origin": "https://evil.example"}
    async with http.get(other.url, headers=stranger) as answer:
        assert answer.status == 403
    async with http.post(other.url, data="3", headers={"Origin": one.url}) as answer:
        assert answer.status == 200
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(other.websocket_url, headers=stranger)
    assert refused.value.status == 403
