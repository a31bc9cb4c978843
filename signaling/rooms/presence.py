"""Who is connected: this process's lease and connections in the database, counts in memory, changes told in bundles.

The lease belongs to the process: renewed every few seconds, so that when the process is killed its connections' last
moment is known to that. A seat outlives its connections by a while; keeper.py ends the ones nobody came back to.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import delete, func, select, update

from server.access import Role
from server.db.database import Database, Work
from server.errors import LecternError
from server.live_sessions.tables import Participation, ProcessLease, RoomConnection
from signaling.client import Client, course_room, live_room
from signaling.transport import LiveServer

RENEW_SECONDS = 5.0
LEASE_LASTS = timedelta(seconds=15)
COALESCE_SECONDS = 0.2
log = structlog.get_logger(__name__)


async def take_lease(database: Database) -> int:
    """This process's lease; what dead predecessors held ends at their last renewal.

    Embedded, every earlier lease is a predecessor's, because one process tree owns the folder.
    """
    async with database.work("take lease") as work:
        await end_leases(work, everyone=database.is_sqlite)
        row = ProcessLease(kind="web", started_at=work.now, renewed_at=work.now)
        work.add(row)
        await work.flush()
        return row.id


async def end_leases(work: Work, *, everyone: bool) -> None:
    """Connections of ended processes go; their people's seats are held from the last renewal on."""
    gone = select(ProcessLease.id, ProcessLease.renewed_at).where(ProcessLease.ended_at.is_(None))
    if not everyone:
        gone = gone.where(ProcessLease.renewed_at < work.now - LEASE_LASTS)
    for lease_id, renewed_at in (await work.execute(gone)).all():
        held = (await work.execute(select(RoomConnection).where(RoomConnection.lease_id == lease_id))).scalars().all()
        await work.execute(delete(RoomConnection).where(RoomConnection.lease_id == lease_id))
        for live_session_id, user_id in {(c.live_session_id, c.user_id) for c in held}:
            elsewhere = select(RoomConnection.user_id).filter_by(live_session_id=live_session_id, user_id=user_id)
            if await work.scalar(elsewhere.limit(1)) is not None:
                continue
            later_of = func.max if work.is_sqlite else func.greatest
            seen: Any = later_of(renewed_at, Participation.joined_at)
            await work.execute(
                update(Participation)
                .where(
                    Participation.live_session_id == live_session_id,
                    Participation.user_id == user_id,
                    Participation.left_at.is_(None),
                    Participation.last_seen_at.is_(None),
                )
                .values(last_seen_at=seen)
            )
        await work.execute(update(ProcessLease).where(ProcessLease.id == lease_id).values(ended_at=renewed_at))


async def _nothing() -> None:
    """Nobody is connected yet."""


