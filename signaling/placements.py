"""Which media worker forwards for which room, as rows that all web processes share.

A room's row is its one answer, locked while it is decided, so two joins of one moment on two processes meet on one
worker. It names the running worker process (its incarnation): on another one nothing of the room is left, and whoever
finds that ends the room's tracks and places it anew in the same transaction. Only a worker that was seen to end, or
whose lease ran out, loses its rooms; one that merely this process does not reach keeps them.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from server.db.database import Database, Work
from server.errors import Away, LecternError, MediaAway
from server.live_sessions.tables import LiveSession, MediaPlacement, MediaWorker
from signaling.media.placement import FRESH_SECONDS, Standing, least_loaded
from signaling.rooms.room import LoseTracks
from signaling.rooms.timeline import Timeline

LEASE_LASTS = timedelta(seconds=15)  # without a renewal by any web process; a worker seen to end loses it at once
FORGOTTEN_AFTER = timedelta(days=1)  # a worker nobody has reached for so long, and that has no rooms
ROOMS_AT_ONCE = 500  # in one question
TRIES = 3  # another process may place the same room between our look and our row


@dataclass(frozen=True, slots=True)
class Running:
    """One running worker process, as its row knows it."""

    worker: int
    incarnation: str


class Overtaken:
    """Another process has placed the room at the same moment."""


class Placements:
    """The rows. `timeline` ends the tracks of a room whose worker is gone."""

    def __init__(self, database: Database, timeline: Timeline) -> None:
        self._database, self._timeline = database, timeline

    async def take(self, address: str, incarnation: str) -> Running:
        """This worker answers: its lease begins, or goes on."""
        name = known_as(address)
        async with self._database.work("take media worker") as work:
            await self._forget_old(work)
            row = {"incarnation": incarnation, "renewed_at": work.now, "ended_at": None}
            made = _insert(work, MediaWorker).values(address=name, **row)
            await work.execute(made.on_conflict_do_update(index_elements=["address"], set_=row))
            worker = await work.scalar(select(MediaWorker.id).where(MediaWorker.address == name))
        return Running(int(worker), incarnation)

    async def renew(self, answering: Collection[Running]) -> None:
        """These answer now."""
        async with self._database.work("renew media workers") as work:
            for one in answering:
                values = {"renewed_at": work.now, "ended_at": None}
                await work.execute(update(MediaWorker).where(*_is(one)).values(**values))

    async def end(self, gone: Running) -> None:
        """That process was seen to end, or to stand still."""
        async with self._database.work("end media worker") as work:
            await work.execute(update(MediaWorker).where(*_is(gone)).values(ended_at=work.now))

    async def place(
        self, live_session_id: int, standings: Mapping[Running, Standing], gone: Collection[Running]
    ) -> Running | None:
        """Where the room is, or is from now on: on one of `standings`, which answer here. None when each is full.

        Raises MediaAway while it is on a worker that others reach and we do not.
        """
        for _ in range(TRIES):
            async with self._database.work("place room") as work:
                placed = await self._place(work, live_session_id, standings, gone)
            if not isinstance(placed, Overtaken):
                return placed
        raise MediaAway()

    async def release(self, live_session_id: int, gone: Running) -> None:
        """The room's worker has ended: its tracks with it, and the room has none until somebody wishes for media."""
        async with self._database.work("release room") as work:
            row = await work.get(MediaPlacement, live_session_id, for_update=True)
            if row is not None and Running(row.worker_id, row.incarnation) == gone:
                await self._lose_tracks(work, live_session_id)
                await work.delete(row)

    async def forget(self, live_session_id: int) -> None:
        """The room is over."""
        async with self._database.work("forget placement") as work:
            await work.execute(delete(MediaPlacement).where(MediaPlacement.live_session_id == live_session_id))

    async def forget_all(self) -> None:
        """Embedded: the media workers begin with us, and nothing is on them."""
        async with self._database.work("forget placements") as work:
            await work.execute(delete(MediaPlacement))

    async def where(self, live_session_ids: Sequence[int]) -> dict[int, Running]:
        """Where these rooms are now; those that are nowhere are left out."""
        found: dict[int, Running] = {}
        async with self._database.look() as read:
            for start in range(0, len(live_session_ids), ROOMS_AT_ONCE):
                some = live_session_ids[start : start + ROOMS_AT_ONCE]
                query = select(MediaPlacement.live_session_id, MediaPlacement.worker_id, MediaPlacement.incarnation)
                for room, *running in await read.execute(query.where(MediaPlacement.live_session_id.in_(some))):
                    found[room] = Running(*running)
        return found

    # ------------------------------------------------------------------ inside a transaction

    async def _place(
        self, work: Work, live_session_id: int, standings: Mapping[Running, Standing], gone: Collection[Running]
    ) -> Running | Overtaken | None:
        row = await work.get(MediaPlacement, live_session_id, for_update=True)
        if row is not None:
            current = Running(row.worker_id, row.incarnation)
            if current in standings:
                return current
            if current not in gone and await self._is_leased(work, current):
                raise MediaAway()
            await self._lose_tracks(work, live_session_id)
        chosen = least_loaded(await self._counted(work, standings))
        if chosen is None:
            if row is not None:
                await work.delete(row)
            return None
        running = next(one for one in standings if one.worker == chosen)
        values = {"worker_id": running.worker, "incarnation": running.incarnation, "placed_at": work.now}
        if row is not None:
            mine = MediaPlacement.live_session_id == live_session_id
            await work.execute(update(MediaPlacement).where(mine).values(**values))
            return running
        made = _insert(work, MediaPlacement).values(live_session_id=live_session_id, **values)
        result: Any = await work.execute(made.on_conflict_do_nothing(index_elements=["live_session_id"]))
        return running if result.rowcount else Overtaken()

    async def _is_leased(self, work: Work, running: Running) -> bool:
        row = await work.get(MediaWorker, running.worker)
        return (
            row is not None
            and row.incarnation == running.incarnation
            and row.ended_at is None
            and row.renewed_at > work.now - LEASE_LASTS
        )

    async def _counted(self, work: Work, standings: Mapping[Running, Standing]) -> list[Standing]:
        """With how many rooms each has, and how many of those only just came."""
        is_fresh = case((MediaPlacement.placed_at > work.now - timedelta(seconds=FRESH_SECONDS), 1), else_=0)
        query = select(MediaPlacement.worker_id, MediaPlacement.incarnation, func.count(), func.sum(is_fresh)).group_by(
            MediaPlacement.worker_id, MediaPlacement.incarnation
        )
        counts = {Running(worker, name): (rooms, fresh) for worker, name, rooms, fresh in await work.execute(query)}
        return [
            replace(standing, rooms=counts.get(one, (0, 0))[0], fresh=int(counts.get(one, (0, 0))[1]))
            for one, standing in standings.items()
        ]

    async def _lose_tracks(self, work: Work, live_session_id: int) -> None:
        """Before anybody publishes again, and whichever process is the one that moves the room."""
        try:
            await self._timeline.judge(work, live_session_id, LoseTracks(), None, None)
            self._timeline.tell_after_commit(work)
        except Away:
            raise
        except LecternError:
            return  # it is no room any more

    async def _forget_old(self, work: Work) -> None:
        """Placements of rooms that ended while nobody watched, and workers that are no more."""
        live = select(LiveSession.id).where(LiveSession.status == "live")
        await work.execute(delete(MediaPlacement).where(MediaPlacement.live_session_id.not_in(live)))
        has_rooms = select(MediaPlacement.worker_id)
        then: datetime = work.now - FORGOTTEN_AFTER
        await work.execute(delete(MediaWorker).where(MediaWorker.renewed_at < then, MediaWorker.id.not_in(has_rooms)))


def known_as(address: str) -> str:
    """A control address as all machines may know it: a Unix socket is only this machine's."""
    return f"{socket.gethostname()} {address}"[-255:] if address.startswith("unix:") else address


def _is(running: Running) -> tuple[Any, Any]:
    return MediaWorker.id == running.worker, MediaWorker.incarnation == running.incarnation


def _insert(work: Work, table: Any) -> Any:
    return (sqlite if work.is_sqlite else postgresql).insert(table)
