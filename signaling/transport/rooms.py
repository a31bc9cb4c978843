"""Which connection is in which room; leaving everything costs as many steps as the connection has rooms, never more."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from signaling.transport.crowds import Audience

if TYPE_CHECKING:
    from signaling.transport.connection import Connection


class RoomIndex:
    """Rooms exist while somebody is in them. Iteration order is the order of entering."""

    def __init__(self) -> None:
        self._members: dict[str, dict[Connection, None]] = {}
        self._audiences: dict[str, Audience] = {}  # of rooms that were told something since they last changed

    def enter(self, connection: Connection, room: str) -> None:
        self._members.setdefault(room, {})[connection] = None
        connection.rooms.add(room)
        self._audiences.pop(room, None)

    def leave(self, connection: Connection, room: str) -> None:
        members = self._members.get(room)
        if members is None or connection not in members:
            return
        del members[connection]
        connection.rooms.discard(room)
        self._audiences.pop(room, None)
        if not members:
            del self._members[room]

    def leave_all(self, connection: Connection) -> None:
        for room in tuple(connection.rooms):
            self.leave(connection, room)

    def members(self, room: str) -> Collection[Connection]:
        """A copy: whoever is cut while it is being worked through does not disturb it."""
        return tuple(self._members.get(room, ()))

    def audience(self, room: str) -> Audience | None:
        """The members as a broadcast needs them, put together once for many; None when nobody is in."""
        found = self._audiences.get(room)
        if found is None and room in self._members:
            found = self._audiences[room] = Audience(tuple(self._members[room]))
        return found

    def changed(self, connection: Connection) -> None:
        """It is told things in another way from now on."""
        for room in connection.rooms:
            self._audiences.pop(room, None)

    def __len__(self) -> int:
        return len(self._members)
