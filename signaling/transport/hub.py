"""Socket.IO on top of the sessions: namespaces, admission, events, and the end of each connection.

The library's own server class is not used here: it starts a task per event, scans all rooms when a client leaves and
runs `disconnect` for a client that merely sends that word. Its packet parser is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import structlog

from signaling.transport import packets
from signaling.transport.connection import Connection
from signaling.transport.counters import TransportCounters
from signaling.transport.deadlines import Deadline
from signaling.transport.engine_socket import EngineSocket
from signaling.transport.gate import CROWDED, Gate
from signaling.transport.handlers import ConnectRefused, Namespace
from signaling.transport.ids import unguessable
from signaling.transport.inbox import Wish
from signaling.transport.intake import Malformed
from signaling.transport.limits import TransportLimits
from signaling.transport.rooms import RoomIndex
from signaling.transport.seats import ConnectClock, Seats
from signaling.transport.tasks import Tasks
from signaling.transport.wire import Part

log = structlog.get_logger(__name__)


class Hub:
    """All connections of all namespaces of one server."""

    def __init__(
        self, namespaces: Mapping[str, Namespace], *, worker: int, limits: TransportLimits, counters: TransportCounters
    ) -> None:
        self.limits = limits
        self.counters = counters
        self.tasks = Tasks()
        self.rooms = RoomIndex()
        self.connections: dict[str, Connection] = {}  # the accepted ones, by id
        self._namespaces = dict(namespaces)
        self._worker = worker
        self.gate = Gate(limits, self.tasks)
        self._clock = ConnectClock(limits)
        self._connecting, self.handling = Deadline(limits.connect_timeout), Deadline(limits.handler_seconds)

    def namespace_of(self, connection: Connection) -> Namespace:
        return self._namespaces[connection.namespace]

    # ------------------------------------------------------------------ what the engine tells

    def opened(self, socket: EngineSocket) -> None:
        socket.seats = Seats(socket, self.limits, self._clock)

    def ended(self, socket: EngineSocket, reason: str) -> None:
        seats: Seats = socket.seats
        socket.seats = None  # told once: nothing asks for them again, and nothing is left that refers to itself
        self._clock.stop(socket)
        for connection in seats.leave_all():
            self._gone(connection, reason)

    def crowded(self) -> float | None:
        return self.gate.wait_seconds if self.gate.is_full else None

    def moved(self, socket: EngineSocket) -> None:
        seats: Seats = socket.seats
        for connection in seats.all():
            self.rooms.changed(connection)

    def received(self, socket: EngineSocket, data: Part) -> None:
        """One message from a client; raises `Malformed` for what closes the connection."""
        seats: Seats = socket.seats
        if isinstance(data, bytes):
            complete = seats.attach(data)
            if complete is not None:
                self._event(seats, complete)
            return
        if seats.expects_binary:
            raise Malformed("text where an attachment was announced")
        packet = packets.parse(data)
        if packet.packet_type == packets.CONNECT:
            self._connect(seats, packet.namespace, packet.data or {})
        elif packet.packet_type == packets.DISCONNECT:
            connection = seats.leave(packet.namespace)
            if connection is not None:
                self._gone(connection, "client disconnect")
        elif packet.attachment_count:
            seats.announce(packet)
        elif packet.packet_type == packets.EVENT:
            self._event(seats, packet)

    # ------------------------------------------------------------------ coming

    def _connect(self, seats: Seats, name: str, auth: Mapping[str, Any]) -> None:
        if name not in self._namespaces:
            seats.socket.send(packets.connect_error(name, {"message": "Invalid namespace"}))
            seats.refused()
            return
        connection = Connection(self, seats.socket, name, f"{self._worker}-{unguessable()}")
        seats.take(connection)
        if not self.gate.ask(connection, partial(self._admit, seats, connection, auth)):
            self.counters.refused[CROWDED] += 1
            seats.socket.end("line full")  # not a refusal, which would keep the official client from coming back

    async def _admit(self, seats: Seats, connection: Connection, auth: Mapping[str, Any]) -> None:
        structlog.contextvars.bind_contextvars(
            connection_id=connection.id, request_id=f"{connection.trace}-0", event_name="connect"
        )
        try:
            await self._connecting.within(self.namespace_of(connection).connect(connection, auth))
        except ConnectRefused as refusal:
            self._refuse(seats, connection, refusal.code, refusal.problem)
        except TimeoutError:
            self.counters.handler_failures += 1
            log.error("connect_handler_ran_out_of_time")
            seats.socket.end("connect timeout")
            connection.inbox.forget()
        except Exception:
            self.counters.handler_failures += 1
            log.exception("connect_handler_failed")
            self._refuse(seats, connection, "internal", self.internal_problem()["error"])
        else:
            self._seat(seats, connection)

    def _seat(self, seats: Seats, connection: Connection) -> None:
        self.counters.connected += 1
        if connection.gone:  # the client left while it was being let in; whoever let it in must hear of that
            self.rooms.leave_all(connection)
            connection.inbox.end()
            return
        self._clock.stop(seats.socket)
        self.connections[connection.id] = connection
        connection.accept()

    def _refuse(self, seats: Seats, connection: Connection, code: str, problem: Mapping[str, Any]) -> None:
        self.counters.refused[code] += 1
        self.rooms.leave_all(connection)
        connection.inbox.forget()
        if connection.gone:
            return
        connection.drop("refused")
        seats.leave(connection.namespace)
        message = str(problem.get("detail") or code)
        seats.socket.send(packets.connect_error(connection.namespace, {"message": message, "data": dict(problem)}))
        seats.refused()

    # ------------------------------------------------------------------ staying

    def _event(self, seats: Seats, packet: packets.StrictPacket) -> None:
        if packet.packet_type in (packets.ACK, packets.BINARY_ACK):
            return  # this server asks for no acknowledgements
        connection = seats.connected(packet.namespace)
        if connection is None:
            raise Malformed("an event before the connection was accepted")
        self.counters.received += 1
        name, *args = packet.data
        refused = "binary" if packet.attachment_count > self.limits.attachments else None
        connection.inbox.put(Wish(name, args, packet.id, refused))

    async def handle(self, connection: Connection, wish: Wish) -> list[Any] | None:
        """The arguments of the acknowledgement; always some, whatever the handler does."""
        try:
            return await self.handling.within(
                self.namespace_of(connection).event(connection, wish.event, wish.args, wish.refused)
            )
        except Exception:
            self.counters.handler_failures += 1
            log.exception("wish_failed")
            return [self.internal_problem()]

    def internal_problem(self) -> dict[str, Any]:
        """The last resort, in the shape every refused wish has."""
        detail = "Something went wrong on the server."
        request_id = structlog.contextvars.get_contextvars().get("request_id", "")
        return {"ok": False, "error": {"type": "urn:lectern:problem:internal", "title": "Internal error", "status": 500,
                                       "detail": detail, "message": detail, "code": "internal",
                                       "request_id": request_id}}  # fmt: skip

    # ------------------------------------------------------------------ going

    def _gone(self, connection: Connection, reason: str) -> None:
        was_connected = connection.connected
        connection.drop(reason)
        was_in_line = self.gate.leave(connection)
        self.rooms.leave_all(connection)
        self.connections.pop(connection.id, None)
        if was_connected:
            connection.inbox.end()
        elif was_in_line:
            connection.inbox.forget()
