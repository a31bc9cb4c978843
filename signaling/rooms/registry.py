"""Rooms this process knows: each at the last event it has told its members.

State and delivery move together in advance(), in one step without an await, so whoever reads a room here and then
enters its audience misses nothing and hears nothing twice.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from server.db.database import Database, Reading
from server.errors import Away, LecternError, Missing
from server.live_sessions.tables import LiveSession
from signaling.rooms import log as timeline_log
from signaling.rooms.blanking import BLANKS, blank_all
from signaling.rooms.evolve import evolve_all
from signaling.rooms.picture import Picture
from signaling.rooms.state import Room, TimelineEvent
from signaling.transport import Ready

MOST_ROOMS = 256  # the room unused for longest is forgotten and rebuilt from its log when needed
CATCH_UP_SECONDS = 5.0  # whoever waits for a room to be healed is then told to come again
HEAL_FIRST_WAIT_SECONDS, HEAL_LONGEST_WAIT_SECONDS = 0.1, 2.0
RECENT_EVENTS = 512  # kept in memory for the end of a catch-up; older ones are read from the log
log = structlog.get_logger(__name__)

Deliver = Callable[[int, str, Sequence[TimelineEvent], Room, Room], None]


@dataclass(slots=True)
class Entry:
    """One room as told so far; its state is kept in the database as of `kept_seq`."""

    epoch: str
    room: Room
    kept_seq: int = 0
    recent: deque[TimelineEvent] = field(default_factory=lambda: deque(maxlen=RECENT_EVENTS))
    waiters: list[tuple[int, asyncio.Future[None]]] = field(default_factory=list)
    _picture: Picture = field(default_factory=Picture)

    def snapshot(self) -> Ready:
        """The room as joining tabs get it."""
        return self._picture.of(self.room)

    def events_after(self, seq: int) -> list[TimelineEvent] | None:
        """Events later than `seq` from memory; None when the log must be asked."""
        if seq == self.room.seq:
            return []
        if not self.recent or self.recent[0].seq > seq + 1:
            return None
        return [event for event in self.recent if event.seq > seq]

    def keep(self, events: Sequence[TimelineEvent]) -> None:
        """Remember the newest; text that they replace is forgotten here as it was in the log."""
        self.recent.extend(events)
        if any(event.type in BLANKS for event in events):
            self.recent = deque(blank_all(self.recent, events), maxlen=RECENT_EVENTS)


class Registry:
    """The rooms of one process. `deliver` tells members what happened; it must not await."""

    def __init__(self, database: Database, deliver: Deliver, is_watched: Callable[[int], bool]) -> None:
        self._database, self._deliver, self._is_watched = database, deliver, is_watched
        self._healing: dict[int, asyncio.Task[None]] = {}
        self._again: set[int] = set()  # asked for while healing
        self._renewing: set[asyncio.Task[None]] = set()
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._loading: dict[int, asyncio.Future[Entry]] = {}
        self._passed: dict[int, int] = {}  # the last event that was told while its room was still being read

    def known(self, live_session_id: int) -> Entry | None:
        """The room if it is in memory."""
        entry = self._entries.get(live_session_id)
        if entry is not None:
            self._entries.move_to_end(live_session_id)
        return entry

    def size(self, live_session_id: int) -> int:
        """About how many people are in the room; 0 when it is not in memory."""
        entry = self._entries.get(live_session_id)
        return len(entry.room.participants) if entry is not None else 0

    async def close(self) -> None:
        """Stop what is still reading."""
        reading = [*self._healing.values(), *self._renewing]
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)

    def heal(self, live_session_id: int) -> None:
        """What the log holds is not known here (a commit's end was not seen, an event is missing): read it and tell.

        Asked while it is being read, it is read once more: that reading may be older than what is missing.
        """
        if (healing := self._healing.get(live_session_id)) is not None and not healing.done():
            self._again.add(live_session_id)
        elif live_session_id in self._entries:
            task = asyncio.get_running_loop().create_task(self._heal(live_session_id))
            self._healing[live_session_id] = task
            task.add_done_callback(lambda _: self._healed(live_session_id, task))

    async def catch_up(self, live_session_id: int) -> None:
        """Like heal(), and wait for its end: from then on what was committed before this call is told. Raises Away."""
        self.heal(live_session_id)
        if (task := self._healing.get(live_session_id)) is not None:
            done, _ = await asyncio.wait([task], timeout=CATCH_UP_SECONDS)
            if not done:  # it goes on while the database is away
                raise Away()

    async def _heal(self, live_session_id: int) -> None:
        wait = HEAL_FIRST_WAIT_SECONDS
        while (entry := self._entries.get(live_session_id)) is not None:
            self._again.discard(live_session_id)
            try:
                async with self._database.read() as read:
                    found = await timeline_log.events_after(read, live_session_id, entry.room.seq, timeline_log.PAGE)
            except LecternError:
                await asyncio.sleep(wait)
                wait = min(2 * wait, HEAL_LONGEST_WAIT_SECONDS)
                continue
            self.advance(live_session_id, entry.epoch, found)
            is_all = len(found) < timeline_log.PAGE and live_session_id not in self._again
            if is_all or (found and entry.room.seq < found[-1].seq):  # a hole in the log is not healed by reading it
                return

    def _healed(self, live_session_id: int, task: asyncio.Task[None]) -> None:
        if self._healing.get(live_session_id) is task:
            del self._healing[live_session_id]
            self._again.discard(live_session_id)

    async def entry(self, live_session_id: int) -> Entry:
        """The room, read from its log when it is not in memory. Raises Missing."""
        while True:
            if (entry := self.known(live_session_id)) is not None:
                return entry
            if (loading := self._loading.get(live_session_id)) is not None:
                await asyncio.wait([loading])
                continue
            future: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
            self._loading[live_session_id] = future
            try:
                async with self._database.read() as read:
                    made = await self._read(read, live_session_id)
                entry = self._entries.setdefault(live_session_id, made)
                if entry.room.seq < self._passed.get(live_session_id, 0):
                    self.heal(live_session_id)  # committed after that reading began, and told to no one here
                return entry
            finally:
                del self._loading[live_session_id]
                self._passed.pop(live_session_id, None)
                future.cancel()
                self._trim()

    async def _read(self, read: Reading, live_session_id: int) -> Entry:
        row = await read.get(LiveSession, live_session_id)
        if row is None:
            raise Missing()
        rebuilt = await timeline_log.rebuild(read, row)
        entry = Entry(row.epoch, rebuilt.room, rebuilt.kept_seq)
        entry.keep(rebuilt.events)
        return entry

    def advance(self, live_session_id: int, epoch: str, events: Sequence[TimelineEvent]) -> None:
        """Committed events reach the room and its members, each once and in order."""
        entry = self._entries.get(live_session_id)
        if entry is None:
            if live_session_id in self._loading and events:
                self._passed[live_session_id] = max(events[-1].seq, self._passed.get(live_session_id, 0))
            return
        if epoch != entry.epoch:
            self.renew(live_session_id, epoch)  # these events come with that reading
            return
        fresh = [event for event in events if event.seq > entry.room.seq]
        if not fresh:
            return
        if fresh[0].seq != entry.room.seq + 1:
            log.warning("room out of step", live_session_id=live_session_id, at=entry.room.seq)
            self.heal(live_session_id)
            return
        before = entry.room
        room = entry.room = evolve_all(before, fresh)
        entry.keep(fresh)
        self._deliver(live_session_id, epoch, fresh, before, room)
        _release(entry, room.seq)

    def adopt(self, live_session_id: int, entry: Entry) -> None:
        """A room that a committed transaction has read anyway need not be read again. Nobody here is in it yet."""
        if self._entries.setdefault(live_session_id, entry) is entry:
            self._trim()

    def renew(self, live_session_id: int, epoch: str) -> None:
        """The log goes on under a new epoch: it is read anew, since what is known here may be what it has lost.

        Members hear of it as soon as that is done, and ask for a snapshot.
        """
        entry = self._entries.get(live_session_id)
        if entry is not None and entry.epoch != epoch:
            del self._entries[live_session_id]
            _release(entry, None)
            task = asyncio.get_running_loop().create_task(self._begin_anew(live_session_id, entry.room))
            self._renewing.add(task)
            task.add_done_callback(self._renewing.discard)

    async def _begin_anew(self, live_session_id: int, before: Room) -> None:
        wait = HEAL_FIRST_WAIT_SECONDS
        while True:
            try:
                entry = await self.entry(live_session_id)
            except Missing:
                return
            except LecternError:
                await asyncio.sleep(wait)
                wait = min(2 * wait, HEAL_LONGEST_WAIT_SECONDS)
            else:
                self._deliver(live_session_id, entry.epoch, (), before, entry.room)
                return

    def update(self, live_session_id: int, change: Callable[[Room], Room]) -> None:
        """A change to the room that is no event (a new size); nothing is told."""
        if (entry := self._entries.get(live_session_id)) is not None:
            entry.room = change(entry.room)

    async def reached(self, live_session_id: int, seq: int) -> Entry:
        """Wait until members were told of event `seq`; returns the room, which may be further."""
        while (entry := await self.entry(live_session_id)).room.seq < seq:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            entry.waiters.append((seq, waiter))
            await asyncio.wait([waiter], timeout=5)
        return entry

    def _trim(self) -> None:
        """A room with members here is never forgotten: they are told from its entry."""
        idle = [key for key in self._entries if not self._is_watched(key)]
        for key in idle[: max(0, len(self._entries) - MOST_ROOMS)]:
            _release(self._entries.pop(key), None)


def _release(entry: Entry, reached: int | None) -> None:
    waiting = entry.waiters
    entry.waiters = [w for w in waiting if reached is not None and w[0] > reached]
    for seq, waiter in waiting:
        if (reached is None or seq <= reached) and not waiter.done():
            waiter.set_result(None)
