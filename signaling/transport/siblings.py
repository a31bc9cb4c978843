"""Several web processes on one port: a request that carries a sibling's session id is brought to that sibling.

A poll is asked again over the sibling's Unix socket. A WebSocket that upgrades such a session is given away whole:
the TCP connection itself with the head of its request (adoption.py is the other end), so that no hop remains for its
frames; under TLS, whose state cannot be given away, messages are pumped. The sockets lie in a folder only our own user
may enter, so what arrives over them was judged by a sibling. A sibling that is gone counts as a session nobody knows.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from signaling.transport.intake import Malformed, read_post
from signaling.transport.limits import TransportLimits

CONNECTIONS = 2048  # to one sibling, a waiting poll each; further polls wait in line until their time is over
CONNECT_SECONDS = 5.0  # for the sibling to take a connection or a given socket; then it counts as gone
HEAD_BYTES = 64 * 1024  # of a request that is given away; the web server accepts less
LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Which of `count` workers this is, and the private folder where all of them listen."""

    number: int
    count: int
    folder: Path

    def http(self, number: int) -> Path:
        """Where that worker answers requests passed on."""
        return self.folder / f"{number}.http"

    def door(self, number: int) -> Path:
        """Where that worker takes connections given away."""
        return self.folder / f"{number}.door"

    def owner_of(self, sid: str) -> int | None:
        """The sibling that made this session id; None for our own and for what no worker makes."""
        head, dash, _ = sid.partition("-")
        if not dash or not head.isascii() or not head.isdecimal() or len(head) > 3:
            return None
        number = int(head)
        return number if number != self.number and number < self.count else None


class Siblings:
    """This worker's way to the others. Closed once; closing twice is harmless."""

    def __init__(self, place: Place, limits: TransportLimits) -> None:
        self._place, self._limits = place, limits
        self._clients: dict[int, aiohttp.ClientSession] = {}
        self._pumped: set[web.WebSocketResponse] = set()

    async def answer(self, request: web.Request) -> web.StreamResponse | None:
        """The sibling's answer; None when the request is for us, or for a sibling that is gone."""
        owner = self._place.owner_of(request.query.get("sid", ""))
        if owner is None or is_passed_on(request):
            return None
        try:
            if request.headers.get("Upgrade", "").lower() != "websocket":
                return await self._asked(request, owner)
            transport = request.transport
            if transport is None or transport.get_extra_info("sslcontext") is not None:
                return await self._pump(request, owner)
            return await self._give(request, transport, owner)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None

    async def close(self) -> None:
        for response in tuple(self._pumped):
            await response.close(code=aiohttp.WSCloseCode.GOING_AWAY)
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.close()

    # ------------------------------------------------------------------ polls

    async def _asked(self, request: web.Request, owner: int) -> web.Response:
        body = None
        if request.method == "POST":
            try:
                body = (await read_post(request, self._limits.message_bytes, self._limits.connect_timeout)).encode()
            except Malformed:
                body = b""  # no packet either: the sibling refuses it and ends the session, as it would have
        client = self._client(owner)
        async with client.request(request.method, _address(request), data=body) as answer:
            answered = web.Response(
                status=answer.status, body=await answer.read(), headers={"Content-Type": answer.headers["Content-Type"]}
            )
        if request.method == "GET" and request.transport is None:  # nobody is there to take what this poll was given
            async with client.post(_address(request), data=b"1"):
                pass
        return answered

    def _client(self, owner: int) -> aiohttp.ClientSession:
        if owner not in self._clients:
            limits = self._limits
            seconds = limits.ping_interval + limits.ping_timeout + CONNECT_SECONDS  # pings answer every poll
            self._clients[owner] = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(self._place.http(owner)), limit=CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._clients[owner]

    # ------------------------------------------------------------------ WebSockets

    async def _give(self, request: web.Request, transport: asyncio.Transport, owner: int) -> web.StreamResponse:
        head = head_of(request)
        if len(head) > HEAD_BYTES:
            raise OSError("the request's head is too long to be given away")
        transport.pause_reading()  # what comes next is for the sibling
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
                door.setblocking(False)
                loop = asyncio.get_running_loop()
                async with asyncio.timeout(CONNECT_SECONDS):
                    await loop.sock_connect(door, str(self._place.door(owner)))
                    message = len(head).to_bytes(LENGTH_BYTES) + head
                    given = transport.get_extra_info("socket").fileno()
                    sent = socket.send_fds(door, [message], [given])
                    await loop.sock_sendall(door, message[sent:])
        except (OSError, TimeoutError):
            transport.resume_reading()
            raise
        transport.abort()  # closes our descriptor alone: the sibling's keeps the connection open
        return GivenAway()

    async def _pump(self, request: web.Request, owner: int) -> web.StreamResponse | None:
        there = await self._client(owner).ws_connect(
            _address(request), max_msg_size=0, timeout=aiohttp.ClientWSTimeout(ws_close=self._limits.close_seconds)
        )
        async with there:
            here = web.WebSocketResponse(
                max_msg_size=self._limits.largest_frame, compress=False, timeout=self._limits.close_seconds
            )
            if not here.can_prepare(request):
                return None
            await here.prepare(request)
            self._pumped.add(here)
            try:
                await asyncio.gather(_copy(here, there), _copy(there, here))
            finally:
                self._pumped.discard(here)
        return here


class GivenAway(web.StreamResponse):
    """Stands for an answer that somebody else gives, on a connection that is not ours any more."""

    @property
    def prepared(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing is sent."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is sent."""


def is_passed_on(request: web.BaseRequest) -> bool:
    """Whether a sibling sent this, having judged where it came from."""
    connection = request.transport.get_extra_info("socket") if request.transport is not None else None
    return connection is not None and connection.family == socket.AF_UNIX


def head_of(request: web.BaseRequest) -> bytes:
    """The request's first line and headers as they came."""
    version = request.version
    first = f"{request.method} {request.raw_path} HTTP/{version.major}.{version.minor}".encode(errors="surrogateescape")
    return b"\r\n".join([first, *(name + b": " + value for name, value in request.raw_headers), b"", b""])


def _address(request: web.Request) -> URL:
    asked = request.rel_url
    return URL.build(
        scheme="http", host="sibling", path=asked.raw_path, query_string=asked.raw_query_string, encoded=True
    )


async def _copy(source: Any, target: Any) -> None:
    """Messages of one direction until its end, which is told on; waits while `target` does not read."""
    try:
        async for message in source:
            if message.type is aiohttp.WSMsgType.TEXT:
                await target.send_str(message.data)
            elif message.type is aiohttp.WSMsgType.BINARY:
                await target.send_bytes(message.data)
    except ConnectionError:
        pass  # the other side has gone; its own reader ends too
    finally:
        await target.close(code=aiohttp.WSCloseCode.GOING_AWAY if source.close_code is None else aiohttp.WSCloseCode.OK)
