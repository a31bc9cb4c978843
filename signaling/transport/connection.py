"""One client in one namespace, as the rest of the server sees it.

Until it is accepted nothing reaches the client: what is emitted meanwhile is held, and dropped when it is refused.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from signaling.transport import packets
from signaling.transport.inbox import Inbox
from signaling.transport.link import not_now
from signaling.transport.wire import Wire

if TYPE_CHECKING:
    from signaling.transport.engine_socket import EngineSocket
    from signaling.transport.hub import Hub
    from signaling.transport.link import Link


class Connection:
    """A namespace connection. `connected` is False before and after its time.

    `state` belongs to whoever handles it, until the end was told.
    """

    __slots__ = ("_held", "_hub", "_inbox", "_socket", "connected", "gone", "id", "namespace", "reason",
                 "remote_address", "rooms", "state", "trace")  # fmt: skip

    def __init__(self, hub: Hub, socket: EngineSocket, namespace: str, connection_id: str) -> None:
        self.id = connection_id
        self.remote_address = socket.remote_address
        self.namespace = namespace
        self.state: Any = None
        self.connected = False
        self.gone = False  # its end has begun; nothing is sent any more
        self.reason = ""  # why it ended
        self.rooms: set[str] = set()
        self.trace = os.urandom(4).hex()  # begins the request ids of its wishes
        self._hub = hub
        self._socket = socket
        self._held: list[Wire] | None = []
        self._inbox = Inbox(self, hub)

    def emit(self, event: str, payload: Mapping[str, Any]) -> bool:
        """Queue an event behind everything sent before, broadcasts included; False when the client is gone."""
        return self.send(packets.event(self.namespace, event, (payload,)))

    def emit_droppable(self, event: str, payload: Mapping[str, Any]) -> bool:
        """Like `emit`, but skipped (False) while the client has more unread than the low-water mark."""
        if not self.connected or self.is_busy:
            return False
        return self.emit(event, payload)

    def close(self, reason: str) -> None:
        """Flush what is queued, then close the transport, so that the official client comes back by itself."""
        self._socket.end(reason)

    @property
    def inbox(self) -> Inbox:
        return self._inbox

    @property
    def is_busy(self) -> bool:
        """Whether droppable events are skipped right now."""
        link = self._socket.link
        if link is not None and link.send is not not_now:  # nothing waits but what this turn gathered, which is less
            return False
        return self._socket.unread_bytes > self._hub.limits.droppable_bytes

    @property
    def open_link(self) -> Link | None:
        """Where frames for it may be written as they are; `RoomIndex.changed` is told when that changes."""
        return self._socket.link if self.connected and self._held is None else None

    def send(self, wire: Wire) -> bool:
        """Send a ready message; held until the connection is accepted."""
        if self._held is None:
            return self.connected and self._socket.send(wire)
        if len(self._held) >= self._hub.limits.held_emits:
            self.close("flooded while connecting")
            return False
        self._held.append(wire)
        return True

    def accept(self) -> None:
        """Tell the client that it is in, then everything held for it, in order."""
        self.connected = True
        self._socket.send(packets.connected(self.namespace, self.id))
        if self._held:
            self._socket.flush()  # in a write of its own: clients may not listen for more before they have read it
            asyncio.get_running_loop().call_soon(self._release)
        else:
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, None
        self._hub.rooms.changed(self)
        if self.connected and held:
            for wire in held:
                self.send(wire)

    def drop(self, reason: str) -> None:
        """Its end has begun: nothing is sent from here on."""
        self.connected, self.gone, self.reason, self._held = False, True, reason, None
