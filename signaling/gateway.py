"""Builds the live side of the server from what it is given, and opens and closes it once."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

import structlog
from aiohttp import web
from sqlalchemy import select

from server.db.database import Database
from server.http.keys import Authenticate, Readiness
from server.http.origins import Origins
from server.live_sessions.tables import LiveSession
from server.metrics import Metrics
from server.ports import Clock
from server.settings import Settings
from signaling.announcer import Announcer, Errands
from signaling.asides import Asides
from signaling.bus import Bus, NoBus, RedisBus
from signaling.client import live_room
from signaling.doorway import Doorway, Guess
from signaling.handshake import Handshake
from signaling.healer import Healer
from signaling.hurry import Hurry
from signaling.live_namespace import LiveNamespace
from signaling.media.carrier import addresses_in
from signaling.media_desk import MediaDesk
from signaling.media_fleet import Fleet
from signaling.placements import Placements
from signaling.rooms.effects import RoomClosed
from signaling.rooms.keeper import Keeper
from signaling.rooms.presence import Presence, PresenceTold
from signaling.rooms.registry import Registry
from signaling.rooms.state import Room, TimelineEvent
from signaling.rooms.timeline import Timeline
from signaling.rooms.writer import Writer
from signaling.rosters import Rosters
from signaling.seats import Seats
from signaling.transport import LiveServer, Place, TransportLimits
from signaling.transport_metrics import TransportMetrics

RETURNS_PER_SECOND = 150  # clients of a closing server are asked to come back no faster than this,
LONGEST_RETURN_SECONDS = 10.0  # and none later than this
WORK_SECONDS = 3.0  # wishes in work when the server closes are answered within this, or asked again elsewhere
CLOSE_SECONDS = 10.0  # for all of closing; then what still waits, on a database that is away, is left
log = structlog.get_logger(__name__)


class Gateway:
    """The Socket.IO side: `timeline` is the port Rooms, `presence` the port Presence, `announcer` the publisher."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        authenticate: Authenticate,
        metrics: Metrics,
        readiness: Readiness,
        clock: Clock,
        guess: Guess,
        hear: Callable[[Sequence[object]], None],
        place: Place | None = None,
    ) -> None:
        self._settings, self._database, self._readiness = settings, database, readiness
        held = timedelta(seconds=settings.seat_seconds)
        self._namespace = LiveNamespace(settings, database, metrics, time.monotonic)
        limits = TransportLimits(message_bytes=settings.limit_message_bytes)
        self.live = LiveServer(self._namespace, limits=limits, origins=Origins(settings), place=place)
        metrics.registry.register(TransportMetrics(self.live))
        self._errands = Errands()
        self._registry = Registry(database, self._deliver, self._is_watched)
        self.timeline = Timeline(database, self._registry, seat_held=held)
        self._writer = Writer(self.timeline, metrics)
        self.presence = Presence(database, self.live)
        self._placements = Placements(database, self.timeline)
        self.fleet = Fleet(self._placements, metrics, readiness, self._errands, is_shared=not database.is_sqlite)
        self.media = MediaDesk(settings, self.live, self._registry, self._writer, self._errands, self.fleet)
        rosters = Rosters(database, self.presence)
        self._doorway = Doorway(
            settings, database, self.live, self.timeline, self._writer, self.presence, rosters, guess
        )
        self._seats = Seats(database, self.live, self.timeline, self._writer)
        self.presence.retake, self.presence.sweep = self._seats.retake, self._seats.sweep
        self.presence.abandon = self._abandon
        handshake = Handshake(settings, database, authenticate, self.presence, readiness, clock)
        handshake.live = self.live
        self._asides = Asides(database, self.live, self._registry, lambda facts: self.bus.tell(facts))
        self._namespace.use(handshake, self._doorway, self._writer, self.presence, self.media, self._asides)
        self.announcer = Announcer(settings, self.live, self._doorway, self.media, self._asides, self._errands)
        self._keeper = Keeper(
            database, self._writer, seat_held=held, empty_after=timedelta(seconds=settings.empty_room_seconds)
        )
        self._hear = hear
        self.bus: Bus = NoBus()
        if settings.redis_url:
            self.bus = RedisBus(
                settings.redis_url,
                watched=self.presence.rooms,
                on_room=self._registry.advance,
                on_facts=self._heard,
                on_missed=self._missed,
            )
        readiness.bus_is_up = lambda: self.bus.is_up
        self.presence.is_in_hurry = Hurry(readiness.bus_is_up)
        self.presence.tell = self.bus.tell
        self.timeline.ring = self.bus.ring
        self._healer = Healer(
            database,
            self._registry,
            Hurry(readiness.bus_is_up),
            rooms=self._rooms_here,
            clients=lambda: [connection.state for connection in self.live.connections()],
            announce=hear,
            renew_epoch=self.timeline.renew_epoch,
        )

    def attach(self, app: web.Application) -> None:
        """Serve /socket.io/ from this application."""
        self.live.attach(app)

    async def open(self) -> None:
        """Take this process's lease; from then on connections are accepted."""
        await self.presence.start()
        self.timeline.lease_id = self.presence.lease_id
        if self._database.is_sqlite:
            await self._end_old_tracks()
        else:
            await self._healer.start()
        await self.bus.start()
        await self._keeper.start()

    async def use_media(self, address: str, secret: str | None) -> None:
        """Talk to the media workers at `address`, one or several with commas; they may come and go."""
        await self.fleet.open(addresses_in(address), secret, self.media)

    async def close(self) -> None:
        """Tell clients to come back elsewhere, finish what is in line, leave nothing open; in bounded time."""
        self._readiness.draining = True
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._close()
        except TimeoutError:
            log.warning("closing took too long", seconds=CLOSE_SECONDS)

    async def end(self) -> None:
        """close(), and then the bell: what requests and jobs write up to here is told to the other processes."""
        await self.close()
        await self.bus.close()
        await self._errands.close()
        await self._registry.close()

    async def _close(self) -> None:
        await self._keeper.close()
        await self._healer.close()
        self._tell_draining()
        await asyncio.sleep(0)
        await self.live.close(work_seconds=WORK_SECONDS)
        self.presence.flush()
        await self._writer.close()
        await self.fleet.close()
        await self._asides.close()
        await self._errands.close()
        await self._registry.close()
        await self.timeline.states.close()
        await self.presence.close()

    def _tell_draining(self) -> None:
        connections = list(self.live.connections())
        for connection in connections:
            connection.emit("draining", {"retry_after": moment_to_return(len(connections))})

    def _rooms_here(self) -> list[int]:
        """Live sessions somebody here is in, enters or waits for."""
        rooms = {room for connection in self.live.connections() for room in connection.state.places}
        return sorted(rooms)

    def _missed(self, live_session_ids: Iterable[int]) -> None:
        for live_session_id in live_session_ids:
            self._registry.heal(live_session_id)

    def _heard(self, facts: Sequence[object]) -> None:
        """Another process's facts; the last events of a room are told before its closing."""
        for fact in facts:
            if isinstance(fact, RoomClosed):
                self._errands.spawn(self._heard_closing(fact))
            elif isinstance(fact, PresenceTold):
                self.presence.hear(fact)
            else:
                self._hear([fact])

    async def _heard_closing(self, fact: RoomClosed) -> None:
        await self._registry.catch_up(fact.live_session_id)
        self._hear([fact])

    async def _abandon(self, vanished: Sequence[tuple[int, int]]) -> None:
        """(live session, person) who went with their process and did not come back: what they sent is over."""
        for live_session_id, user_id in vanished:
            if not self.presence.is_inside(live_session_id, user_id):
                await self.media.abandon(live_session_id, user_id)

    async def _end_old_tracks(self) -> None:
        """Embedded, the media worker began with us: what the last one forwarded is over."""
        async with self._database.read() as read:
            query = select(LiveSession.id).where(LiveSession.status == "live")
            live_session_ids = list(await read.scalars(query))
        await self._placements.forget_all()
        await self.media.lose_all(live_session_ids)

    def _deliver(
        self, live_session_id: int, epoch: str, events: Sequence[TimelineEvent], before: Room, after: Room
    ) -> None:
        told = {"live_session_id": live_session_id, "epoch": epoch, "events": [event.wire() for event in events]}
        self.live.broadcast(live_room(live_session_id), "timeline", told)
        self.presence.ride_along()
        for event in events:
            if event.type == "participant_removed":
                self.announcer.put_out(live_session_id, event.payload["user_id"], "removed")
        self.media.room_changed(live_session_id, before, after)

    def _is_watched(self, live_session_id: int) -> bool:
        return bool(self._doorway.audience(live_session_id))


def moment_to_return(clients: int) -> float:
    """In how many seconds one of so many clients should come back: few at once, a thousand spread over seconds."""
    spread = min(LONGEST_RETURN_SECONDS, max(0.1, clients / RETURNS_PER_SECOND))
    return math.floor(random.uniform(1, 100 * spread)) / 100
