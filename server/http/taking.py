"""A large body taken over from the web server: its reader takes the rest straight from the socket.

On its usual way a byte is copied four times before anybody looks at it, all of it in the event loop. Taken over are
bodies of known length on plain TCP; the connection ends with the answer, because the web server has lost count of it.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from aiohttp import hdrs, web

from server.errors import Malformed
from server.http.protocol import Protocol

LEAST_BYTES = 1024 * 1024  # for less it is not worth the connection
READ_BYTES = 64 * 1024
LOOK_SECONDS = 0.5  # how often to look whether the connection was closed by ourselves


class TakenBody:
    """What is still to come of a request's body: `left` bytes, from `line`. Close it once nobody reads any more."""

    def __init__(self, request: web.Request, transport: asyncio.Transport, line: socket.socket, left: int) -> None:
        self._content, self._transport = request.content, transport
        self.line, self.left = line, left
        self._wake_at = 1
        self._using: asyncio.Future[Any] | None = None

    async def some(self) -> bytes:
        """What has come, once something has; empty at the body's end. Raises Malformed, ConnectionError."""
        while self.left:
            self.wake_at(1)
            try:
                data = self.line.recv(min(READ_BYTES, self.left))
            except (BlockingIOError, InterruptedError):
                await self.readable(LOOK_SECONDS)
                continue
            except OSError as error:
                raise self.lost() from error
            if not data:
                raise self.ended()
            self.took(len(data))
            return data
        return b""

    async def readable(self, seconds: float) -> bool:
        """Whether something has come, or the end, before so much time is over. Raises ConnectionError."""
        loop = asyncio.get_running_loop()
        is_there, line = loop.create_future(), self.line.fileno()
        loop.add_reader(line, _set, is_there)
        try:
            await asyncio.wait([is_there], timeout=seconds)
        finally:
            loop.remove_reader(line)
        if self._transport.is_closing():
            raise ConnectionResetError("the connection was closed")
        return is_there.done()

    def wake_at(self, count: int) -> None:
        """Call `line` readable when so many bytes are there, or all, or it has ended; fewer can be read before."""
        count = max(1, min(count, self.left))
        if count != self._wake_at:
            self.line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
            self._wake_at = count

    def took(self, count: int) -> None:
        """So many bytes were read from `line`."""
        self.left -= count
        if self.left == 0 and not self._content.is_eof():
            self._content.feed_eof()
            self._transport.pause_reading()  # that made it go on, and what follows would be taken for more of the body

    def ended(self) -> Malformed:
        """To be raised when nothing more will come, but not all has: whoever only shut its writing side is answered."""
        return Malformed("The body ended before all of its bytes had come.")

    def lost(self) -> ConnectionResetError:
        """To be raised when `line` was broken off; the web server, which did not look, is told."""
        self._transport.abort()
        return ConnectionResetError("the client is gone")

    def use(self, doing: asyncio.Future[Any]) -> None:
        """Somebody reads `line` in a thread until `doing` is over."""
        self._using = doing

    def close(self) -> None:
        """Twice is harmless. While a thread still reads, its descriptor's number must not become another's."""
        if self._using is not None and not self._using.done():
            self._using.add_done_callback(lambda _: self.line.close())
        else:
            self.line.close()


TAKEN: web.RequestKey[TakenBody] = web.RequestKey("TAKEN", TakenBody)


def take(request: web.Request) -> tuple[TakenBody | None, bytes]:
    """The rest of the body, where it can be taken, and what of it the web server had read already.

    Without the first go on reading as before, after the second.
    """
    if not _is_worth_taking(request):
        return None, b""
    transport, protocol = request.transport, request.protocol
    assert transport is not None and isinstance(protocol, Protocol)
    read = bytearray()
    while data := request.content.read_nowait(-1):
        read += data
    left = (request.content_length or 0) - request.content.total_bytes
    if left <= 0 or not protocol.has_passed_on_all or transport.is_closing():
        return None, bytes(read)
    transport.pause_reading()
    taken = request[TAKEN] = TakenBody(request, transport, transport.get_extra_info("socket").dup(), left)
    return taken, bytes(read)


def _is_worth_taking(request: web.Request) -> bool:
    transport, content = request.transport, request.content
    if TAKEN in request or transport is None or not isinstance(request.protocol, Protocol):
        return False
    if content.exception() is not None or (request.content_length or 0) - content.total_bytes < LEAST_BYTES:
        return False
    if hdrs.TRANSFER_ENCODING in request.headers or hdrs.CONTENT_ENCODING in request.headers:
        return False
    opened = transport.get_extra_info("socket")
    if opened is None or transport.get_extra_info("sslcontext") is not None:
        return False
    return opened.family in (socket.AF_INET, socket.AF_INET6)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
