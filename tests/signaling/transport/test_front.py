"""What is taken before the web server, what is passed on to it, and how such a WebSocket ends."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from signaling.transport import TransportLimits
from signaling.transport.hub import Hub
from tests.signaling.transport.conftest import Live, Start

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
LINES = {
    "Host": "class.example",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}
QUERY = "EIO=4&transport=websocket"


class Bare:
    """One TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, url: str) -> Bare:
        parts = urlsplit(url)
        return cls(*await asyncio.open_connection(parts.hostname, parts.port))

    async def head(self) -> str:
        async with asyncio.timeout(30):
            return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def frame(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame."""
        async with asyncio.timeout(30):
            first, size = await self.reader.readexactly(2)
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            return first & 0x0F, await self.reader.readexactly(size)

    async def rest(self) -> bytes:
        async with asyncio.timeout(30):
            return await self.reader.read()


def head(query: str = QUERY, path: str = "/socket.io/", **changed: str) -> bytes:
    lines = {**LINES, **{name.replace("_", "-"): value for name, value in changed.items()}}
    first = f"GET {path}?{query} HTTP/1.1"
    return "\r\n".join([first, *(f"{name}: {value}" for name, value in lines.items()), "", ""]).encode()


def masked(opcode: int, payload: bytes) -> bytes:
    return struct.pack("!BB", 0x80 | opcode, 0x80 | len(payload)) + bytes(4) + payload


def requests_of(live: Live) -> int:
    """How many connections' requests the web server has been given."""
    assert live.runner.server is not None
    return live.runner.server.requests_count


@pytest.fixture
async def bare(live: Live) -> AsyncIterator[Bare]:
    connection = await Bare.to(live.url)
    yield connection
    connection.writer.close()


async def accepted(bare: Bare) -> None:
    answer = await bare.head()
    assert answer.startswith("HTTP/1.1 101 ")
    digest = hashlib.sha1((KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    assert f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n" in answer
    opcode, opening = await bare.frame()
    assert opcode == 1 and opening.startswith(b'0{"sid":')


async def test_a_plain_handshake_never_becomes_a_request(live: Live, bare: Bare) -> None:
    bare.writer.write(head())
    await accepted(bare)
    assert requests_of(live) == 0


async def test_frames_that_come_with_the_handshake_are_heard(bare: Bare) -> None:
    bare.writer.write(head() + masked(1, b"40/live,{}"))
    await accepted(bare)
    assert (await bare.frame())[1].startswith(b'40/live,{"sid":')


@pytest.mark.parametrize(
    "sent",
    [
        head(Sec_WebSocket_Protocol="chat"),
        head(QUERY + "&t=a%20b"),
        head().replace(b"Upgrade: websocket", b"upgrade:\twebsocket"),
        head().replace(b"Host:", b"X-Other: \xc3\xa9\r\nHost:"),
    ],
    ids=["a subprotocol", "an escape in the query", "a tab", "a byte beyond ASCII"],
)
async def test_what_is_valid_but_unusual_is_served_by_the_web_server(live: Live, bare: Bare, sent: bytes) -> None:
    bare.writer.write(sent)
    await accepted(bare)
    assert requests_of(live) == 1


async def test_a_head_that_comes_in_pieces_is_served_too(live: Live, bare: Bare) -> None:
    bare.writer.write(head()[:40])
    await asyncio.sleep(0.05)  # so that it is a segment of its own
    bare.writer.write(head()[40:])
    await accepted(bare)
    assert requests_of(live) == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (head(Origin="https://elsewhere.example"), 403),
        (head(Sec_WebSocket_Key="short"), 400),
        (head(Sec_WebSocket_Version="12"), 400),
        (head(Connection="keep-alive"), 400),
        (head("EIO=3&transport=websocket"), 400),
        (head("EIO=4&EIO=3&transport=websocket"), 400),
        (head("EIO=4&transport=websocket&sid=0-nobody"), 400),
        (head(QUERY, path="/socket.io/x"), 404),
        (head().replace(b"Host:", b"No good:"), 400),
        (head(**{f"X-{number}": "one" for number in range(300)}), 400),
        (head(Origin="null"), 403),
        (head(Origin="http://class.example@elsewhere.example"), 403),
        (head(Origin="http://class.example").replace(b"Host:", b"Origin: http://elsewhere.example\r\nHost:"), 403),
        (head(Origin="http://elsewhere.example", X_Forwarded_Host="elsewhere.example"), 403),
        (head().replace(b"class.example", b"class.example\r\n folded"), 400),
        (head().replace(b"\r\n", b"\n"), 400),
    ],
)
async def test_what_is_wrong_is_refused_as_ever(live: Live, bare: Bare, sent: bytes, status: int) -> None:
    bare.writer.write(sent)
    assert (await bare.head()).split(" ")[1] == str(status)
    assert live.server.transports == 0


async def test_a_page_of_the_same_host_may_call(live: Live, bare: Bare) -> None:
    bare.writer.write(head(Origin="http://class.example"))
    await accepted(bare)
    assert requests_of(live) == 0


async def test_a_ping_is_answered_and_a_close_ends_in_both_directions(live: Live, bare: Bare) -> None:
    bare.writer.write(head() + masked(9, b"you?"))
    await accepted(bare)
    assert await bare.frame() == (10, b"you?")
    bare.writer.write(masked(8, struct.pack("!H", 1000)))
    assert await bare.frame() == (8, struct.pack("!H", 1000))
    assert await bare.rest() == b""
    assert live.server.transports == 0


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (struct.pack("!BBH", 0x81, 0xFE, 0) + bytes(4), None),  # an empty packet is no Engine.IO
        (b"\x83\x80" + bytes(4), 1002),  # a reserved opcode
        (struct.pack("!BBQ", 0x81, 0xFF, 70_000) + bytes(4) + bytes(70_000), 1009),
        (masked(1, b"\xff\xfe"), 1007),
    ],
    ids=["empty", "opcode", "size", "not UTF-8"],
)
async def test_bytes_that_are_no_messages_close_with_a_reason(bare: Bare, frame: bytes, code: int | None) -> None:
    bare.writer.write(head() + frame)
    await accepted(bare)
    opcode, payload = await bare.frame()
    assert opcode == 8
    if code is not None:
        assert payload[:2] == struct.pack("!H", code)


