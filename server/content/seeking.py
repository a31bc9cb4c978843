"""The second step of a video, once it can be watched: its seek sheet, made from the file that is served.

A lesson without one plays all the same, so nobody is told when it cannot be made.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from server.content import child
from server.content.child import WorkerRefused
from server.content.disk import Disk
from server.content.rules import UploadStatus
from server.content.storage import LocalStorage
from server.content.tables import Content
from server.db.database import Database
from server.jobs.queue import Claimed
from server.jobs.runner import Refusal


class SeekSheets:
    """Makes a completed video's seek sheet."""

    def __init__(self, database: Database, storage: LocalStorage, disk: Disk) -> None:
        self._database, self._storage, self._disk = database, storage, disk

    async def work(self, job: Claimed) -> None:
        """Raises Refusal when there is none to be had, WorkerCrashed when another try may do better."""
        async with self._database.read() as read:
            row = await read.get(Content, job.subject_id)
        if row is None or not _wants_one(row):
            return
        path = self._storage.local_path(row.file_url or "")
        if path is None or not await self._disk.run(path.exists):
            raise Refusal("lost", "The lesson's file is not there.")
        scratch = await self._disk.run(self._storage.scratch_of, f"seek-{row.id}")
        try:
            await self._make(row, path, scratch)
        except WorkerRefused as refused:
            raise Refusal(refused.code, refused.detail) from refused
        finally:
            await self._disk.run(self._storage.remove_scratch, scratch.name)

    async def give_up(self, job: Claimed, code: str, detail: str) -> None:
        """The player does without."""

    async def _make(self, row: Content, path: Path, scratch: Path) -> None:
        order = {"command": "sheet", "path": str(path), "duration": row.duration_seconds, "output": str(scratch)}
        made = await child.run(child.SHEET, order)
        file = made.pop("file")
        assert row.original_key is not None
        key = f"{row.original_key.rpartition('/')[0]}/seek-{secrets.token_hex(8)}.webp"
        await self._disk.run(self._storage.adopt, key, scratch / file["name"])
        is_kept = False
        try:
            async with self._database.work("seek sheet") as work:
                fresh = await work.get(Content, row.id, for_update=True)
                if fresh is not None and _wants_one(fresh):
                    fresh.seek_sheet_key, fresh.seek_sheet = key, made
                    is_kept = True
        finally:
            if not is_kept:
                await self._disk.run(self._storage.delete, key)


def _wants_one(row: Content) -> bool:
    is_ready = row.upload_status == UploadStatus.COMPLETED and row.file_url and row.original_key
    return bool(is_ready and row.deleted_at is None and row.seek_sheet_key is None and row.duration_seconds)
