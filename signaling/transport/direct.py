"""A WebSocket that is its transport's own protocol: what arrives is handled in the call that read it.

Through the web server's response a socket costs a request, a task, a queue and a dozen objects for its whole life.
Here are the transport, the library's frame parser and this. Its path in and out is otherwise the same (link.py).
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import WSCloseCode, WSMsgType
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.http_websocket import WebSocketError

from signaling.transport.link import READING, Link, direct_send, not_now
from signaling.transport.wire import Part

if TYPE_CHECKING:
    from signaling.transport.counters import TransportCounters
    from signaling.transport.crowds import Flusher
    from signaling.transport.engine_socket import EngineSocket
    from signaling.transport.limits import TransportLimits

log = structlog.get_logger(__name__)
PONG, CLOSE = 0x8A, 0x88  # FIN and opcode of control frames (RFC 6455 5.5)


class Frames(WebSocketDataQueue):
    """Where the library's parser puts messages: nothing is kept, each goes on at once."""

    __slots__ = ("closed", "link")
    _size, _limit, _stalled_reader = 0, 1, None  # the library's parser in Python asks: nothing waits, so never too much

    def __init__(self, link: DirectLink) -> None:
        self.link: DirectLink | None = link
        self.closed = False  # a close frame was sent; nothing may follow it

    def feed_data(self, data: Any, size: int) -> None:
        if self.link is not None:
            self.link.heard(data.type, data.data, data.extra)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        if self.link is not None:
            self.link.broken(exc)


class DirectLink(Link, asyncio.Protocol):
    """One WebSocket after its handshake. `carry()` says whose it is; that session hears messages and the end."""

    __slots__ = ("_deadline", "_frames_in", "_owner", "_reader")

    def __init__(
        self, transport: asyncio.Transport, flusher: Flusher, limits: TransportLimits, counters: TransportCounters
    ) -> None:
        self._frames_in = Frames(self)
        super().__init__(self._frames_in, transport, flusher, limits, counters)
        self._direct = direct_send(transport)  # all that is written passes here, so whether something waits is known
        self._reader: Any = WebSocketReader(self._frames_in, limits.largest_frame, False, True)
        self._owner: EngineSocket | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def carry(self, owner: EngineSocket) -> None:
        self._owner = owner

    # ------------------------------------------------------------------ what the transport tells

    def data_received(self, data: bytes) -> None:
        self._reader.feed_data(data)

    def eof_received(self) -> None:
        self._end_in_time()  # the transport closes itself now, once everything written was taken

    def connection_lost(self, exc: Exception | None) -> None:
        self._frames.clear()
        self._frames_in.closed, self._frames_in.link = True, None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.lost()
        self.release()

    # ------------------------------------------------------------------ what the parser tells

    def heard(self, kind: WSMsgType, data: Any, extra: Any) -> None:
        """One message; after a close frame of ours only the other side's counts."""
        if kind is WSMsgType.CLOSE:
            if not self._frames_in.closed:
                self._say_close(WSCloseCode.OK)
            self._end_in_time()
            self._transport.close()
        elif self._frames_in.closed or self._owner is None:
            return
        elif kind is WSMsgType.PING:
            self.write(struct.pack("!BB", PONG, len(data)) + data)  # a control frame has 125 bytes at most
        elif kind is WSMsgType.TEXT or kind is WSMsgType.BINARY:
            part: Part = data
            self._owner.heard(part)

    def broken(self, error: BaseException) -> None:
        """Bytes that are no frames, or too many: said by the code, and nothing is read any more."""
        if not isinstance(error, WebSocketError):  # the parser keeps what was raised in `heard`: a mistake of ours
            log.error("message_failed", exc_info=error)
        self.close(error.code if isinstance(error, WebSocketError) else WSCloseCode.INTERNAL_ERROR)

    # ------------------------------------------------------------------ ending

    def close(self, code: int = WSCloseCode.OK) -> None:
        if self._frames_in.closed:
            return
        self.flush()
        self._say_close(code)
        self._end_in_time()

    def _end_in_time(self) -> None:
        """A closing transport waits for its reader for ever; this one does not."""
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(self._close_seconds, self._transport.abort)

    def _say_close(self, code: int) -> None:
        if not self._transport.is_closing():
            self.flush()
            self._transport.write(struct.pack("!BBH", CLOSE, 2, code))
        self._direct, self.send = None, not_now
        self._frames_in.closed = True

    def release(self) -> None:
        self._on_slow = None
        self._direct, self.send = None, not_now
        if hasattr(self._transport, READING):
            setattr(self._transport, READING, None)
