"""How far processing is, told to the uploader: at most twice a second, never going back, numbered by revision."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType

from sqlalchemy import case, update

from server.content.rules import UploadStatus
from server.content.tables import Content
from server.db.database import Database, Work
from server.errors import LecternError
from server.events import ContentProgressed

EVERY_SECONDS = 0.5
# Where each stage lies on the way from 0 to 99; `ready` is the hundredth.
SPANS = {
    "checking": (0, 5),
    "waiting": (5, 5),
    "packaging": (5, 90),
    "converting": (5, 90),
    "thumbnail": (90, 95),
    "publishing": (95, 99),
}


class Told:
    """A context: inside it `stage` may be called as often as one likes."""

    def __init__(self, database: Database, content_id: int) -> None:
        self._database, self._content_id = database, content_id
        self._latest: tuple[str, int] | None = None
        self._news, self._is_over = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Told:
        self._task = asyncio.create_task(self._tell())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What was not told by now is overtaken by the outcome. A telling under way ends first: no commit is cut."""
        self._is_over.set()
        self._news.set()
        if self._task is not None:
            await self._task

    def stage(self, stage: str, percent: float) -> None:
        """`percent` of this stage, 0 to 100."""
        start, end = SPANS[stage]
        latest = (stage, int(start + (end - start) * min(100.0, max(0.0, percent)) / 100))
        if latest != self._latest:
            self._latest = latest
            self._news.set()

    async def _tell(self) -> None:
        while not self._is_over.is_set():
            await self._news.wait()
            self._news.clear()
            if self._latest is not None and not self._is_over.is_set():
                with contextlib.suppress(LecternError):  # the next one may get through
                    await self._announce(*self._latest)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._is_over.wait()

    async def _announce(self, stage: str, percent: int) -> None:
        async with self._database.work("content progress") as work:
            await note(work, self._content_id, stage, percent)


async def note(work: Work, content_id: int, stage: str, percent: int = 0) -> None:
    """Say where a lesson is; its row keeps the furthest percent, so that a second try does not seem to go back."""
    furthest = case((Content.processing_percent > percent, Content.processing_percent), else_=percent)
    found = await work.execute(
        update(Content)
        .where(Content.id == content_id, Content.upload_status == UploadStatus.PROCESSING)
        .values(revision=Content.revision + 1, processing_percent=furthest, processing_stage=stage)
        .returning(Content.created_by, Content.course_id, Content.revision, Content.processing_percent)
    )
    row = found.first()
    if row is not None:
        told = ContentProgressed(row.created_by, content_id, row.course_id, stage, row.processing_percent, row.revision)
        work.announce(told)
