"""A crowd of tabs on bare sockets: WebSocket, Engine.IO and Socket.IO of the client's side, as little as they need.

The usual Python client costs more than the server it measures. This one parses nothing but what it waits for: packets
are told apart by their first bytes, and a long acknowledgement is kept as it came.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Sequence
from typing import Any

NAMESPACE = "/live"
UPGRADE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
NO_MASK = b"\0\0\0\0"  # a client's frames must be masked (RFC 6455 5.3); with zeros the payload stays as it is


class Refused(Exception):
    """The server did not let this tab in; its words."""


class Tab(asyncio.Protocol):
    """One tab. `open()` connects it, `wish()` sends and waits; `heard` counts bytes of everything it was sent."""

    def __init__(self) -> None:
        self.heard = 0
        self.answer = b""  # kept by whoever asked
        self._transport: asyncio.Transport
        self._buffer = bytearray()
        self._is_upgraded = False
        self._auth = "{}"
        loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[None] = loop.create_future()
        self._answers: list[asyncio.Future[bytes]] = []
        self.over: asyncio.Future[None] = loop.create_future()

    @classmethod
    async def open(cls, host: str, port: int, auth: dict[str, Any]) -> Tab:
        """A tab that was let in. Raises Refused."""
        tab = cls()
        tab._auth = json.dumps(auth)
        await asyncio.get_running_loop().create_connection(lambda: tab, host, port)
        tab._transport.write(UPGRADE.format(host=host, port=port).encode())
        await tab._connected
        return tab

    async def wish(self, event: str, payload: dict[str, Any]) -> bytes:
        """The acknowledgement's JSON, a list of one."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        self._send(f"42{NAMESPACE},{len(self._answers) - 1}{json.dumps([event, payload])}")
        return await answer

    def cut(self) -> None:
        """Gone without a word."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)
        everything: list[asyncio.Future[Any]] = [self._connected, *self._answers]
        for waiting in everything:
            if not waiting.done():
                waiting.set_exception(Refused("the connection was cut"))
                waiting.exception()

    def data_received(self, data: bytes) -> None:
        self.heard += len(data)
        self._buffer += data
        if not self._is_upgraded:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head[:16]:
                self._connected.set_exception(Refused(head.decode()))
                self._transport.abort()
                return
            self._is_upgraded, self._buffer = True, rest
        while (frame := self._frame()) is not None:
            self._packet(frame)

    def _frame(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1], 2
        if size == 126 and len(buffer) >= 4:
            size, start = int(struct.unpack_from("!H", buffer, 2)[0]), 4
        elif size == 127 and len(buffer) >= 10:
            size, start = int(struct.unpack_from("!Q", buffer, 2)[0]), 10
        elif size >= 126:
            return None
        if len(buffer) < start + size:
            return None
        frame = bytes(buffer[start : start + size])
        del buffer[: start + size]
        return frame

    def _packet(self, frame: bytes) -> None:
        if frame[:2] == b"42":
            return
        if frame[:1] == b"0":
            self._send(f"40{NAMESPACE},{self._auth}")
        elif frame[:1] == b"2":
            self._send("3")
        elif frame[:2] == b"40":
            self._connected.set_result(None)
        elif frame[:2] == b"43":
            number, _, body = frame[3 + len(NAMESPACE) :].partition(b"[")
            self._answers[int(number)].set_result(b"[" + body)
        elif frame[:2] == b"44":
            self._connected.set_exception(Refused(frame.decode()))

    def _send(self, text: str) -> None:
        payload = text.encode()
        size = len(payload)
        head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x81, 0x80 | 126, size)
        self._transport.write(head + NO_MASK + payload)


async def opened(host: str, port: int, auths: Sequence[dict[str, Any]], at_once: int) -> list[Tab]:
    """A tab for each of `auths`, in order, `at_once` of them on their way."""
    gate = asyncio.Semaphore(at_once)

    async def one(auth: dict[str, Any]) -> Tab:
        async with gate:
            return await Tab.open(host, port, auth)

    return list(await asyncio.gather(*(one(auth) for auth in auths)))
