"""What Engine.IO v4 demands of a server, in the cases its published checks name, and where the library alone fails."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.conformance_server import LIMITS
from tests.signaling.transport.conftest import Checked, Conformance
from tests.signaling.transport.raw import RawClient, RawPolling, RawSocket


@pytest.fixture
async def checked(conformance: Conformance) -> Checked:
    return await conformance(engine=True)


@pytest.fixture
def url(checked: Checked) -> str:
    return checked.url


@pytest.fixture
async def impatient(conformance: Conformance) -> str:
    """With the intervals of the published checks: a ping after 0.3 s, an end 0.2 s later."""
    return (await conformance(engine=True, limits=LIMITS)).url


@pytest.fixture
async def raw(http: aiohttp.ClientSession) -> RawClient:
    return RawClient(http, "engine.io")


async def status_of(http: aiohttp.ClientSession, url: str, method: str = "GET") -> int:
    async with http.request(method, url) as response:
        return response.status


async def upgrading(raw: RawClient, session: RawPolling) -> RawSocket:
    """A WebSocket that has exchanged its probe and not yet completed the upgrade."""
    socket = RawSocket(await raw.http.ws_connect(session.websocket_url))
    await socket.send("2probe")
    assert await socket.receive() == "3probe"
    return socket


async def test_the_opening_says_exactly_what_the_server_does(raw: RawClient, impatient: str) -> None:
    session = await raw.polling(impatient)
    expected = {"pingInterval": 300, "pingTimeout": 200, "maxPayload": 1_000_000}
    assert session.opening == {"sid": session.sid, "upgrades": ["websocket"], **expected}
    _, opening = await raw.websocket(impatient)
    assert opening == {"sid": opening["sid"], "upgrades": [], **expected}


@pytest.mark.parametrize("query", ["transport=polling", "EIO=abc&transport=polling", "EIO=4", "EIO=4&transport=abc"])
async def test_a_wrong_query_is_refused_on_both_transports(http: aiohttp.ClientSession, url: str, query: str) -> None:
    assert await status_of(http, f"{url}/engine.io/?{query}") == 400
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await http.ws_connect(f"{url}/engine.io/?{query.replace('polling', 'websocket')}")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_only_get_opens_a_session(http: aiohttp.ClientSession, url: str, method: str) -> None:
    assert await status_of(http, f"{url}/engine.io/?EIO=4&transport=polling", method) == 400


@pytest.mark.parametrize("body", ["4hello", "4one\x1e4two\x1e4three", "4hello\x1ebAQIDBA=="])
async def test_polling_carries_text_and_binary_back(raw: RawClient, url: str, body: str) -> None:
    session = await raw.polling(url)
    assert await session.post(body) == (200, "ok")
    assert await session.poll() == (200, body)


async def test_websocket_carries_text_and_binary_back(raw: RawClient, url: str) -> None:
    socket, _ = await raw.websocket(url)
    for packet in ("4hello", b"\x01\x02\x03\x04", "4" + "x" * 200, b"y" * 70_000):
        await socket.send(packet)
        assert await socket.receive() == packet


@pytest.mark.parametrize("body", ["abc", "", "4a\x1e", "b***", "7", "2", b"4\xff"])
async def test_a_malformed_body_is_refused_and_ends_the_session(raw: RawClient, url: str, body: str | bytes) -> None:
    session = await raw.polling(url)
    assert (await session.post(body))[0] == 400
    assert (await session.poll())[0] == 400


@pytest.mark.parametrize("packet", ["abc", "", "9", "2", "5"])
async def test_a_malformed_frame_closes_at_once(raw: RawClient, url: str, packet: str) -> None:
    socket, _ = await raw.websocket(url)
    await socket.send(packet)
    assert await socket.closed() == aiohttp.WSCloseCode.PROTOCOL_ERROR


async def test_a_second_poll_closes_the_session(raw: RawClient, checked: Checked) -> None:
    session = await raw.polling(checked.url)
    first = asyncio.create_task(session.poll())
    await checked.until_polled(session.sid)
    assert (await session.poll())[0] == 400
    assert await first == (200, "1")
    assert (await session.poll())[0] == 400


async def test_a_canceled_poll_closes_the_session(raw: RawClient, checked: Checked) -> None:
    session = await raw.polling(checked.url)
    poll = asyncio.create_task(session.poll())
    await checked.until_polled(session.sid)
    poll.cancel()
    assert (await session.poll())[0] == 400


async def test_heartbeat_over_polling(raw: RawClient, impatient: str) -> None:
    session = await raw.polling(impatient)
    for _ in range(3):
        assert await session.poll() == (200, "2")
        assert await session.post("3") == (200, "ok")


async def test_a_silent_polling_session_is_gone_when_its_time_is_up(raw: RawClient, impatient: str) -> None:
    session = await raw.polling(impatient)
    await asyncio.sleep(0.5)
    assert (await session.poll())[0] == 400


async def test_heartbeat_over_websocket_and_its_end(raw: RawClient, impatient: str) -> None:
    socket, _ = await raw.websocket(impatient)
    for _ in range(3):
        assert (await socket.ws.receive()).data == "2"
        await socket.send("3")
    await socket.closed()


async def test_closing_over_polling_ends_a_waiting_poll(raw: RawClient, checked: Checked) -> None:
    session = await raw.polling(checked.url)
    poll = asyncio.create_task(session.poll())
    await checked.until_polled(session.sid)
    assert await session.post("1") == (200, "ok")
    assert await poll == (200, "6")
    assert (await session.poll())[0] == 400


async def test_closing_over_websocket(raw: RawClient, url: str) -> None:
    socket, _ = await raw.websocket(url)
    await socket.send("1")
    assert await socket.closed() == aiohttp.WSCloseCode.OK


async def test_an_upgrade_ends_polling_with_a_noop_and_sends_none_afterwards(raw: RawClient, url: str) -> None:
    session = await raw.polling(url)
    socket = await upgrading(raw, session)
    assert await session.poll() == (200, "6")
    await socket.send("5")
    await socket.send("4hello")
    assert await socket.receive() == "4hello"


async def test_what_waits_during_an_upgrade_arrives_once_and_first(raw: RawClient, url: str) -> None:
    session = await raw.polling(url)
    socket = await upgrading(raw, session)
    await session.post("4one\x1e4two")
    await socket.send("5")
    await socket.send("4three")
    assert [await socket.receive() for _ in range(3)] == ["4one", "4two", "4three"]


async def test_a_failed_upgrade_leaves_polling_as_it_was(raw: RawClient, url: str) -> None:
    session = await raw.polling(url)
    socket = await upgrading(raw, session)
    await session.post("4kept")
    await socket.ws.close()
    assert "4kept" in await session.poll_until("4kept")
    assert (await session.post("4more"))[0] == 200


@pytest.mark.parametrize("first", ["2", "5", "4hello"])
async def test_an_upgrade_without_a_probe_is_closed(raw: RawClient, url: str, first: str) -> None:
    session = await raw.polling(url)
    socket = RawSocket(await raw.http.ws_connect(session.websocket_url))
    await socket.send(first)
    assert await socket.closed() == aiohttp.WSCloseCode.OK
    assert (await session.post("4still here"))[0] == 200


async def test_requests_of_an_upgraded_session_change_nothing(raw: RawClient, url: str) -> None:
    session = await raw.polling(url)
    socket = await upgrading(raw, session)
    second = RawSocket(await raw.http.ws_connect(session.websocket_url))
    assert await second.closed() == aiohttp.WSCloseCode.OK
    await socket.send("5")
    assert (await session.poll())[0] == 400
    third = RawSocket(await raw.http.ws_connect(session.websocket_url))
    assert await third.closed() == aiohttp.WSCloseCode.OK
    await socket.send("4hello")
    assert await socket.receive() == "4hello"


async def test_too_much_in_one_request_is_refused_whole(raw: RawClient, url: str) -> None:
    session = await raw.polling(url)
    status, _ = await session.post("\x1e".join(["4x"] * 65))
    assert status == 400
    session = await raw.polling(url)
    status, _ = await session.post("4" + "x" * 1_000_000)
    assert status == 400
    session = await raw.polling(url)
    assert await session.post("\x1e".join(["4x"] * 64)) == (200, "ok")
    assert await session.poll() == (200, "\x1e".join(["4x"] * 64))


async def test_an_oversized_frame_closes(raw: RawClient, url: str) -> None:
    socket, _ = await raw.websocket(url)
    await socket.send("4" + "x" * 1_000_001)
    assert await socket.closed() == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
