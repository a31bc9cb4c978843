"""Repair what a crash left: parts nobody waits for, files without a row, rows without a file, work without a job.

Every step may be repeated and may run beside uploads: only what is older than an hour is touched, or, when this process
tree owns the data alone and has just begun, whatever is there.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import select

from server.content.disk import Disk
from server.content.formats import VIDEO
from server.content.rules import UploadStatus
from server.content.service import CONVERT, ERASE, PROCESS, SEEK_SHEET
from server.content.storage import LocalStorage, token_of
from server.content.tables import Content, ContentCaptions
from server.courses.tables import Course
from server.db.database import Database
from server.events import ContentFailed
from server.jobs import queue
from server.jobs.tables import Job

OLD_SECONDS = 3600.0
KEPT: tuple[Any, ...] = (  # every column that names a stored file
    Content.original_key,
    Content.file_url,
    Content.thumbnail_url,
    Content.seek_sheet_key,
    ContentCaptions.key,
    Course.thumbnail_url,
)
log = structlog.get_logger(__name__)


class Sweep:
    """Call it at the start, before jobs are taken; `owns_files` when nobody else can be uploading."""

    def __init__(self, database: Database, storage: LocalStorage, disk: Disk, *, owns_files: bool) -> None:
        self._database, self._storage, self._disk = database, storage, disk
        self._oldest = 0.0 if owns_files else OLD_SECONDS

    async def __call__(self) -> None:
        await self._disk.run(self._storage.prepare)
        removed = await self._remove_unfinished()
        removed += await self._remove_unknown()
        repaired = await self._repair_rows()
        await self._ask_for_sheets()
        if removed or repaired:
            log.info("swept content", files_removed=removed, lessons_repaired=repaired)

    async def _remove_unfinished(self) -> int:
        """Parts and scratch folders of uploads and jobs that are over; those that can be resumed stay."""
        found = await self._disk.run(lambda: [*self._storage.incoming.iterdir(), *self._storage.scratch.iterdir()])
        async with self._database.read() as read:  # after the look, so that what was begun since is not in it
            arriving = select(Content.original_key).where(
                Content.upload_status == UploadStatus.UPLOADING, Content.deleted_at.is_(None)
            )
            tokens = {token_of(key) for key in await read.scalars(arriving) if key}
        return await self._disk.run(self._remove_old, [path for path in found if path.name.split(".")[0] not in tokens])

    def _remove_old(self, paths: list[Path]) -> int:
        count = 0
        for path in paths:
            if self._is_old(path):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
                count += 1
        return count

    async def _remove_unknown(self) -> int:
        """Files that no row names: put in their place by a process that died before it could say so."""
        named: set[str] = set()
        async with self._database.read() as read:
            for column in KEPT:
                named.update(await read.scalars(select(column).where(column.is_not(None))))
        return await self._disk.run(self._remove_all, named)

    def _remove_all(self, named: set[str]) -> int:
        count = 0
        for key in self._unknown(named):
            self._storage.delete(key)
            count += 1
        return count

    def _unknown(self, named: set[str]) -> Iterator[str]:
        for prefix in ("videos", "audios", "courses"):
            for key in list(self._storage.walk(prefix)):
                path = self._storage.local_path(key)
                if key not in named and path is not None and self._is_old(path):
                    yield key

    async def _repair_rows(self) -> int:
        """Lessons in the making get their job back; those whose file is gone fail; deleted ones are erased."""
        async with self._database.read() as read:
            making = list(await read.scalars(select(Content).filter_by(upload_status=UploadStatus.PROCESSING.value)))
            gone = list(
                await read.scalars(
                    select(Content.id).where(Content.deleted_at.is_not(None), Content.original_key.is_not(None))
                )
            )
        count = 0
        for row in making:
            path = self._storage.local_path(row.original_key) if row.original_key else None
            is_there = path is not None and await self._disk.run(path.exists)
            count += await self._repair(row.id, is_there=is_there)
        for content_id in gone:
            async with self._database.work("sweep deleted content") as work:
                if not await queue.is_pending(work, [ERASE], content_id):
                    await queue.enqueue(work, ERASE, content_id)
        return count

    async def _ask_for_sheets(self) -> None:
        """Videos of earlier releases get a seek sheet; one whose sheet could not be made is not tried again."""
        asked = select(Job.id).where(Job.kind == SEEK_SHEET, Job.subject_id == Content.id)
        bare = select(Content.id).where(
            Content.upload_status == UploadStatus.COMPLETED,
            Content.content_type == VIDEO,
            Content.deleted_at.is_(None),
            Content.seek_sheet_key.is_(None),
            ~asked.exists(),
        )
        async with self._database.read() as read:
            many = list(await read.scalars(bare))
        if many:
            async with self._database.work("sweep seek sheets") as work:
                for content_id in many:
                    await queue.enqueue(work, SEEK_SHEET, content_id)

    async def _repair(self, content_id: int, *, is_there: bool) -> bool:
        async with self._database.work("sweep content") as work:
            row = await work.get(Content, content_id, for_update=True)
            if row is None or row.deleted_at is not None or row.upload_status != UploadStatus.PROCESSING:
                return False
            if not is_there:
                row.upload_status, row.error_code = UploadStatus.FAILED.value, "lost"
                row.revision += 1
                row.updated_at = work.now
                work.announce(ContentFailed(row.created_by, row.id, row.course_id, "lost", row.revision))
                return True
            if await queue.is_pending(work, [PROCESS, CONVERT], content_id):
                return False
            await queue.enqueue(work, PROCESS, content_id)
            return True

    def _is_old(self, path: Path) -> bool:
        try:
            return time.time() - path.stat().st_mtime >= self._oldest
        except FileNotFoundError:
            return False
