"""Seats as they are written and connections as they are, made equal again after the database was away.

Run with every renewal of the process's lease (rooms/presence.py).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog
from sqlalchemy import select

from server.access import Role
from server.db.database import Database
from server.errors import LecternError
from server.live_sessions.tables import RoomConnection
from signaling.client import Client, Phase, Place
from signaling.rooms.room import Enter, Vacate
from signaling.rooms.timeline import Timeline
from signaling.rooms.writer import Writer
from signaling.transport import LiveServer

RETAKEN_AT_ONCE = 200  # seats taken again together; they share transactions
log = structlog.get_logger(__name__)


def entering(client: Client, role: Role) -> Enter:
    """The command by which a tab takes its person's seat, or keeps it."""
    actor = client.actor
    return Enter(actor.id, actor.name, actor.avatar_url, role.value, client.connection.id)


class Seats:
    """`retake()` what was given up for dead, `sweep()` what nobody holds."""

    def __init__(self, database: Database, live: LiveServer, timeline: Timeline, writer: Writer) -> None:
        self._database, self._live, self._timeline, self._writer = database, live, timeline, writer
        self._lost: set[tuple[int, int, str]] = set()  # found once by sweep()

    async def retake(self) -> None:
        """The seats of everyone here were given up for dead while this process could not say that it lives."""
        clients: list[Client] = [connection.state for connection in self._live.connections()]
        taken = [(client, number, place) for client in clients for number, place in client.places.items()]
        for start in range(0, len(taken), RETAKEN_AT_ONCE):
            await asyncio.gather(*(self._retake(*one) for one in taken[start : start + RETAKEN_AT_ONCE]))

    async def _retake(self, client: Client, live_session_id: int, place: Place) -> None:
        if place.phase is Phase.WAITING or client.places.get(live_session_id) is not place:
            return
        try:
            await self._writer.act(live_session_id, replace(entering(client, place.role), stayed=True))
        except LecternError as error:
            log.warning("seat not taken again", live_session_id=live_session_id, reason=error.code)

    async def sweep(self) -> None:
        """Connections written down as inside that are not: their going could not be written when they went.

        Only those found twice; between two looks whatever was under way has been written.
        """
        mine = select(RoomConnection.live_session_id, RoomConnection.user_id, RoomConnection.connection_id)
        async with self._database.read() as read:
            written = (await read.execute(mine.filter_by(lease_id=self._timeline.lease_id))).all()
        inside = {(number, c.id) for c in self._live.connections() for number in c.state.places}
        lost = {(number, user, found) for number, user, found in written if (number, found) not in inside}
        known, self._lost = self._lost, lost
        for live_session_id, user_id, connection_id in lost & known:
            await self._writer.act(live_session_id, Vacate(user_id, connection_id))
