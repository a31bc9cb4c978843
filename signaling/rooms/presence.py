"""Who is connected, here and in the other web processes; rosters are told of changes in bundles (roster_news.py).

Counts of this process are in memory. Where processes share a database, what changed goes over the bus with each bundle
and into the database with each renewal of the lease (exchange.py); what others said comes back the same two ways.
A seat outlives its connections by a while; keeper.py ends the ones nobody came back to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import update

from server.db.database import Database, Work
from server.errors import LecternError
from server.live_sessions.tables import ProcessLease
from signaling.client import Client
from signaling.rooms.exchange import Written, course_of_rooms, courses_of, read_others
from signaling.rooms.headcount import ANYWHERE, Elsewhere, Headcount, Key
from signaling.rooms.leases import end_lease, end_leases, take_lease
from signaling.rooms.roster_news import RosterNews
from signaling.transport import LiveServer

RENEW_SECONDS = 5.0
LOOK_SECONDS = 0.7  # how often it is asked whether something is due; while bells are away, something is
TOLD_AT_ONCE = 500  # counts in one fact
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PresenceTold:
    """One process's counts that changed, as they are now: (person, live session or 0, connections).

    `courses` are those in whose rosters these people are, `rooms` the course of each live session named.
    """

    lease_id: int
    version: int
    counts: tuple[tuple[int, int, int], ...]
    courses: Mapping[int, tuple[int, ...]]
    rooms: Mapping[int, int | None]


async def _nothing() -> None:
    """Nobody is connected yet."""


async def _nobody(vanished: Sequence[tuple[int, int]]) -> None:
    """Nobody has tracks yet."""


class Presence:
    """Implements server.ports.Presence for all web processes, and tells the rosters here what changed."""

    def __init__(self, database: Database, live: LiveServer) -> None:
        self._database = database
        self.lease_id = 0
        self._here, self._elsewhere = Headcount(), Elsewhere()
        self._written = Written(self._here)
        self._is_shared = not database.is_sqlite
        self._untold: dict[Key, frozenset[int]] = {}  # changed here since the last fact, with the person's courses
        self._news = RosterNews(live, self._count, self._tell_others)
        self._renewal: asyncio.Task[None] | None = None
        self._vanished: list[tuple[int, int]] = []  # with their process, and not yet looked at
        # Set by the gateway: take the seats of everyone connected; give up those of nobody who is; end the tracks of
        # whoever vanished with another process, as (live session, person); the bus.
        self.retake: Callable[[], Awaitable[None]] = _nothing
        self.sweep: Callable[[], Awaitable[None]] = _nothing
        self.abandon: Callable[[Sequence[tuple[int, int]]], Awaitable[None]] = _nobody
        self.tell: Callable[[Sequence[object]], None] = lambda facts: None
        self.changed: Callable[[int], None] = lambda user_id: None  # called at once, for whoever keeps it shown
        self.is_in_hurry: Callable[[], bool] = lambda: False

    # ------------------------------------------------------------------ the lease

    async def start(self) -> None:
        self.lease_id = await take_lease(self._database)
        if self._is_shared:
            await self._read_others()
        self._renewal = asyncio.create_task(self._run())

    async def close(self) -> None:
        """The lease ends now; what is still connected is accounted for to this moment."""
        self._news.close()
        if self._renewal is None:
            return
        self._renewal.cancel()
        await asyncio.gather(self._renewal, return_exceptions=True)
        self._renewal = None
        try:
            async with self._database.work("end lease") as work:
                await end_lease(work, self.lease_id, work.now)
        except LecternError:
            log.warning("lease not ended", lease_id=self.lease_id)

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time
        due = now() + RENEW_SECONDS
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, max(0.0, due - now())))
            try:
                if now() >= due:
                    due = now() + RENEW_SECONDS
                    await self.renew()
                    await self.sweep()
                elif self._is_shared and self.is_in_hurry():
                    await self.exchange()
            except LecternError as error:
                log.warning("lease not renewed", lease_id=self.lease_id, reason=error.code)
            except Exception:
                log.exception("renewing the lease failed")

    async def renew(self) -> None:
        """Once more; a lease that others ended meanwhile, because it was late, is taken again with all its seats."""
        async with self._database.work("renew lease") as work:
            row = await work.get(ProcessLease, self.lease_id, for_update=True)
            was_ended = row is not None and row.ended_at is not None
            if was_ended and self._is_shared:
                self._written.touch_all()
            await self._put_lease(work, renewed_at=work.now, ended_at=None)
        if was_ended:
            log.warning("lease was late", lease_id=self.lease_id)
            await self.retake()
        if self._is_shared:
            # By itself: it waits for rooms, whose writers in turn need this process's lease.
            async with self._database.work("end leases") as work:
                vanished = await end_leases(work, everyone=False)
            self._vanished += vanished
            await self._read_others()
            vanished, self._vanished = self._vanished, []
            await self.abandon(vanished)

    async def exchange(self) -> None:
        """Counts alone: what changed here is written, what changed elsewhere read."""
        if self._written.is_due:
            async with self._database.work("write presence") as work:
                await self._put_lease(work)
        await self._read_others()

    async def _put_lease(self, work: Work, **columns: Any) -> None:
        """With the counts, where other processes read them."""
        if self._is_shared:
            columns["counts_version"] = await self._written.write(work, self.lease_id)
        await work.execute(update(ProcessLease).where(ProcessLease.id == self.lease_id).values(**columns))

    async def _read_others(self) -> None:
        async with self._database.read() as read:
            changed = await read_others(read, self.lease_id, self._elsewhere)
            if not changed:
                return
            courses = await courses_of(read, {user_id for user_id, _ in changed})
            named = {room for _, room in changed if room != ANYWHERE}
            rooms = {room: self._news.course_of[room] for room in named & self._news.course_of.keys()}
            rooms |= await course_of_rooms(read, named - rooms.keys())
        self._changed_elsewhere(changed, courses, rooms)

    def hear(self, fact: PresenceTold) -> None:
        """Another process's counts, at once; what is lost of this comes with the next reading."""
        changed = self._elsewhere.hear(fact.lease_id, fact.version, fact.counts)
        self._changed_elsewhere(changed, fact.courses, fact.rooms)

    def _changed_elsewhere(
        self, changed: Iterable[Key], courses: Mapping[int, Iterable[int]], rooms: Mapping[int, int | None]
    ) -> None:
        for key in changed:
            user_id, place = key
            if place in rooms:
                self._news.course_of.setdefault(place, rooms[place])
            self._news.mark(key, courses.get(user_id, ()))
            self.changed(user_id)

    # ------------------------------------------------------------------ who is here

    async def online(self, user_ids: Collection[int]) -> set[int]:
        return {user_id for user_id in user_ids if self.is_online(user_id)}

    async def in_rooms(self, user_ids: Collection[int]) -> dict[int, int]:
        return {
            user_id: room
            for user_id in user_ids
            for counted in (self._elsewhere.total, self._here)
            for room in counted.rooms_of(user_id)
        }

    def rooms(self) -> Collection[int]:
        """The live sessions somebody is in through this process."""
        return self._here.rooms()

    def tabs(self, user_id: int, *, without: Collection[int] = ()) -> int:
        """This person's connections to all processes but those whose leases are `without`."""
        count = self._count((user_id, ANYWHERE))
        if without:
            count -= sum(held for lease_id, held in self._elsewhere.holders(user_id).items() if lease_id in without)
        return count

    def holders(self, user_id: int) -> Collection[int]:
        """The leases of the other processes that have connections of this person."""
        return self._elsewhere.holders(user_id).keys()

    def is_online(self, user_id: int) -> bool:
        return self.tabs(user_id) > 0

    def is_inside(self, live_session_id: int, user_id: int) -> bool:
        return self._count((user_id, live_session_id)) > 0

    def _count(self, key: Key) -> int:
        return self._here[key] + self._elsewhere.total[key] if self._is_shared else self._here[key]

    # ------------------------------------------------------------------ coming and going

    def came(self, client: Client) -> None:
        """One more tab of this person."""
        self._add(client, ANYWHERE, 1)

    def went(self, client: Client) -> None:
        self._add(client, ANYWHERE, -1)

    def entered(self, client: Client, live_session_id: int, course_id: int | None) -> None:
        """A tab is in a room."""
        self._news.course_of[live_session_id] = course_id
        self._add(client, live_session_id, 1)

    def left(self, client: Client, live_session_id: int, course_id: int | None) -> None:
        self._news.course_of.setdefault(live_session_id, course_id)
        self._add(client, live_session_id, -1)

    def _add(self, client: Client, place: int, connections: int) -> None:
        key = (client.actor.id, place)
        self._here.add(key, connections)
        if self._is_shared:
            self._written.touch(key)
            self._untold[key] = frozenset(client.courses)
        self._news.mark(key, client.courses if place == ANYWHERE else ())
        self.changed(key[0])

    # ------------------------------------------------------------------ telling

    def flush(self) -> None:
        """Tell what changed, now."""
        self._news.flush()

    def ride_along(self) -> None:
        """Members of rooms are written to in this turn."""
        self._news.ride_along()

    def _tell_others(self) -> None:
        untold, self._untold = list(self._untold.items()), {}
        version = self._written.next_version() if untold else 0
        for start in range(0, len(untold), TOLD_AT_ONCE):
            part = untold[start : start + TOLD_AT_ONCE]
            fact = PresenceTold(
                self.lease_id,
                version,
                tuple((*key, self._here[key]) for key, _ in part),
                {key[0]: tuple(sorted(courses)) for key, courses in part},
                {room: self._news.course_of.get(room) for (_, room), _ in part if room != ANYWHERE},
            )
            self.tell([fact])
        self._news.forget(self._news.course_of.keys() - self._here.rooms() - self._elsewhere.total.rooms())
