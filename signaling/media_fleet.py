"""The media workers this process reaches, and which of them each room is on.

A room's people here know one worker, looked up once and kept; the rows behind it (placements.py) are the same for all
web processes. A worker that is lost loses its rooms here at once: their people are told, publish and subscribe again,
and the first of them has the room placed anew. What another process moved is noticed within LOOK_SECONDS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from server.errors import Away, Conflict, LecternError, MediaAway
from server.http.keys import Readiness
from server.metrics import Metrics
from signaling.media.client import MediaClient
from signaling.media.placement import Standing
from signaling.media_metrics import MediaMetrics
from signaling.placements import Placements, Running

LOOK_SECONDS = 2.0  # between comparisons with the rows, where processes share them
RENEW_LOOKS = 2  # after so many of these leases are renewed
LEASED_SECONDS = 2.0  # a worker that has just answered is waited for so long until its row is written
LONGEST_PAUSE_SECONDS = 5.0  # between tries to write while the database is away
FULL = "Every media server forwards as much as it can without losing quality; try again later."
log = structlog.get_logger(__name__)


class MediaFull(Conflict):
    code, sentence = "media_full", "The media server has no room for another connection."


class Desk(Protocol):
    """Who hears of the workers' peers, and of rooms that lost their worker."""

    def bindings(self, room: int, peer: str, revision: int, bindings: Mapping[str, Any]) -> None: ...

    def offer(self, room: int, peer: str, revision: int, sdp: str, bindings: Mapping[str, Any]) -> None: ...

    def flowing(self, room: int, user: int, source: str, on: bool) -> None: ...

    def closed(self, room: int, peer: str, side: str, reason: str) -> None: ...

    def lost(self, rooms: Collection[int], reason: str) -> None: ...