class Presence:
    """Implements server.ports.Presence for this process, and tells rosters what changed."""

    def __init__(self, database: Database, live: LiveServer) -> None:
        self._database, self._live = database, live
        self.lease_id = 0
        self._tabs: Counter[int] = Counter()
        self._inside: dict[int, Counter[int]] = defaultdict(Counter)  # by live session, then user
        self._course_of: dict[int, int | None] = {}
        self._dirty_courses: dict[int, set[int]] = defaultdict(set)
        self._dirty_rooms: dict[int, set[int]] = defaultdict(set)
        self._timer: asyncio.TimerHandle | None = None
        self._renewal: asyncio.Task[None] | None = None
        # Set by the gateway: take the seats of everyone connected; give up those of nobody who is.
        self.retake: Callable[[], Awaitable[None]] = _nothing
        self.sweep: Callable[[], Awaitable[None]] = _nothing

    async def start(self) -> None:
        self.lease_id = await take_lease(self._database)
        self._renewal = asyncio.create_task(self._renew())

    async def close(self) -> None:
        """The lease ends now; what is still connected is accounted for to this moment."""
        if self._timer is not None:
            self._timer.cancel()
        if self._renewal is None:
            return
        self._renewal.cancel()
        await asyncio.gather(self._renewal, return_exceptions=True)
        self._renewal = None
        try:
            async with self._database.work("end lease") as work:
                await work.execute(
                    update(ProcessLease).where(ProcessLease.id == self.lease_id).values(renewed_at=work.now)
                )
        except LecternError:
            log.warning("lease not ended", lease_id=self.lease_id)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await self.renew()
                await self.sweep()
            except LecternError:
                log.warning("lease not renewed", lease_id=self.lease_id)

    async def renew(self) -> None:
        """Once more; a lease that others ended meanwhile, because it was late, is taken again with all its seats."""
        async with self._database.work("renew lease") as work:
            row = await work.get(ProcessLease, self.lease_id, for_update=True)
            was_ended = row is not None and row.ended_at is not None
            mine = ProcessLease.id == self.lease_id
            await work.execute(update(ProcessLease).where(mine).values(renewed_at=work.now, ended_at=None))
            if not self._database.is_sqlite:
                await end_leases(work, everyone=False)
        if was_ended:
            log.warning("lease was late", lease_id=self.lease_id)
            await self.retake()

    async def online(self, user_ids: Collection[int]) -> set[int]:
        return {user_id for user_id in user_ids if self._tabs[user_id] > 0}

    async def in_rooms(self, user_ids: Collection[int]) -> dict[int, int]:
        wanted = set(user_ids)
        return {u: room for room, users in self._inside.items() for u in users if u in wanted and users[u] > 0}

    def rooms(self) -> Collection[int]:
        """The live sessions somebody here is in."""
        return self._inside.keys()

    def is_online(self, user_id: int) -> bool:
        return self._tabs[user_id] > 0

    def tabs(self, user_id: int) -> int:
        return self._tabs[user_id]

    def is_inside(self, live_session_id: int, user_id: int) -> bool:
        return live_session_id in self._inside and self._inside[live_session_id][user_id] > 0

    def came(self, client: Client) -> None:
        """One more tab of this person."""
        self._tabs[client.actor.id] += 1
        self._changed(client)

    def went(self, client: Client) -> None:
        self._tabs[client.actor.id] -= 1
        if self._tabs[client.actor.id] <= 0:
            del self._tabs[client.actor.id]
        self._changed(client)

    def entered(self, client: Client, live_session_id: int, course_id: int | None) -> None:
        """A tab is in a room."""
        self._course_of[live_session_id] = course_id
        self._inside[live_session_id][client.actor.id] += 1
        self._mark(live_session_id, course_id, client.actor.id)

    def left(self, client: Client, live_session_id: int, course_id: int | None) -> None:
        users = self._inside.get(live_session_id)
        if users is None:
            return
        users[client.actor.id] -= 1
        if users[client.actor.id] <= 0:
            del users[client.actor.id]
        if not users:
            del self._inside[live_session_id]
            self._course_of.pop(live_session_id, None)
        self._mark(live_session_id, course_id, client.actor.id)

    def _changed(self, client: Client) -> None:
        for live_session_id, course_id in self._course_of.items():
            if course_id in client.courses:
                self._dirty_rooms[live_session_id].add(client.actor.id)
        for course_id in client.courses:
            self._dirty_courses[course_id].add(client.actor.id)
        self._schedule()

    def _mark(self, live_session_id: int, course_id: int | None, user_id: int) -> None:
        self._dirty_rooms[live_session_id].add(user_id)
        if course_id is not None:
            self._dirty_courses[course_id].add(user_id)
        self._schedule()

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(COALESCE_SECONDS, self._flush)

    def _flush(self) -> None:
        self._timer = None
        courses, self._dirty_courses = self._dirty_courses, defaultdict(set)
        rooms, self._dirty_rooms = self._dirty_rooms, defaultdict(set)
        for live_session_id, users in rooms.items():
            inside = self._inside.get(live_session_id, Counter())
            changes = [self._change(u, inside[u] > 0, inside[u]) for u in sorted(users)]
            self._live.broadcast_droppable(
                live_room(live_session_id), "presence", {"live_session_id": live_session_id, "changes": changes}
            )
        for course_id, users in courses.items():
            of_course = [s for s, c in self._course_of.items() if c == course_id]
            changes = [
                self._change(u, any(self.is_inside(s, u) for s in of_course), self._tabs[u]) for u in sorted(users)
            ]
            self._live.broadcast_droppable(
                course_room(course_id, Role.INSTRUCTOR), "presence", {"course_id": course_id, "changes": changes}
            )

    def _change(self, user_id: int, in_room: bool, connections: int) -> dict[str, Any]:
        return {"user_id": user_id, "online": self.is_online(user_id), "in_room": in_room, "connections": connections}
