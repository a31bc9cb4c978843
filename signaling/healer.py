"""Makes good what bells did not tell: rooms are compared with the log, connected people with the database.

Runs where several processes may write (PostgreSQL); one process alone hears of everything by itself.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import structlog
from sqlalchemy import select

from server import events
from server.access import Role
from server.accounts.tables import SignIn, User
from server.courses.tables import Enrollment
from server.db.database import Database
from server.errors import LecternError
from server.live_sessions import service as live_sessions
from server.live_sessions.tables import LiveSession
from server.notifications import service as notifications
from signaling.client import Client
from signaling.hurry import Hurry
from signaling.rooms.effects import RoomClosed, RoomOpened
from signaling.rooms.registry import Registry

COMPARE_SECONDS, COMPARE_IN_HURRY_SECONDS = 2.0, 1.0
PEOPLE_SECONDS, PEOPLE_IN_HURRY_SECONDS = 10.0, 2.0  # how late a revocation is noticed whose bell was lost
LOOKS_BACK = timedelta(seconds=30)
AT_ONCE = 500  # ids in one query
TOLD_AT_ONCE = 2_000  # rows in one look back; with more within LOOKS_BACK the oldest are left to a reconnection
log = structlog.get_logger(__name__)


class Healer:
    """`rooms()` are the live sessions somebody here is in or waits for, `clients()` everyone connected here."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        is_in_hurry: Hurry,
        *,
        rooms: Callable[[], Sequence[int]],
        clients: Callable[[], Sequence[Client]],
        announce: Callable[[Sequence[object]], None],
        renew_epoch: Callable[[int, str, int], Awaitable[None]],
    ) -> None:
        """`renew_epoch(room, epoch, position)` is for a room here that is beyond the log's end."""
        self._database, self._registry, self._is_in_hurry = database, registry, is_in_hurry
        self._rooms, self._clients, self._announce = rooms, clients, announce
        self._renew_epoch = renew_epoch
        self._tasks: list[asyncio.Task[None]] = []
        self._told: set[object] = set()

    async def start(self) -> None:
        rooms = self._again_and_again(COMPARE_SECONDS, COMPARE_IN_HURRY_SECONDS, self.look_at_rooms)
        people = self._again_and_again(PEOPLE_SECONDS, PEOPLE_IN_HURRY_SECONDS, self.look_at_people)
        self._tasks = [asyncio.create_task(look) for look in (rooms, people)]

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _again_and_again(
        self, seconds: float, in_hurry_seconds: float, look: Callable[[], Awaitable[None]]
    ) -> None:
        """Slept in the short steps, so that a bus that goes away is noticed."""
        now = asyncio.get_running_loop().time
        looked_at = now()
        while True:
            await asyncio.sleep(in_hurry_seconds)
            if self._is_in_hurry() or now() - looked_at >= seconds - in_hurry_seconds / 2:
                looked_at = now()
                await self._try(look)

    async def _try(self, look: Callable[[], Awaitable[None]]) -> None:
        try:
            await look()
        except LecternError as error:
            log.warning("not compared", look=look.__name__, reason=error.code)
        except Exception:
            log.exception("comparing failed", look=look.__name__)

    async def look_at_rooms(self) -> None:
        """Rooms behind the log catch up, in its epoch; sessions that began or ended unheard are announced here."""
        ids = list(self._rooms())
        for start in range(0, len(ids), AT_ONCE):
            part = ids[start : start + AT_ONCE]
            entries = {known: entry for known in part if (entry := self._registry.known(known)) is not None}
            before = {known: (entry.epoch, entry.room.seq) for known, entry in entries.items()}
            query = select(
                LiveSession.id, LiveSession.status, LiveSession.epoch, LiveSession.last_seq, LiveSession.end_reason
            )
            async with self._database.read() as read:
                found = (await read.execute(query.where(LiveSession.id.in_(part)))).all()
            for live_session_id, status, epoch, last_seq, end_reason in found:
                entry = self._registry.known(live_session_id)
                if entry is not None and (known := before.get(live_session_id)) and entry.epoch == known[0]:
                    if epoch != known[0]:  # and it was not renewed here meanwhile
                        self._registry.renew(live_session_id, epoch)
                    elif known[1] > last_seq:
                        await self._renew_epoch(live_session_id, epoch, known[1])
                if entry is not None and entry.room.seq < last_seq:
                    await self._registry.catch_up(live_session_id)
                if status == "live":
                    self._announce([RoomOpened(live_session_id)])
                elif status in ("ended", "cancelled"):
                    self._announce([RoomClosed(live_session_id, end_reason or status)])
        if self._is_in_hurry():
            await self.look_at_what_was_told()

    async def look_at_what_was_told(self) -> None:
        """While bells are away: what others wrote to inboxes, and did to sessions, of people connected here."""
        clients = list(self._clients())
        told: dict[object, object] = {}
        for start in range(0, len(clients), AT_ONCE):
            part = clients[start : start + AT_ONCE]
            user_ids = {client.actor.id for client in part}
            course_ids = {course_id for client in part for course_id in client.courses}
            async with self._database.read() as read:
                since = read.now - LOOKS_BACK
                for row in await notifications.added_since(read, user_ids, since, TOLD_AT_ONCE):
                    told["notification", row.id] = events.NotificationsAdded(((row.user_id, notifications.shown(row)),))
                for at, fact in await live_sessions.changed_since(read, course_ids, user_ids, since, TOLD_AT_ONCE):
                    told["live session", fact.live_session_id, at] = fact
        fresh = [fact for key, fact in told.items() if key not in self._told]
        self._told = set(told)
        if fresh:
            self._announce(fresh)

    async def look_at_people(self) -> None:
        """Whoever lost a sign-in, an account, a role or a course elsewhere loses the connection or the rooms here."""
        clients = list(self._clients())
        for start in range(0, len(clients), AT_ONCE):
            await self._compare(clients[start : start + AT_ONCE])

    async def _compare(self, clients: Sequence[Client]) -> None:
        user_ids = {client.actor.id for client in clients}
        sign_in_ids = {client.actor.sign_in_id for client in clients}
        before = [client.courses.copy() for client in clients]
        async with self._database.read() as read:
            people = select(User.id, User.role, User.disabled_at).where(User.id.in_(user_ids))
            standing = {user_id: (role, disabled_at) for user_id, role, disabled_at in await read.execute(people)}
            over = set(
                await read.scalars(select(SignIn.id).where(SignIn.id.in_(sign_in_ids), SignIn.ended_at.is_not(None)))
            )
            active = select(Enrollment.user_id, Enrollment.course_id).where(
                Enrollment.user_id.in_(user_ids), Enrollment.status == "active"
            )
            enrolled = defaultdict[int, set[int]](set)
            for user_id, course_id in await read.execute(active):
                enrolled[user_id].add(course_id)
        disabled = {user_id for user_id, (_, disabled_at) in standing.items() if disabled_at is not None}
        facts: list[object] = [events.SignInsEnded(user_id) for user_id in sorted(disabled)]
        others = {c.actor.id for c in clients if standing.get(c.actor.id, (c.actor.role.value,))[0] != c.actor.role}
        facts += [events.RoleChanged(user_id) for user_id in sorted(others - disabled)]
        changed: set[tuple[int, int, bool]] = set()
        for client, courses in zip(clients, before, strict=True):
            actor = client.actor
            if actor.sign_in_id in over:
                facts.append(events.SignInsEnded(actor.id, frozenset({actor.sign_in_id})))
            # What was heard during the reading may be newer than it: that is left to the next look.
            known = {course_id for course_id, role in client.courses.items() if role is Role.STUDENT}
            now = enrolled[actor.id]
            changed |= {(course_id, actor.id, False) for course_id in (known & courses.keys()) - now}
            changed |= {(course_id, actor.id, True) for course_id in now - courses.keys() - client.courses.keys()}
        for course_id, user_id, is_in in sorted(changed):
            facts.append(
                events.EnrollmentActivated(course_id, user_id)
                if is_in
                else events.EnrollmentEnded(course_id, user_id, is_revoked=True)
            )
        if facts:
            self._announce(facts)