class Tasks(Protocol):
    """Runs something later, on behalf of nobody who waits."""

    def spawn(self, call: Coroutine[Any, Any, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a room is: a worker's client, and which process of that worker."""

    client: MediaClient
    incarnation: str

    @property
    def holds(self) -> bool:
        return self.client.connected and self.client.incarnation == self.incarnation


class Fleet:
    """Made once; `open` says where the workers are. Until then, and with none of them answering, media is away."""

    def __init__(
        self, placements: Placements, metrics: Metrics, readiness: Readiness, tasks: Tasks, *, is_shared: bool
    ) -> None:
        self._placements, self._metrics, self._readiness, self._tasks = placements, metrics, readiness, tasks
        self._is_shared = is_shared  # other processes place rooms, too
        self.workers: list[_Worker] = []
        self.shown = MediaMetrics()
        metrics.shared.register(self.shown)
        metrics.before.append(self.report)
        self._seats: dict[int, Seat] = {}
        self._placing: dict[int, asyncio.Task[Seat]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._is_closing = False

    async def open(self, addresses: Sequence[str], secret: str | None, desk: Desk) -> None:
        """Talk to the workers at these addresses, which may come and go."""
        self._desk = desk
        self.workers = [_Worker(self, number, address, secret) for number, address in enumerate(addresses)]
        for worker in self.workers:
            await worker.client.start()
        if self._is_shared:
            self._looking = asyncio.create_task(self._look_often(), name="media placements")

    async def close(self) -> None:
        """Let go of all workers, which end our peers; others' people in the same rooms go on. Twice is harmless."""
        self._is_closing = True
        for task in (self._looking, *self._placing.values()):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self._looking = None
        for worker in self.workers:
            await worker.client.close()

    @property
    def is_up(self) -> bool:
        """Some worker answers."""
        return any(worker.client.connected for worker in self.workers)

    def seat(self, room: int) -> Seat | None:
        """Where the room is, as far as this process knows; None before anybody here wished for media."""
        seat = self._seats.get(room)
        return seat if seat is not None and seat.holds else None

    async def place(self, room: int) -> MediaClient:
        """The room's worker; a room that has none is placed. Raises MediaAway, MediaFull, DatabaseAway."""
        if (seat := self.seat(room)) is not None:
            return seat.client
        if not self.is_up:
            raise MediaAway()
        task = self._placing.get(room)
        if task is None:
            task = self._placing[room] = asyncio.create_task(self._place(room), name="placing a room")
            task.add_done_callback(lambda task: self._placed(room, task))
        return (await asyncio.shield(task)).client  # whoever asked and vanished stops nobody else's answer

    def forget(self, room: int) -> None:
        """The room is over, for everybody."""
        if (seat := self._seats.pop(room, None)) is not None:
            seat.client.close_room(room)
            self._tasks.spawn(self._written(lambda: self._placements.forget(room)))

    async def report(self) -> None:
        """What each worker that answers says of its rooms and sources, for the metrics."""
        answering = [worker for worker in self.workers if worker.client.connected]
        said = await asyncio.gather(*(worker.client.report() for worker in answering), return_exceptions=True)
        self.shown.reports = [
            (str(worker.number), one)
            for worker, one in zip(answering, said, strict=True)
            if not isinstance(one, BaseException)
        ]

    # ------------------------------------------------------------------ placing

    async def _place(self, room: int) -> Seat:
        taking = [worker.taking for worker in self.workers if worker.taking is not None and not worker.taking.done()]
        if taking:
            await asyncio.wait(taking, timeout=LEASED_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        running = {worker.running: worker for worker in self.workers if worker.running is not None}
        if not running:
            raise MediaAway()
        standings = {
            one: Standing(one.worker, worker.client.load, worker.client.is_full) for one, worker in running.items()
        }
        gone = [worker.gone for worker in self.workers if worker.gone is not None]
        placed = await self._placements.place(room, standings, gone)
        if placed is None:
            raise MediaFull(FULL)
        seat = Seat(running[placed].client, placed.incarnation)
        if not seat.holds:
            raise MediaAway()
        self._seats[room] = seat
        return seat

    def _placed(self, room: int, task: asyncio.Task[Seat]) -> None:
        self._placing.pop(room, None)
        if not task.cancelled():
            task.exception()  # whoever waits is told; nobody may wait any more

    # ------------------------------------------------------------------ what workers do

    def is_on(self, room: int, client: MediaClient) -> bool:
        """Whether what this worker says of the room still counts."""
        seat = self._seats.get(room)
        return seat is not None and seat.client is client

    def came(self, worker: _Worker) -> None:
        """It answers, for the first time or again; rooms are placed on it once its row says so."""
        worker.taking = asyncio.create_task(self._take(worker, worker.client.incarnation), name="media worker's row")
        self._tell_state()

    async def _take(self, worker: _Worker, incarnation: str) -> None:
        pause = 0.1
        while worker.client.connected and worker.client.incarnation == incarnation and not self._is_closing:
            try:
                worker.running = await self._placements.take(worker.address, incarnation)
            except LecternError as error:
                log.warning("media worker's row not written", number=worker.number, reason=error.code)
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
                continue
            if not (worker.client.connected and worker.client.incarnation == incarnation):
                worker.running = None  # gone meanwhile
            return

    def went(self, worker: _Worker) -> None:
        """It is lost: its rooms are nowhere until somebody of them asks again."""
        if self._is_closing:
            return
        gone, worker.running = worker.running, None
        rooms = [room for room, seat in self._seats.items() if seat.client is worker.client]
        for room in rooms:
            del self._seats[room]
            worker.client.forget(room)
        self._desk.lost(rooms, "worker_lost")
        self._tell_state()
        if gone is not None:
            worker.gone = gone
            self._tasks.spawn(self._release(gone, rooms))

    async def _release(self, gone: Running, rooms: Sequence[int]) -> None:
        await self._written(lambda: self._placements.end(gone))
        for room in rooms:  # one after the other: whoever comes back first does it for their own room
            await self._written(lambda room=room: self._placements.release(room, gone))

    async def _written(self, write: Any) -> None:
        for attempt in range(5):
            try:
                await write()
                return
            except Away:
                await asyncio.sleep(0.2 * 2**attempt)
            except LecternError as error:
                log.warning("media placement not written", reason=error.code)
                return

    def _tell_state(self) -> None:
        answering = [worker.client.connected for worker in self.workers]
        self._metrics.media_up.set(int(all(answering)))
        self._readiness.media_answers = all(answering)
        self._readiness.media_answered_once |= any(answering)

    # ------------------------------------------------------------------ what other processes do

    async def _look_often(self) -> None:
        looks = 0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            looks += 1
            try:
                await self.look()
                if looks % RENEW_LOOKS == 0 and (answering := [w.running for w in self.workers if w.running]):
                    await self._placements.renew(answering)
            except LecternError as error:
                log.warning("media placements not looked at", reason=error.code)
            except Exception:
                log.exception("looking at media placements failed")

    async def look(self) -> None:
        """Rooms that are elsewhere now, or nowhere, are let go of here; their people ask again."""
        before = dict(self._seats)
        now = await self._placements.where(list(before))
        names = {worker.client: worker for worker in self.workers}
        moved = []
        for room, seat in before.items():
            running = names[seat.client].running
            if self._seats.get(room) is seat and running is not None and now.get(room) != running:
                del self._seats[room]
                seat.client.close_room(room)
                moved.append(room)
        if moved:
            self._desk.lost(moved, "moved")


class _Worker:
    """One worker as this process knows it; hears it, and passes on what is of rooms that are on it."""

    def __init__(self, fleet: Fleet, number: int, address: str, secret: str | None) -> None:
        self._fleet, self.number, self.address = fleet, number, address
        self.client = MediaClient(address, self, secret=secret)
        self.running: Running | None = None  # its row; None until it is written, and when it is lost
        self.gone: Running | None = None  # the process that was lost here last
        self.taking: asyncio.Task[None] | None = None

    def bindings(self, room: int, peer: str, revision: int, bindings: Mapping[str, Any]) -> None:
        if self._fleet.is_on(room, self.client):
            self._fleet._desk.bindings(room, peer, revision, bindings)

    def offer(self, room: int, peer: str, revision: int, sdp: str, bindings: Mapping[str, Any]) -> None:
        if self._fleet.is_on(room, self.client):
            self._fleet._desk.offer(room, peer, revision, sdp, bindings)

    def flowing(self, room: int, user: int, source: str, on: bool) -> None:
        if self._fleet.is_on(room, self.client):
            self._fleet._desk.flowing(room, user, source, on)

    def closed(self, room: int, peer: str, side: str, reason: str) -> None:
        if self._fleet.is_on(room, self.client):
            self._fleet._desk.closed(room, peer, side, reason)

    def worker_lost(self) -> None:
        self._fleet.went(self)

    def worker_ready(self, incarnation: str) -> None:
        if self.gone is not None and self.gone.incarnation == incarnation:
            self.gone = None  # it stood still, and goes on
        self._fleet.came(self)
