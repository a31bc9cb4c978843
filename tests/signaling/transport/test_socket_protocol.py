"""What Socket.IO v5 demands of a server, in the cases its published checks name."""

from __future__ import annotations

import json

import aiohttp
import pytest

from tests.conformance_server import LIMITS
from tests.signaling.transport.conftest import Conformance
from tests.signaling.transport.raw import RawClient, RawSocket


@pytest.fixture
async def url(conformance: Conformance) -> str:
    return (await conformance(engine=False)).url


async def in_main(raw: RawClient, url: str) -> RawSocket:
    """A WebSocket accepted in the main namespace."""
    socket, _ = await raw.websocket(url)
    await socket.send("40")
    assert str(await socket.receive()).startswith('40{"sid":')
    assert await socket.receive() == '42["auth",{}]'
    return socket


@pytest.mark.parametrize(
    ("asked", "accepted", "told"),
    [
        ("40", "40", '42["auth",{}]'),
        ('40{"token":"123"}', "40", '42["auth",{"token":"123"}]'),
        ("40/custom,", "40/custom,", '42/custom,["auth",{}]'),
        ('40/custom,{"token":"abc"}', "40/custom,", '42/custom,["auth",{"token":"abc"}]'),
    ],
)
async def test_connecting_to_a_namespace(raw: RawClient, url: str, asked: str, accepted: str, told: str) -> None:
    socket, _ = await raw.websocket(url)
    await socket.send(asked)
    answer = str(await socket.receive())
    assert answer.startswith(accepted)
    assert list(json.loads(answer.removeprefix(accepted))) == ["sid"]
    assert await socket.receive() == told


async def test_an_unknown_namespace_is_refused_and_the_known_one_stays(raw: RawClient, url: str) -> None:
    socket = await in_main(raw, url)
    await socket.send("40/random")
    assert await socket.receive() == '44/random,{"message":"Invalid namespace"}'
    await socket.send('42["message","still here"]')
    assert await socket.receive() == '42["message-back","still here"]'


@pytest.mark.parametrize("packet", ["4abc", "4", "40[]", '40"x"', '42["message"]', "451-[]", "47", "44{}"])
async def test_an_invalid_handshake_closes_at_once(raw: RawClient, url: str, packet: str) -> None:
    socket, _ = await raw.websocket(url)
    await socket.send(packet)
    assert await socket.closed() == aiohttp.WSCloseCode.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "packet",
    [
        "4abc",
        "42{}",
        '42abc["message-with-ack",1]',
        "42[]",
        "42[1]",
        "42null",
        '42["message",NaN]',
        "42" + "[" * 30_000,
        '4511-["message"]',
        '459999999999-["message"]',
        '421-["message"]',
        "43[]",
        "40",
        "41{}",
        "44",
        b"\x01",
    ],
)
async def test_an_invalid_packet_closes_at_once(raw: RawClient, url: str, packet: str | bytes) -> None:
    socket = await in_main(raw, url)
    await socket.send(packet)
    assert await socket.closed() == aiohttp.WSCloseCode.PROTOCOL_ERROR


async def test_leaving_the_only_namespace_keeps_the_transport_for_a_while(
    raw: RawClient, conformance: Conformance
) -> None:
    socket = await in_main(raw, (await conformance(engine=False, limits=LIMITS)).url)
    await socket.send("41")
    assert (await socket.ws.receive()).data == "2"


async def test_leaving_one_namespace_leaves_the_other_alone(raw: RawClient, url: str) -> None:
    socket = await in_main(raw, url)
    await socket.send("40/custom")
    await socket.receive()
    await socket.receive()
    await socket.send("41/custom")
    await socket.send('42["message","to main"]')
    assert await socket.receive() == '42["message-back","to main"]'


async def test_text_there_and_back_and_acknowledged(raw: RawClient, url: str) -> None:
    socket = await in_main(raw, url)
    await socket.send('42["message",1,"2",{"3":[true]}]')
    assert await socket.receive() == '42["message-back",1,"2",{"3":[true]}]'
    await socket.send('42456["message-with-ack",1,"2",{"3":[false]}]')
    assert await socket.receive() == '43456[1,"2",{"3":[false]}]'


async def test_attachments_there_and_back_and_acknowledged(raw: RawClient, url: str) -> None:
    socket = await in_main(raw, url)
    holes = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
    for asked, answered in (
        (f'452-["message",{holes}]', f'452-["message-back",{holes}]'),
        (f'452-789["message-with-ack",{holes}]', f"462-789[{holes}]"),
    ):
        for packet in (asked, b"\x01\x02\x03", b"\x04\x05\x06"):
            await socket.send(packet)
        assert [await socket.receive() for _ in range(3)] == [answered, b"\x01\x02\x03", b"\x04\x05\x06"]


@pytest.mark.parametrize("hole", ['{"_placeholder":true,"num":7}', '{"_placeholder":true,"num":"x"}'])
async def test_a_placeholder_without_its_attachment_closes(raw: RawClient, url: str, hole: str) -> None:
    socket = await in_main(raw, url)
    await socket.send(f'451-["message",{hole}]')
    await socket.send(b"\x01")
    assert await socket.closed() == aiohttp.WSCloseCode.PROTOCOL_ERROR


async def test_text_where_an_attachment_was_announced_closes(raw: RawClient, url: str) -> None:
    socket = await in_main(raw, url)
    await socket.send('451-["message",{"_placeholder":true,"num":0}]')
    await socket.send('42["message"]')
    assert await socket.closed() == aiohttp.WSCloseCode.PROTOCOL_ERROR
