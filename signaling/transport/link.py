"""The WebSocket driver: one synchronous write path, frames of one loop turn in one write, a cap on what is unread.

aiohttp keeps the handshake, the reading side and control frames. Text goes straight to the asyncio transport, so order
is program order and no task, queue or timer exists per message. Compression is never negotiated: a private zlib stream
per client would cost 100 KiB each and make shared frames impossible.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, Protocol

from aiohttp import WSCloseCode, WSMsgType, web

from signaling.transport.counters import TransportCounters
from signaling.transport.limits import TransportLimits

FLUSH_AT = 1 << 16  # bytes gathered in one turn that are written without waiting for its end
NOTHING_MORE = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})


class Flusher:
    """Collects the links written to in this loop turn and flushes them all at its end, with one callback for all."""

    def __init__(self) -> None:
        self._waiting: list[Link] = []

    def add(self, link: Link) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(link)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for link in waiting:
            link.flush()


class Ending(Protocol):
    """Whether a close frame was sent."""

    @property
    def closed(self) -> bool: ...


READING = "_read_ready_cb"  # by its own bound method a transport of asyncio refers to itself: no count would free it


class Link:
    """One WebSocket: `write` frames, `receive` messages, `close` cleanly or `abort`."""

    __slots__ = ("_buffer_bytes", "_close_seconds", "_counters", "_fd", "_flusher", "_frames", "_gathered", "_on_slow",
                 "_response", "_transport", "closing")  # fmt: skip

    def __init__(
        self,
        response: Ending,
        transport: asyncio.Transport,
        flusher: Flusher,
        limits: TransportLimits,
        counters: TransportCounters,
    ) -> None:
        self._response: Any = response
        self._transport = transport
        self._fd = _plain_fd(transport)
        self._flusher = flusher
        self._buffer_bytes = limits.buffer_bytes
        self._close_seconds = limits.close_seconds
        self._counters = counters
        self._frames: list[bytes] = []
        self._gathered = 0
        self._on_slow: Callable[[], None] | None = None
        self.closing: asyncio.Task[None] | None = None

    def when_slow(self, callback: Callable[[], None]) -> None:
        """Call `callback` once if this link is aborted because its client does not read."""
        self._on_slow = callback

    @property
    def response(self) -> web.WebSocketResponse:
        response: web.WebSocketResponse = self._response
        return response

    @property
    def unread_bytes(self) -> int:
        """Bytes written but not yet taken by the kernel, those gathered in this turn included."""
        return self._transport.get_write_buffer_size() + self._gathered

    def write(self, frame: bytes) -> bool:
        """Queue a complete frame for the end of this loop turn; False once the link is being closed."""
        if self.closing is not None:
            return False
        frames = self._frames
        if not frames:
            self._flusher.add(self)
        frames.append(frame)
        self._gathered += len(frame)
        if self._gathered >= FLUSH_AT:
            self.flush()
        return True

    def flush(self) -> None:
        """Hand what is gathered to the transport, or abort it when the client has left too much unread."""
        frames = self._frames
        if not frames:
            return
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        packets = len(frames)
        frames.clear()
        self._gathered = 0
        transport = self._transport
        if transport.is_closing() or self._response.closed:  # nothing may follow a close frame
            return
        unread = transport.get_write_buffer_size()
        if unread > self._buffer_bytes:
            self.abort()
            if self._on_slow is not None:
                self._on_slow()
            return
        counters = self._counters
        counters.writes += 1
        counters.delivered += packets
        if not unread and self._fd is not None:
            try:
                written = os.write(self._fd, data)
            except OSError:  # full, or lost: the transport meets the same, and knows what to do
                written = 0
            if written == len(data):
                return
            data = data[written:]
        transport.write(data)

    async def receive(self) -> str | bytes | None:
        """The next message, or None when there will be no more (closed, lost, too large, not UTF-8)."""
        message = await self._response.receive()
        if message.type in NOTHING_MORE:
            return None
        data: str | bytes = message.data
        return data

    def close(self, code: int = WSCloseCode.OK) -> None:
        """Flush, send a close frame, give the other side its time to answer, then abort whatever is left."""
        if self.closing is None:
            self.flush()
            self.closing = asyncio.get_running_loop().create_task(self._close(code))

    def abort(self) -> None:
        """Drop the connection and everything unsent, at once."""
        self._frames.clear()
        self._gathered = 0
        self._transport.abort()

    def release(self) -> None:
        """Let go of the owner, and of the calls that the library's errors remember; called when everything is over."""
        self._on_slow = None
        self.closing = None
        if self._transport.is_closing() and hasattr(self._transport, READING):
            setattr(self._transport, READING, None)
        error = self._response.exception()
        while error is not None:
            error.__traceback__ = None
            error = error.__context__

    async def _close(self, code: int) -> None:
        try:
            async with asyncio.timeout(self._close_seconds):
                await self._response.close(code=code, drain=False)
        except TimeoutError:
            self._transport.abort()
        if self._transport.get_write_buffer_size():  # a closing transport waits for its reader for ever
            asyncio.get_running_loop().call_later(self._close_seconds, self._transport.abort)


def _plain_fd(transport: asyncio.Transport) -> int | None:
    """The descriptor to write to while the transport has nothing waiting; None when it has more to do than send (TLS).

    It is the transport's own until `is_closing`. A broadcast's cost is its system calls; this keeps it near them.
    """
    if os.name != "posix" or transport.get_extra_info("sslcontext") is not None:
        return None
    opened = transport.get_extra_info("socket")
    return None if opened is None else opened.fileno()


async def accept(
    request: web.Request, flusher: Flusher, limits: TransportLimits, counters: TransportCounters
) -> Link | None:
    """Finish the WebSocket handshake of `request`; None when it is not a valid one (RFC 6455 4.2.1)."""
    response = web.WebSocketResponse(max_msg_size=limits.message_bytes, compress=False, timeout=limits.close_seconds)
    if not response.can_prepare(request):
        return None
    await response.prepare(request)
    transport = request.transport
    if transport is None or not isinstance(transport, asyncio.Transport):
        return None
    return Link(response, transport, flusher, limits, counters)
