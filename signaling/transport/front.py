"""In front of the web server: a connection that opens a session on WebSocket is taken here, all others are passed on.

Most of what a join cost was the way through the web server: a parser, a request, a router, middlewares and a task
for a handshake of ten lines. Taken is only what is beyond doubt: one whole head in the first bytes, of the plainest
form, to the Socket.IO path, without a session id, from a page that may call. Whatever differs in anything goes to the
web server with every byte, and is judged, answered or refused there.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web
from multidict import CIMultiDict

from signaling.transport.waits import Waits

MOST_HEAD_BYTES = 8_000  # the web server allows as much in one line
MOST_LINES = 64  # of a head; the web server refuses more than twice as many
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
_HEAD = re.compile(
    rb"GET (/[!-~]*)\?([A-Za-z0-9=&_.~-]+) HTTP/1\.1\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[!-~][ -~]*\r\n)+)\r\n"
)
_LINE = re.compile(r"([^:]+): ?([!-~](?:[ -~]*[!-~])?) *\r\n")
_SINGLE = ("host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version", "origin")
_UNUSUAL = frozenset({"content-length", "transfer-encoding", "expect", "sec-websocket-protocol"})


@dataclass(frozen=True, slots=True)
class Caller:
    """What rules about origins and addresses ask of a request."""

    headers: CIMultiDict[str]
    transport: asyncio.Transport
    remote: str
    scheme: str
    host: str


@dataclass(frozen=True, slots=True)
class Opening:
    """A handshake that is complete and correct (RFC 6455 4.2.1)."""

    caller: Caller
    key: bytes

    @property
    def answer(self) -> bytes:
        """The bytes that accept it (RFC 6455 4.2.2)."""
        accept = base64.b64encode(hashlib.sha1(self.key + MAGIC, usedforsecurity=False).digest())
        return (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + accept
            + b"\r\n\r\n"
        )


def opening_of(head: bytes, path: bytes, transport: asyncio.Transport) -> Opening | None:
    """The handshake in `head` (its last empty line included); None for anything but the plainest."""
    found = _HEAD.fullmatch(head)
    if found is None or found[1] != path or found[3].count(b"\n") > MOST_LINES:
        return None
    query = dict(part.partition("=")[::2] for part in found[2].decode().split("&"))
    if query.get("EIO") != "4" or query.get("transport") != "websocket" or "sid" in query or "j" in query:
        return None
    if found[2].count(b"EIO=") != 1 or found[2].count(b"transport=") != 1:
        return None
    headers = CIMultiDict(_LINE.findall(found[3].decode()))
    names = [name.lower() for name in headers]
    seen = set(names)
    if not seen.isdisjoint(_UNUSUAL) or "host" not in seen:
        return None
    if len(seen) != len(names) and any(names.count(name) > 1 for name in _SINGLE):
        return None
    if headers.get("Upgrade", "").lower() != "websocket" or headers.get("Sec-WebSocket-Version") != "13":
        return None
    if "upgrade" not in [part.strip() for part in headers.get("Connection", "").lower().split(",")]:
        return None
    key = headers.get("Sec-WebSocket-Key", "").encode()
    try:
        if len(base64.b64decode(key, validate=True)) != 16:
            return None
    except binascii.Error:
        return None
    peer = transport.get_extra_info("peername")
    if not isinstance(peer, tuple):  # a sibling's request over a Unix socket
        return None
    scheme = "http" if transport.get_extra_info("sslcontext") is None else "https"
    return Opening(Caller(headers, transport, str(peer[0]), scheme, headers["Host"]), key)


Take = Callable[[asyncio.Transport, Opening, bytes], bool]


class Front:
    """Makes the protocol of each accepted connection. `web_server` is aiohttp's; to its runner this is it.

    `take(transport, opening, rest)` serves a session, or answers False and has done nothing. A connection that says
    nothing for `idle_seconds` is closed.
    """

    def __init__(self, web_server: Any, path: str, take: Take, *, idle_seconds: float) -> None:
        self._web_server = web_server
        self._path = path.encode()
        self._start = b"GET " + self._path + b"?"
        self._take = take
        self.silent: Waits[Silent] = Waits(idle_seconds, lambda silent, due: silent.close())

    def __call__(self) -> asyncio.Protocol:
        return Silent(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._web_server, name)

    def pre_shutdown(self) -> None:
        self._close_silent()
        self._web_server.pre_shutdown()

    async def shutdown(self, timeout: float | None = None) -> None:
        self._close_silent()
        await self._web_server.shutdown(timeout)

    def _close_silent(self) -> None:
        for silent in self.silent:
            silent.close()

    def spoke(self, silent: Silent, transport: asyncio.Transport, data: bytes) -> None:
        """The first bytes of a connection decide whose it is."""
        self.silent.end(silent)
        if data.startswith(self._start):
            end = data.find(b"\r\n\r\n", 0, MOST_HEAD_BYTES) + 4
            if end > 4 and (opening := opening_of(data[:end], self._path, transport)) is not None:
                if self._take(transport, opening, data[end:]):
                    return
        protocol = self._web_server()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(data)


class FrontRunner(web.AppRunner):
    """Serves an application with a Front before it; `options` are the runner's own."""

    def __init__(
        self, app: web.Application, path: str, take: Take, *, idle_seconds: float = 75.0, **options: Any
    ) -> None:
        super().__init__(app, keepalive_timeout=idle_seconds, **options)
        self._front = path, take, idle_seconds

    async def _make_server(self) -> web.Server:
        path, take, idle_seconds = self._front
        front = Front(await super()._make_server(), path, take, idle_seconds=idle_seconds)
        return cast(web.Server, front)


class Silent(asyncio.Protocol):
    """A connection that has said nothing yet."""

    __slots__ = ("_front", "_transport")

    def __init__(self, front: Front) -> None:
        self._front = front
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._front.silent.begin(self)

    def data_received(self, data: bytes) -> None:
        transport, self._transport = self._transport, None
        assert transport is not None
        self._front.spoke(self, transport, bytes(data))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._front.silent.end(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