async def test_whoever_closes_without_reading_is_gone_in_time(start: Start) -> None:
    live = await start(limits=TransportLimits(close_seconds=0.2))
    loop, parts = asyncio.get_running_loop(), urlsplit(live.url)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await loop.sock_connect(client, (parts.hostname, parts.port))
        await loop.sock_sendall(client, head() + masked(1, b"40/live,{}"))
        async with asyncio.timeout(30):
            while not live.server.connections():
                await asyncio.sleep(0.01)
        (connection,) = live.server.connections()
        async with asyncio.timeout(30):
            while not connection.is_busy:  # the kernel has taken all it takes, and much is left
                connection.emit("much", {"text": "x" * 60_000})
                await asyncio.sleep(0)
        await loop.sock_sendall(client, masked(8, struct.pack("!H", 1000)))
        async with asyncio.timeout(5):  # no ping goes unanswered before
            while live.server.transports:
                await asyncio.sleep(0.01)


async def test_a_mistake_of_ours_in_a_message_is_logged_and_said(
    live: Live, bare: Bare, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*told: object) -> None:
        raise LookupError("a mistake")

    monkeypatch.setattr(Hub, "received", fails)
    with capture_logs() as logs:
        bare.writer.write(head() + masked(1, b"40/live,{}"))
        await accepted(bare)
        assert await bare.frame() == (8, struct.pack("!H", 1011))
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["message_failed"]


def test_messages_are_heard_where_the_library_has_no_compiled_parser() -> None:
    """Platforms without its wheels."""
    hears = f"""
from unittest.mock import Mock
from aiohttp._websocket.reader import WebSocketReader
from signaling.transport.direct import Frames
link = Mock()
WebSocketReader(Frames(link), 100, False, True).feed_data({masked(1, b"first") + masked(1, b"second")!r})
print(*[call.args[1] for call in link.heard.call_args_list], WebSocketReader.__module__)
"""
    environment = {**os.environ, "AIOHTTP_NO_EXTENSIONS": "1"}
    done = subprocess.run([sys.executable, "-c", hears], env=environment, capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["first", "second", "aiohttp._websocket.reader_py"], done.stderr


async def test_a_connection_that_says_nothing_is_closed(start: Start) -> None:
    live = await start(idle_seconds=0.1)
    silent, talker = await Bare.to(live.url), await Bare.to(live.url)
    talker.writer.write(head())
    await accepted(talker)
    assert await silent.rest() == b""
    talker.writer.write(masked(9, b""))
    assert await talker.frame() == (10, b"")
    for connection in (silent, talker):
        connection.writer.close()


async def test_the_end_of_a_server_waits_for_nobody_who_is_silent(live: Live, bare: Bare) -> None:
    while not live.runner.server.silent:  # type: ignore[union-attr]  # a Front
        await asyncio.sleep(0)
    await live.runner.cleanup()
    assert await bare.rest() == b""
