"""The door of the transport: attach it to an application, put connections in rooms, tell rooms things.

A broadcast is serialized and framed once and the same bytes go to every member. There is no way to tell a whole
namespace: it would reach connections that are still being accepted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Container, Mapping
from typing import Any

from aiohttp import web

from signaling.transport import packets
from signaling.transport.connection import Connection
from signaling.transport.counters import TransportCounters
from signaling.transport.engine import Engine
from signaling.transport.front import Front, FrontRunner
from signaling.transport.handlers import Handlers, Namespace, Wishes
from signaling.transport.hub import Hub
from signaling.transport.limits import TransportLimits
from signaling.transport.origins import OriginPolicy, SameOrigin
from signaling.transport.siblings import Place, Siblings
from signaling.transport.versions import require_proven_versions

NAMESPACE = "/live"
SETTLE_SECONDS = 5.0  # for handlers still running at the end; afterwards they are canceled
UNREAD_SECONDS = 1.0  # at the end for clients to take what was sent to them; the rest they sync elsewhere
LOOK_SECONDS = 0.02  # between looks at who still waits for an answer


class SocketServer:
    """Any namespaces on one engine; the conformance server uses it as it is."""

    def __init__(
        self,
        namespaces: Mapping[str, Namespace],
        *,
        worker: int = 0,
        limits: TransportLimits | None = None,
        origins: OriginPolicy | None = None,
        counters: TransportCounters | None = None,
        place: Place | None = None,
    ) -> None:
        require_proven_versions()
        self.limits = limits or TransportLimits()
        self.counters = counters or TransportCounters()
        worker = place.number if place is not None else worker
        self._siblings = Siblings(place, self.limits) if place is not None else None
        self._hub = Hub(namespaces, worker=worker, limits=self.limits, counters=self.counters)
        self._engine = Engine(
            self._hub,
            worker=worker,
            limits=self.limits,
            origins=origins or SameOrigin(),
            counters=self.counters,
            siblings=self._siblings,
        )

    def attach(self, app: web.Application, path: str = "socket.io") -> None:
        """Answer every method on `/<path>/`; must be called before the application is frozen."""
        self._path = f"/{path.strip('/')}/"
        app.router.add_route("*", self._path, self._engine.handle_request)

    def in_front_of(self, web_server: web.Server, *, idle_seconds: float) -> Front:
        """What accepts connections for `web_server`, and keeps those that open a session on WebSocket."""
        return Front(web_server, self._path, self._engine.take, idle_seconds=idle_seconds)

    def runner(self, app: web.Application, **options: Any) -> web.AppRunner:
        """What serves `app`, to which this is attached, when nothing else has a say in it."""
        return FrontRunner(app, self._path, self._engine.take, **options)

    @property
    def transports(self) -> int:
        """Transports open now, connected or not."""
        return len(self._engine.sockets)

    @property
    def waiting(self) -> int:
        """Connects in line to be let in."""
        return self._hub.gate.waiting

    async def close(self, *, work_seconds: float = 0) -> None:
        """Accept nobody new, close every transport as soon as its wishes are answered, wait for every handler.

        A transport whose wishes take longer than `work_seconds` is closed without their answers. Twice is fine.
        """
        self._engine.is_accepting = False
        links = [link for socket in self._engine.sockets.values() if (link := socket.link) is not None]
        waiting, deadline = list(self._engine.sockets.values()), time.monotonic() + work_seconds
        while waiting:
            is_late = time.monotonic() >= deadline
            for socket in waiting:
                if is_late or not socket.seats.is_busy:
                    socket.end("server going away")
            waiting = [socket for socket in waiting if socket.why is None]
            if waiting:
                await asyncio.sleep(LOOK_SECONDS)
        await self._hub.tasks.settle(SETTLE_SECONDS)
        for _ in range(round(UNREAD_SECONDS / LOOK_SECONDS)):
            if not any(link.unread_bytes for link in links):
                break
            await asyncio.sleep(LOOK_SECONDS)
        if self._siblings is not None:
            await self._siblings.close()


class LiveServer(SocketServer):
    """The product's server: one namespace, `/live`, whose events carry one object and are always acknowledged."""

    def __init__(
        self,
        handlers: Handlers,
        *,
        worker: int = 0,
        limits: TransportLimits | None = None,
        origins: OriginPolicy | None = None,
        counters: TransportCounters | None = None,
        place: Place | None = None,
    ) -> None:
        super().__init__(
            {NAMESPACE: Wishes(handlers)},
            worker=worker,
            limits=limits,
            origins=origins,
            counters=counters,
            place=place,
        )

    def enter(self, connection: Connection, room: str) -> None:
        """Put a connection in a room; one that is gone stays out. Its broadcasts begin with the next one."""
        if not connection.gone:
            self._hub.rooms.enter(connection, room)

    def leave(self, connection: Connection, room: str) -> None:
        self._hub.rooms.leave(connection, room)

    def members(self, room: str) -> Collection[Connection]:
        return self._hub.rooms.members(room)

    def connections(self) -> Collection[Connection]:
        """Those accepted and not yet gone."""
        return self._hub.connections.values()

    def broadcast(self, room: str, event: str, payload: Mapping[str, Any], *, skip: Container[Connection] = ()) -> int:
        """Tell every member the same, in order with everything else they are told; how many were reached."""
        if skip:
            wire = packets.event(NAMESPACE, event, (payload,))
            return sum(member.send(wire) for member in self._hub.rooms.members(room) if member not in skip)
        audience = self._hub.rooms.audience(room)
        return 0 if audience is None else self._engine.tell(audience, packets.event_frame(NAMESPACE, event, payload))

    def broadcast_droppable(
        self,
        room: str,
        event: str,
        payload: Mapping[str, Any],
        *,
        skip: Container[Connection] = (),
        passed_over: list[Connection] | None = None,
    ) -> int:
        """Like `broadcast`, leaving out whoever has more unread than the low-water mark: for what is soon stale.

        Those left out are added to `passed_over`.
        """
        members = self._hub.rooms.members(room)
        meant = [member for member in members if member.connected and member not in skip]
        reading = [member for member in meant if not member.is_busy]
        if len(reading) < len(meant):
            self.counters.dropped += len(meant) - len(reading)
            if passed_over is not None:
                passed_over += [member for member in meant if member.is_busy]
        if not reading:
            return 0
        if len(reading) == len(members):
            return self.broadcast(room, event, payload)
        wire = packets.event(NAMESPACE, event, (payload,))
        return sum(member.send(wire) for member in reading)
