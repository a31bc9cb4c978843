"""The WebSocket driver: one synchronous write path, frames of one loop turn in one write, a cap on what is unread.

aiohttp keeps the handshake, the reading side and control frames. Text goes straight to the asyncio transport, so order
is program order and no task, queue or timer exists per message. Compression is never negotiated: a private zlib stream
per client would cost 100 KiB each and make shared frames impossible.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import WSCloseCode, WSMsgType, web

from signaling.transport.counters import TransportCounters
from signaling.transport.limits import TransportLimits

if TYPE_CHECKING:
    from signaling.transport.crowds import Flusher

FLUSH_AT = 1 << 16  # bytes gathered in one turn that are written without waiting for its end
NOTHING_MORE = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})


class Ending(Protocol):
    """Whether a close frame was sent."""

    @property
    def closed(self) -> bool: ...


READING = "_read_ready_cb"  # by its own bound method a transport of asyncio refers to itself: no count would free it

SOCKET = "_sock"  # the socket inside what asyncio shows of it; without one everything goes through the transport


class Link:
    """One WebSocket: `write` frames, `receive` messages, `close` cleanly or `abort`."""

    __slots__ = ("_buffer_bytes", "_close_seconds", "_counters", "_direct", "_flusher", "_frames", "_gathered",
                 "_on_slow", "_response", "_transport", "closing", "send")  # fmt: skip

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
        self._direct: Callable[[bytes], int] | None = None
        self.send: Callable[[bytes], int] = not_now  # the socket's own while its transport has nothing waiting
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
        return self._transport.get_write_buffer_size() + self._gathered + self._flusher.gathered_for(self)

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

    def take(self, frames: Iterable[bytes], size: int) -> None:
        """Frames of `size` bytes that were queued for this client among others before."""
        self._frames += frames
        self._gathered += size

    def flush(self) -> None:
        """Hand what is gathered to the transport, or abort it when the client has left too much unread."""
        self._flusher.take_out(self)
        for link in self.drain():
            link.cut()

    def drain(self) -> list[Link]:
        """Write what is gathered; this link, if its client has left too much unread."""
        frames = self._frames
        if not frames:
            return []
        data, count = frames[0] if len(frames) == 1 else b"".join(frames), len(frames)
        frames.clear()
        self._gathered = 0
        return write_all((self,), data, count, self._counters)

    def hand_over(self, data: bytes, written: int) -> bool:
        """Leave what `send` did not take of `data` to the transport; False when this link may not be written to."""
        transport = self._transport
        self.send = not_now
        if transport.is_closing() or self._response.closed or self.is_slow:  # nothing may follow a close frame
            return False
        transport.write(data[written:])
        if self._direct is not None and not transport.get_write_buffer_size():
            self.send = self._direct
        return True

    @property
    def is_slow(self) -> bool:
        """Whether its client has left too much unread, of a connection that is still open."""
        transport = self._transport
        return not (transport.is_closing() or self._response.closed) and (
            transport.get_write_buffer_size() > self._buffer_bytes
        )

    def cut(self) -> None:
        """The client does not read: drop it, and tell the owner."""
        self.abort()
        if self._on_slow is not None:
            self._on_slow()

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
        self.send = not_now
        self._transport.abort()

    def release(self) -> None:
        """Let go of the owner, and of the calls that the library's errors remember; called when everything is over."""
        self._on_slow = None
        self.closing = None
        self._direct, self.send = None, not_now
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


def write_all(links: Collection[Link], data: bytes, packets: int, counters: TransportCounters) -> list[Link]:
    """Write the same bytes, of so many packets, to every link; those with too much unread, which got nothing.

    Most of what a broadcast costs is here: for a client that reads it is its system call and a comparison.
    """
    size, passed, untaken, slow = len(data), 0, 0, []
    for link in links:
        try:
            send = link.send  # not called as a method: a slot is looked up faster
            written = send(data)
        except OSError:  # full, or lost: the transport meets the same, and knows what to do
            written = 0
        if written != size:
            untaken += 1
            if not link.hand_over(data, written):
                passed += 1
                if link.is_slow:
                    slow.append(link)
    counters.untaken += untaken
    told = len(links) - passed
    counters.writes += told
    counters.delivered += told * packets
    return slow


def not_now(data: bytes) -> int:
    """In place of a socket's `send` while something is in its way: nothing is written."""
    return 0


def direct_send(transport: asyncio.Transport) -> Callable[[bytes], int] | None:
    """How to send while the transport has nothing waiting; None when it has more to do than send (TLS).

    A broadcast's cost is its system calls; this keeps it near them. The kernel answers `send` sooner than `write`, and
    the transport's own socket knows when it is closed, which a bare descriptor would not.
    """
    if transport.get_extra_info("sslcontext") is not None:
        return None
    opened = getattr(transport.get_extra_info("socket"), SOCKET, None)
    send: Callable[[bytes], int] | None = getattr(opened, "send", None)
    return send


async def accept(
    request: web.Request, flusher: Flusher, limits: TransportLimits, counters: TransportCounters
) -> Link | None:
    """Finish the WebSocket handshake of `request`; None when it is not a valid one (RFC 6455 4.2.1)."""
    response = web.WebSocketResponse(max_msg_size=limits.largest_frame, compress=False, timeout=limits.close_seconds)
    if not response.can_prepare(request):
        return None
    await response.prepare(request)
    transport = request.transport
    if transport is None or not isinstance(transport, asyncio.Transport):
        return None
    return Link(response, transport, flusher, limits, counters)
