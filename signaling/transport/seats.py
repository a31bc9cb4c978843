"""What one transport carries: a connection per namespace, attachments still to come, the time left to connect."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING

from signaling.transport import packets
from signaling.transport.connection import Connection
from signaling.transport.intake import Malformed
from signaling.transport.limits import TransportLimits

if TYPE_CHECKING:
    from signaling.transport.engine_socket import EngineSocket

MOST_REFUSALS = 5  # on one transport; one more and it is closed at once


class ConnectClock:
    """Closes a transport on which nobody is accepted in time."""

    __slots__ = ("_limits", "_socket", "_timer")

    def __init__(self, socket: EngineSocket, limits: TransportLimits) -> None:
        self._socket = socket
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._set(self._limits.connect_timeout, "connect timeout")

    def hurry(self) -> None:
        """After a refusal: long enough for the reason to arrive and for one more try."""
        self._set(self._limits.refusal_seconds, "refused")

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, seconds: float, reason: str) -> None:
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._socket.end, reason)


class Seats:
    """The namespaces of one transport. The clock runs whenever no connection is pending or accepted."""

    __slots__ = ("_incomplete", "_limits", "_refusals", "_taken", "clock", "socket")

    def __init__(self, socket: EngineSocket, limits: TransportLimits) -> None:
        self.socket = socket
        self.clock = ConnectClock(socket, limits)
        self.clock.start()
        self._limits = limits
        self._refusals = 0
        self._taken: dict[str, Connection] = {}
        self._incomplete: packets.StrictPacket | None = None

    def take(self, connection: Connection) -> None:
        """Raises `Malformed` when this transport is in that namespace, or asking to be, already."""
        if connection.namespace in self._taken:
            raise Malformed("connected to this namespace already")
        self._taken[connection.namespace] = connection
        self.clock.stop()

    def connected(self, namespace: str) -> Connection | None:
        connection = self._taken.get(namespace)
        return connection if connection is not None and connection.connected else None

    def leave(self, namespace: str) -> Connection | None:
        connection = self._taken.pop(namespace, None)
        if connection is not None and not self._taken and self.socket.why is None:
            self.clock.start()
        return connection

    def refused(self) -> None:
        """Somebody was not let in: without anybody else on it, the transport is closed soon."""
        self._refusals += 1
        if self._refusals > MOST_REFUSALS:
            self.socket.end("refused")
        elif not self._taken and self.socket.why is None:
            self.clock.hurry()

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
