"""An address translator between browsers and the media port, on loopback: the server sees ports of its own.

`move()` gives everybody another one, as a change from Wi-Fi to mobile does or a router that forgot; while `is_dark`
nothing passes. What a browser knows as the server's address does not change. While `forgeries` is not 0, whoever stands
in between begins a handshake of their own, from the browser's address and just before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

Address = tuple[str, int]
HANDSHAKE = 22  # the first byte of its datagrams


class Way(asyncio.DatagramProtocol):
    """One browser's port, as the server sees it."""

    def __init__(self, nat: Nat, inside: Address) -> None:
        self.nat, self.inside = nat, inside
        self.transport: asyncio.DatagramTransport | None = None
        self.waiting: list[bytes] = []  # until the port is open
        self.came_back = 0  # datagrams of media
        self.has_begun = False  # a handshake

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open."""
        self.transport = cast(asyncio.DatagramTransport, transport)
        for data in self.waiting:
            self.transport.sendto(data)
        self.waiting.clear()

    def send(self, data: bytes) -> None:
        """To the server."""
        if data[0] == HANDSHAKE and not self.has_begun:
            self.has_begun = True
            if self.nat.forgeries:
                self.nat.forgeries -= 1
                self.send(self.nat.forged_hello)
        if self.transport is not None:
            self.transport.sendto(data)
        else:
            self.waiting.append(data)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """From the server."""
        if not self.nat.is_dark and self.nat.ways.get(self.inside) is self:
            self.came_back += data[0] >= 128
            self.nat.transport.sendto(data, self.inside)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there just now."""


class Nat(asyncio.DatagramProtocol):
    """What browsers send to."""

    transport: asyncio.DatagramTransport

    def __init__(self, server: Address) -> None:
        self.server = server
        self.ways: dict[Address, Way] = {}
        self.is_dark = False
        self.forgeries, self.forged_hello = 0, b""
        self._opening: set[asyncio.Task[Any]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open."""
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """From a browser."""
        if not self.is_dark:
            (self.ways.get(addr) or self._open(addr)).send(data)

    def move(self) -> None:
        """Other ports for everybody; what the server still sends to the old ones is lost."""
        ways, self.ways = self.ways, {}
        for way in ways.values():
            if way.transport is not None:
                way.transport.close()

    def _open(self, inside: Address) -> Way:
        way = self.ways[inside] = Way(self, inside)
        loop = asyncio.get_running_loop()
        task = loop.create_task(
            loop.create_datagram_endpoint(lambda: way, local_addr=("127.0.0.1", 0), remote_addr=self.server)
        )
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        return way


@asynccontextmanager
async def translated(inside: Address, server: Address) -> AsyncIterator[Nat]:
    """A translator that listens at `inside`."""
    _, nat = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Nat(server), local_addr=inside)
    try:
        yield nat
    finally:
        nat.move()
        nat.transport.close()
