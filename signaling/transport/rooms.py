"""Which connection is in which room; leaving everything costs as many steps as the connection has rooms, never more."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from signaling.transport.connection import Connection


class RoomIndex:
    """Rooms exist while somebody is in them. Iteration order is the order of entering."""

    def __init__(self) -> None:
        self._members: dict[str, dict[Connection, None]] = {}

    def enter(self, connection: Connection, room: str) -> None:
        self._members.setdefault(room, {})[connection] = None
        connection.rooms.add(room)

    def leave(self, connection: Connection, room: str) -> None:
        members = self._members.get(room)
        if members is None or connection not in members:
            return
        del members[connection]
        connection.rooms.discard(room)
        if not members:
            del self._members[room]

    def leave_all(self, connection: Connection) -> None:
        for room in tuple(connection.rooms):
            self.leave(connection, room)

    def members(self, room: str) -> Collection[Connection]:
        """A copy: whoever is cut while it is being worked through does not disturb it."""
        return tuple(self._members.get(room, ()))

    def __len__(self) -> int:
        return len(self._members)
