"""Members of a room that only read: a WebSocket handshake by hand, then a count of bytes, as cheap as Python can."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

CONNECT = b"40/live,{}"
TOGETHER = 50  # handshakes at once


class Member(asyncio.BufferedProtocol):
    """One client. `received` counts what came after the acceptance."""

    connect = b"40/live,{}"
    _buffer = memoryview(bytearray(1 << 18))  # one for all: what it holds is only counted

    def __init__(self, arrived: asyncio.Event) -> None:
        self.received = 0
        self.accepted = asyncio.get_running_loop().create_future()
        self._arrived = arrived
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self.accepted.done():
            self.received += nbytes
            self._arrived.set()
            return
        had_opening = b"0{" in self._early
        self._early += bytes(self._buffer[:nbytes])
        if not had_opening and b"0{" in self._early:
            self.transport.write(masked(self.connect))
        if b"40/live,{" in self._early:
            self._early = b""
            self.accepted.set_result(None)
        elif b"44/live," in self._early:
            self.accepted.set_exception(ConnectionRefusedError(self._early[-300:].decode(errors="replace")))
            self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.accepted.done():
            self.accepted.set_exception(error or ConnectionResetError("closed before it was accepted"))


def masked(payload: bytes) -> bytes:
    """A text frame as a client sends it (RFC 6455 5.2, 5.3)."""
    mask, size = os.urandom(4), len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else bytes((0x81, 0xFE)) + size.to_bytes(2, "big")
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


class Sink:
    """All members of one room on one server."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self._arrived = asyncio.Event()

    async def fill(self, port: int, count: int) -> None:
        while len(self.members) < count:
            few = min(TOGETHER, count - len(self.members))
            self.members += await asyncio.gather(*(self._member(port) for _ in range(few)))

    async def _member(self, port: int) -> Member:
        _, member = await asyncio.get_running_loop().create_connection(lambda: Member(self._arrived), "127.0.0.1", port)
        await member.accepted
        return member

    async def until(self, received: Sequence[int]) -> None:
        """Wait until every member has read as many bytes as given for it. Raises AssertionError for one too many."""
        async with asyncio.timeout(60):
            while any(m.received < wanted for m, wanted in zip(self.members, received, strict=True)):
                self._arrived.clear()
                await self._arrived.wait()
        assert [m.received for m in self.members] == list(received), "more arrived than was sent"

    def close(self) -> None:
        for member in self.members:
            member.transport.abort()
