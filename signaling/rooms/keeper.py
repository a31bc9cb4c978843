"""What time alone does to rooms: seats nobody came back to are given up, empty rooms end, classes are announced.

One small look at the database every few seconds, in any process; the room's row lock makes two looks harmless.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import structlog
from sqlalchemy import BindParameter, bindparam, select

from server.db.base import UtcDateTime
from server.db.database import Database
from server.db.glances import Question
from server.errors import LecternError
from server.live_sessions import service as live_sessions
from server.live_sessions.commands import EndLiveSession
from server.live_sessions.tables import LiveSession, Participation
from signaling.rooms.room import GiveUpSeat
from signaling.rooms.writer import Writer

LOOK_SECONDS = 2.0
REMIND_BEFORE = timedelta(minutes=10)
AT_ONCE = 200  # of each kind in one look; the rest in the next
log = structlog.get_logger(__name__)


def _moment(name: str) -> BindParameter[datetime]:
    return bindparam(name, type_=UtcDateTime)


_LAPSED = Question(
    lambda among: (
        select(Participation.live_session_id, Participation.user_id)
        .where(Participation.left_at.is_(None), Participation.last_seen_at < _moment("before"))
        .limit(AT_ONCE)
    )
)
_EMPTY = Question(
    lambda among: (
        select(LiveSession.id)
        .where(LiveSession.status == "live", LiveSession.empty_since < _moment("before"))
        .limit(AT_ONCE)
    )
)
_SOON = Question(
    lambda among: (
        select(LiveSession.id)
        .where(
            LiveSession.status == "scheduled",
            LiveSession.reminded_at.is_(None),
            LiveSession.scheduled_at > _moment("now"),
            LiveSession.scheduled_at < _moment("until"),
        )
        .limit(AT_ONCE)
    )
)


class Keeper:
    """Runs until closed."""

    def __init__(self, database: Database, writer: Writer, *, seat_held: timedelta, empty_after: timedelta) -> None:
        self._database, self._writer = database, writer
        self._seat_held, self._empty_after = seat_held, empty_after
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except LecternError as error:
                log.warning("keeper waits", reason=error.code)
            except Exception:
                log.exception("keeper failed")

    async def look(self) -> None:
        """Do what is due now."""
        now = self._database.clock.now()
        seats, rooms, classes = await self._database.glance(
            (_LAPSED, {"before": now - self._seat_held}),
            (_EMPTY, {"before": now - self._empty_after}),
            (_SOON, {"now": now, "until": now + REMIND_BEFORE}),
        )
        for live_session_id, user_id in seats:
            await self._writer.act(live_session_id, GiveUpSeat(user_id))
        for (live_session_id,) in rooms:
            await self._writer.act(live_session_id, EndLiveSession(live_session_id, None, reason="empty"))
        for (live_session_id,) in classes:
            await self._remind(live_session_id)

    async def _remind(self, live_session_id: int) -> None:
        async with self._database.work("remind") as work:
            row = await work.get(LiveSession, live_session_id, for_update=True)
            if row is None or row.status != "scheduled" or row.reminded_at is not None or row.scheduled_at is None:
                return
            if row.scheduled_at - row.updated_at <= REMIND_BEFORE:
                row.reminded_at = work.now  # it was announced just now; a reminder would only repeat it
            else:
                await live_sessions.remind(work, row)
