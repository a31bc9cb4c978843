"""Makes good what bells did not tell: rooms are compared with the log, connected people with the database.

Runs where several processes may write (PostgreSQL); one process alone hears of everything by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog
from sqlalchemy import select

from server import events
from server.access import Role
from server.accounts.tables import SignIn, User
from server.courses.tables import Enrollment
from server.db.database import Database
from server.errors import LecternError
from server.live_sessions.tables import LiveSession
from server.notifications import service as notifications
from server.notifications.tables import Notification
from signaling.bus import Bus
from signaling.client import Client
from signaling.rooms.effects import RoomClosed, RoomOpened
from signaling.rooms.registry import Registry

COMPARE_SECONDS, COMPARE_WITHOUT_BUS_SECONDS = 2.0, 1.0
PEOPLE_SECONDS = 10.0  # how late a lost revocation is noticed, without Redis
INBOX_LOOKS_BACK = timedelta(seconds=30)
AT_ONCE = 500  # ids in one query
log = structlog.get_logger(__name__)


class Healer:
    """`rooms()` are the live sessions somebody here is in or waits for, `clients()` everyone connected here."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        bus: Bus,
        *,
        rooms: Callable[[], Sequence[int]],
        clients: Callable[[], Sequence[Client]],
        announce: Callable[[Sequence[object]], None],
    ) -> None:
        self._database, self._registry, self._bus = database, registry, bus
        self._rooms, self._clients, self._announce = rooms, clients, announce
        self._tasks: list[asyncio.Task[None]] = []
        self._told: set[int] = set()

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._compare_rooms()), asyncio.create_task(self._compare_people())]

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _compare_rooms(self) -> None:
        while True:
            await asyncio.sleep(COMPARE_SECONDS if self._bus.is_up else COMPARE_WITHOUT_BUS_SECONDS)
            try:
                await self.look_at_rooms()
                if not self._bus.is_up:
                    await self.look_at_inboxes()
            except LecternError as error:
                log.warning("rooms not compared", reason=error.code)
            except Exception:
                log.exception("comparing rooms failed")

    async def _compare_people(self) -> None:
        while True:
            await asyncio.sleep(PEOPLE_SECONDS)
            try:
                await self.look_at_people()
            except LecternError as error:
                log.warning("people not compared", reason=error.code)
            except Exception:
                log.exception("comparing people failed")

    async def look_at_rooms(self) -> None:
        """Rooms behind the log catch up; sessions that began or ended unheard are announced here."""
        ids = list(self._rooms())
        for start in range(0, len(ids), AT_ONCE):
            part = ids[start : start + AT_ONCE]
            query = select(LiveSession.id, LiveSession.status, LiveSession.last_seq, LiveSession.end_reason)
            async with self._database.read() as read:
                found = (await read.execute(query.where(LiveSession.id.in_(part)))).all()
            for live_session_id, status, last_seq, end_reason in found:
                entry = self._registry.known(live_session_id)
                if entry is not None and entry.room.seq < last_seq:
                    await self._registry.catch_up(live_session_id)
                if status == "live":
                    self._announce([RoomOpened(live_session_id)])
                elif status in ("ended", "cancelled"):
                    self._announce([RoomClosed(live_session_id, end_reason or status)])

    async def look_at_inboxes(self) -> None:
        """While bells are away: what others wrote to inboxes of people connected here."""
        user_ids = {client.actor.id for client in self._clients()}
        async with self._database.read() as read:
            rows = list(
                await read.scalars(
                    select(Notification)
                    .where(Notification.user_id.in_(user_ids), Notification.created_at > read.now - INBOX_LOOKS_BACK)
                    .order_by(Notification.id)
                    .limit(AT_ONCE)
                )
            )
        fresh = [row for row in rows if row.id not in self._told]
        self._told = {row.id for row in rows}
        if fresh:
            items = tuple((row.user_id, notifications.shown(row)) for row in fresh)
            self._announce([events.NotificationsAdded(items)])

    async def look_at_people(self) -> None:
        """Whoever lost a sign-in, an account or a course elsewhere loses the connection or the rooms here."""
        clients = list(self._clients())
        for start in range(0, len(clients), AT_ONCE):
            await self._compare(clients[start : start + AT_ONCE])

    async def _compare(self, clients: Sequence[Client]) -> None:
        user_ids = {client.actor.id for client in clients}
        sign_in_ids = {client.actor.sign_in_id for client in clients}
        async with self._database.read() as read:
            disabled = set(
                await read.scalars(select(User.id).where(User.id.in_(user_ids), User.disabled_at.is_not(None)))
            )
            over = set(
                await read.scalars(select(SignIn.id).where(SignIn.id.in_(sign_in_ids), SignIn.ended_at.is_not(None)))
            )
            active = select(Enrollment.user_id, Enrollment.course_id).where(
                Enrollment.user_id.in_(user_ids), Enrollment.status == "active"
            )
            enrolled = {(user_id, course_id) for user_id, course_id in await read.execute(active)}
        facts: list[object] = [events.SignInsEnded(user_id) for user_id in sorted(disabled)]
        changed: set[tuple[int, int, bool]] = set()
        for client in clients:
            actor = client.actor
            if actor.sign_in_id in over:
                facts.append(events.SignInsEnded(actor.id, frozenset({actor.sign_in_id})))
            known = {course_id for course_id, role in client.courses.items() if role is Role.STUDENT}
            now = {course_id for user_id, course_id in enrolled if user_id == actor.id}
            changed |= {(course_id, actor.id, False) for course_id in known - now}
            changed |= {(course_id, actor.id, True) for course_id in now - known - client.courses.keys()}
        for course_id, user_id, is_in in sorted(changed):
            facts.append(
                events.EnrollmentActivated(course_id, user_id)
                if is_in
                else events.EnrollmentEnded(course_id, user_id, is_revoked=True)
            )
        if facts:
            self._announce(facts)
