"""Is the other side of each session still there: a ping now and then, and one deadline for its pong (Engine.IO v4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signaling.transport.waits import Waits

if TYPE_CHECKING:
    from signaling.transport.engine_socket import EngineSocket


class Heartbeat:
    """Of all sessions of one server: each waits for its next ping, or for the pong of the last."""

    def __init__(self, interval: float, timeout: float) -> None:
        self._until_ping: Waits[EngineSocket] = Waits(interval, self._ping)
        self._until_late: Waits[EngineSocket] = Waits(timeout, self._silent)

    def start(self, socket: EngineSocket) -> None:
        self._until_ping.begin(socket)

    def pong(self, socket: EngineSocket) -> None:
        """The answer came; one nobody asked for changes nothing."""
        if self._until_late.end(socket):
            self._until_ping.begin(socket)

    def end(self, socket: EngineSocket) -> None:
        self._until_ping.end(socket)
        self._until_late.end(socket)

    def _ping(self, socket: EngineSocket, due: float) -> None:
        self._until_late.begin(socket, due)  # counted from when the ping was due: lateness does not add up
        socket.ping()

    @staticmethod
    def _silent(socket: EngineSocket, due: float) -> None:
        socket.abort("ping timeout")
