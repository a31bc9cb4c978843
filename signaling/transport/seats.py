"""What one transport carries: a connection per namespace, attachments still to come, the time left to connect."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from signaling.transport import packets
from signaling.transport.connection import Connection
from signaling.transport.intake import Malformed
from signaling.transport.limits import TransportLimits
from signaling.transport.waits import Waits

if TYPE_CHECKING:
    from signaling.transport.engine_socket import EngineSocket

MOST_REFUSALS = 5  # on one transport; one more and it is closed at once


class ConnectClock:
    """Closes each transport on which nobody is accepted in time."""

    def __init__(self, limits: TransportLimits) -> None:
        self._until_late: Waits[EngineSocket] = Waits(limits.connect_timeout, _end("connect timeout"))
        self._until_told: Waits[EngineSocket] = Waits(limits.refusal_seconds, _end("refused"))

    def start(self, socket: EngineSocket) -> None:
        self._until_told.end(socket)
        self._until_late.begin(socket)

    def hurry(self, socket: EngineSocket) -> None:
        """After a refusal: long enough for the reason to arrive and for one more try."""
        self._until_late.end(socket)
        self._until_told.begin(socket)

    def stop(self, socket: EngineSocket) -> None:
        self._until_late.end(socket)
        self._until_told.end(socket)


def _end(reason: str) -> Callable[[EngineSocket, float], None]:
    return lambda socket, due: socket.end(reason)


class Seats:
    """The namespaces of one transport. The clock runs whenever no connection is pending or accepted."""

    __slots__ = ("_clock", "_incomplete", "_limits", "_refusals", "_taken", "socket")

    def __init__(self, socket: EngineSocket, limits: TransportLimits, clock: ConnectClock) -> None:
        self.socket = socket
        self._clock = clock
        clock.start(socket)
        self._limits = limits
        self._refusals = 0
        self._taken: dict[str, Connection] = {}
        self._incomplete: packets.StrictPacket | None = None

    def take(self, connection: Connection) -> None:
        """Raises `Malformed` when this transport is in that namespace, or asking to be, already."""
        if connection.namespace in self._taken:
            raise Malformed("connected to this namespace already")
        self._taken[connection.namespace] = connection
        self._clock.stop(self.socket)

    def connected(self, namespace: str) -> Connection | None:
        connection = self._taken.get(namespace)
        return connection if connection is not None and connection.connected else None

    def leave(self, namespace: str) -> Connection | None:
        connection = self._taken.pop(namespace, None)
        if connection is not None and not self._taken and self.socket.why is None:
            self._clock.start(self.socket)
        return connection

    def refused(self) -> None:
        """Somebody was not let in: without anybody else on it, the transport is closed soon."""
        self._refusals += 1
        if self._refusals > MOST_REFUSALS:
            self.socket.end("refused")
        elif not self._taken and self.socket.why is None:
            self._clock.hurry(self.socket)

    def all(self) -> Collection[Connection]:
        return self._taken.values()

    def leave_all(self) -> list[Connection]:
        connections = list(self._taken.values())
        self._taken.clear()
        return connections

    @property
    def is_busy(self) -> bool:
        """Whether somebody on this transport waits for the answer to a wish."""
        return any(connection.inbox.is_worked for connection in self._taken.values())

    @property
    def expects_binary(self) -> bool:
        return self._incomplete is not None

    def announce(self, packet: packets.StrictPacket) -> None:
        """Keep a packet until its attachments, at most ten, have come."""
        self._incomplete = packet

    def attach(self, data: bytes) -> packets.StrictPacket | None:
        """One attachment; the packet when it was the last. Raises `Malformed` when none was announced."""
        packet = self._incomplete
        if packet is None:
            raise Malformed("an attachment nobody announced")
        try:
            is_wanted = packet.attachment_count <= self._limits.attachments
            is_complete = packet.add_attachment(data if is_wanted else b"")
        except (ValueError, IndexError, KeyError, TypeError) as error:
            raise Malformed("attachments and placeholders differ") from error
        if not is_complete:
            return None
        self._incomplete = None
        return packet
