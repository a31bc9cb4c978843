"""One Engine.IO session: polling, the upgrade, WebSocket, and exactly one end.

Everything sent goes through `send`: into the outbox while the client polls, into the link once it is on WebSocket. The
switch happens between two packets, in one synchronous step, so nothing is lost, doubled or reordered by an upgrade.

The attributes `connected`, `upgraded` and `closed` and the two `handle_*_request` methods are what the library's
request handler reads and calls.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import WSCloseCode, web

from signaling.transport.intake import CLOSE, MESSAGE, PONG, Malformed, packets_of, read_post, split
from signaling.transport.link import Link
from signaling.transport.outbox import Outbox, PollTwice
from signaling.transport.wire import Part, Wire, framed, polling_body

if TYPE_CHECKING:
    from signaling.transport.direct import DirectLink
    from signaling.transport.engine import Engine

log = structlog.get_logger(__name__)

PING = "2"
PING_FRAME = framed(PING)
NOOP_PAUSE = 0.1  # during an upgrade a poll is answered after this long, so that the client can pause polling


class EngineSocket:
    """A client's session. `seats` belongs to the layer above, which is told of the end once, by `engine.ended`."""

    __slots__ = ("_candidate", "_engine", "_linger", "_outbox", "closed", "connected", "link",
                 "remote_address", "seats", "sid", "upgraded", "upgrading", "why")  # fmt: skip

    def __init__(self, engine: Engine, sid: str, remote_address: str) -> None:
        self.sid = sid
        self.remote_address = remote_address
        self.seats: Any = None
        self.connected = True
        self.upgrading = False
        self.upgraded = False
        self.closed = False
        self.why: str | None = None  # the reason of the end, once it has begun
        self._engine = engine
        self.link: Link | None = None
        self._candidate: Link | None = None  # a WebSocket that has not completed its upgrade
        self._outbox = Outbox()
        self._linger: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------------ sending

    @property
    def unread_bytes(self) -> int:
        return self.link.unread_bytes if self.link is not None else self._outbox.unread_bytes

    @property
    def is_polled(self) -> bool:
        """Whether a poll is waiting for something to carry."""
        return self._outbox.is_polled

    def send(self, wire: Wire) -> bool:
        """Queue a message in order; False when the session has ended."""
        if self.link is not None:
            return self.why is None and self.link.write(wire.frame)
        return self._put(wire.parts)

    def flush(self) -> None:
        """Write now what was gathered in this loop turn."""
        if self.link is not None:
            self.link.flush()

    def _put(self, parts: tuple[Part, ...]) -> bool:
        if self.why is not None:
            return False
        if self._outbox.unread_bytes > self._engine.limits.buffer_bytes:
            self._slow()
            return False
        self._outbox.put(*parts)
        self._engine.counters.delivered += len(parts)
        return True

    def ping(self) -> None:
        if self.link is not None:
            self.link.write(PING_FRAME)
        else:
            self._put((PING,))

    # ------------------------------------------------------------------ ending

    def end(self, reason: str, code: int = WSCloseCode.OK) -> None:
        """Flush what is queued and close the transport, not the namespace: the official client returns by itself."""
        if self.why is not None:
            return
        self._over(reason)
        if self.link is not None:
            self.link.close(code)
            self._gone()
            return
        self._outbox.put(CLOSE)
        if self._outbox.is_polled:
            return  # the poll carries everything and forgets the session
        self._linger = asyncio.get_running_loop().call_later(self._engine.limits.close_seconds, self._gone)

    def abort(self, reason: str) -> None:
        """Drop the transport with everything unsent."""
        self._over(reason)
        if self.link is not None:
            self.link.abort()
        self._gone()
        self._outbox.drain()
        self._outbox.wake()

    async def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:
        """The library's way to end a session; it never waits for a client that may not come back."""
        self.abort(reason or "server disconnect")

    def _over(self, reason: str) -> None:
        if self.why is None:
            self.why = reason
            self._engine.heartbeat.end(self)
            if self._candidate is not None:
                self._candidate.close()
            self._engine.ended(self, reason)

    def _gone(self) -> None:
        self.closed = True
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        self._engine.forget(self)

    # ------------------------------------------------------------------ polling

    def start(self) -> None:
        """Begin the heartbeat; the session is open from here."""
        self._engine.heartbeat.start(self)

    async def handle_get_request(self, environ: dict[str, Any]) -> object:
        """A poll, or the WebSocket that upgrades this session."""
        request: web.Request = environ["aiohttp.request"]
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._upgrade(request)
        try:
            parts = await self._outbox.take(NOOP_PAUSE if self.upgrading else None)
        except PollTwice:
            self._over("polled twice")
            self._outbox.drain()
            self._outbox.put(CLOSE)  # answers the first poll
            return self._engine.bad_request("A poll is waiting already")
        except asyncio.CancelledError:
            self.abort("transport error")
            raise
        if request.transport is None:  # nobody is there to take what this poll was given
            self.abort("transport error")
        if self.why is not None:
            self._gone()
        return self._engine.answer(polling_body(parts))

    async def handle_post_request(self, environ: dict[str, Any]) -> None:
        """Packets from a polling client; any that is malformed refuses the whole body and ends the session."""
        limits = self._engine.limits
        try:
            body = await read_post(environ["aiohttp.request"], limits.message_bytes, limits.connect_timeout)
            for kind, data in packets_of(body, limits.packets_per_post):
                if self.why is None:
                    self._received(kind, data)
        except Malformed as error:
            self._engine.log_malformed(self, error)
            self._over("malformed")
        if self.why not in (None, "client disconnect"):  # not all of it was handled: never say ok
            self._engine.sockets[self.sid] = self  # the library forgets it, once it has answered 400
            raise self._engine.refusal(self.why)

    # ------------------------------------------------------------------ WebSocket

    async def serve(self, link: Link, opening: str) -> None:
        """Run a session that began on WebSocket, until its end."""
        self._carry(link)
        link.write(framed(opening))
        self.start()
        await self._read(link)

    def open_on(self, link: DirectLink, opening: bytes) -> None:
        """Begin a session on a WebSocket that tells by itself what it hears, and of its end; `opening` goes first."""
        self._carry(link)
        link.carry(self)
        link.write(opening)
        self.start()

    def heard(self, data: Part) -> None:
        """One message of such a WebSocket."""
        if self.why is None:
            try:
                self._received(*split(data))
            except Malformed as error:
                self._engine.log_malformed(self, error)
                self.end("malformed", WSCloseCode.PROTOCOL_ERROR)

    def lost(self) -> None:
        """Such a WebSocket is over."""
        self._over("transport close")
        self._gone()
        self.link = None

    async def _upgrade(self, request: web.Request) -> object:
        if self.why is not None:
            return self._engine.bad_request("This session has ended")
        self.upgrading = True
        try:
            link = self._candidate = await self._engine.accept(request)
            if link is None:
                return self._engine.bad_request("Not a WebSocket handshake")
            is_upgraded = await self._probe(link)
        finally:
            self.upgrading = False
            self._candidate = None
        if not is_upgraded or self.why is not None:
            link.close()
            await self._finish(link)
            return link.response
        self._carry(link)
        for part in self._outbox.drain():
            link.write(framed(part))
        self._outbox.wake()  # a poll still waiting ends with a NOOP
        self._engine.counters.upgraded += 1
        self._engine.moved(self)
        await self._read(link)
        return link.response

    async def _probe(self, link: Link) -> bool:
        """The exchange before an upgrade (Engine.IO v4 "Upgrade"); polling goes on if it fails."""
        try:
            async with asyncio.timeout(self._engine.limits.connect_timeout):
                if await link.receive() != "2probe":
                    return False
                link.write(framed("3probe"))
                self._outbox.wake()
                return await link.receive() == "5"
        except TimeoutError:
            return False

    def _carry(self, link: Link) -> None:
        self.link = link
        self.upgraded = True
        link.when_slow(self._slow)

    def _slow(self) -> None:
        log.warning("slow_client", remote_address=self.remote_address)  # it will return and sync
        self.abort("slow client")

    async def _read(self, link: Link) -> None:
        try:
            while (data := await link.receive()) is not None and self.why is None:
                self._received(*split(data))
        except Malformed as error:
            self._engine.log_malformed(self, error)
            self.end("malformed", WSCloseCode.PROTOCOL_ERROR)
        finally:
            self._over("transport close")
            self._gone()
            await self._finish(link)
            self.link = None  # nothing here refers back to itself now: freed at once, without the collector
            link.release()

    async def _finish(self, link: Link) -> None:
        if link.closing is not None:
            await link.closing

    # ------------------------------------------------------------------ receiving

    def _received(self, kind: str, data: Part) -> None:
        if kind == MESSAGE:
            self._engine.received(self, data)
        elif kind == PONG:
            self._engine.heartbeat.pong(self)
        elif kind == CLOSE:
            self._over("client disconnect")
            if self.link is not None:
                self.link.close()
            else:
                self._outbox.drain()
                self._outbox.wake()
            self._gone()
        else:
            raise Malformed(f"packet {kind!r} has no place here")
