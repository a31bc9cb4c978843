"""How many connections one person may have, over all processes; those of a process that died are not held against them.

For some seconds nobody knows that a process is dead, and its people, all back elsewhere, would be too many: refused,
the official client does not ask again. So whoever is too many only by other processes' count waits until these have
renewed their leases, which proves that they live, or have had the time to. Values are compared, never clocks.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select

from server.db.database import Database
from server.live_sessions.tables import ProcessLease
from signaling.rooms.presence import Presence
from signaling.transport import Connection

LOOKS, LOOK_SECONDS = 8, 1.0  # together longer than a lease goes unrenewed, shorter than a connect may take
WAITING = 16  # of the places of all that are being let in; whoever comes beyond is refused at once


class TabLimit:
    """`admitting` are those who are being let in, by person; whoever asks is among them."""

    def __init__(self, presence: Presence, database: Database, most: int) -> None:
        self._presence, self._database, self._most = presence, database, most
        self._waiting = 0
        self.admitting: Counter[int] = Counter()

    def is_over(self, user_id: int, *, without: Collection[int] = ()) -> bool:
        """Whether this person has too many, not counting what the processes `without` hold."""
        return self._presence.tabs(user_id, without=without) + self.admitting[user_id] > self._most

    async def comes_down(self, user_id: int, connection: Connection) -> bool:
        """Whether somebody who is over the limit is so only by connections that are closed, or died with a process."""
        doubted = self._presence.holders(user_id)
        if self.is_over(user_id, without=doubted) or self._waiting >= WAITING:
            return False
        self._waiting += 1
        try:
            return await self._comes_down(user_id, connection, doubted)
        finally:
            self._waiting -= 1

    async def _comes_down(self, user_id: int, connection: Connection, doubted: Collection[int]) -> bool:
        before = await self._renewals(doubted)
        for _ in range(LOOKS):
            await asyncio.sleep(LOOK_SECONDS)
            if connection.gone:
                return False
            if not self.is_over(user_id):
                return True
            now = await self._renewals(doubted)
            doubted = [lease for lease in doubted if lease not in now or now[lease] == before.get(lease)]
            if self.is_over(user_id, without=doubted):
                return False
        return True

    async def _renewals(self, lease_ids: Collection[int]) -> dict[int, datetime]:
        """When these leases were renewed; those that have ended are left out."""
        query = select(ProcessLease.id, ProcessLease.renewed_at)
        query = query.where(ProcessLease.id.in_(lease_ids), ProcessLease.ended_at.is_(None))
        async with self._database.look() as read:
            return dict((await read.execute(query)).all())
