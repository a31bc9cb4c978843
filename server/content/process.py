"""From uploaded to playable: look, rewrite or convert, publish; each step may be repeated by the next try.

What browsers play is ready in a second; the rest is handed to a lane of its own, where films wait for classes to end.
The bytes are renamed into place and synced before the row says `completed`, so a crash leaves either nothing or a file
that the sweep collects.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog

from server.content import child
from server.content.child import WorkerRefused
from server.content.disk import Disk
from server.content.formats import VIDEO
from server.content.progress_told import Told, note
from server.content.rules import UploadStatus
from server.content.service import CONVERT, SEEK_SHEET
from server.content.storage import LocalStorage
from server.content.tables import Content
from server.content.uploads.turn import Turn
from server.courses.service import student_ids
from server.courses.tables import Course
from server.db.database import Database
from server.errors import LecternError
from server.events import ContentFailed, ContentReady
from server.jobs import queue
from server.jobs.queue import Claimed
from server.jobs.runner import NotYet, Refusal
from server.live_sessions.service import is_a_class_on
from server.notifications.service import notify

WAITING = "waiting"
LOOK_AGAIN = timedelta(seconds=5)
# A class that never ends does not starve a lesson: then it is converted beside it, by one thread that yields to all.
# Waiting before and standing still in the middle count together.
LONGEST_WAIT = timedelta(minutes=30)


log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Original:
    """What the work needs of the row."""

    content_id: int
    kind: str
    key: str
    path: Path
    stage: str | None


class Processing:
    """Handles both lanes: PROCESS looks and does what is quick, CONVERT converts."""

    def __init__(self, database: Database, storage: LocalStorage, disk: Disk) -> None:
        self._database, self._storage, self._disk = database, storage, disk

    async def work(self, job: Claimed) -> None:
        """Raises Refusal when the file is at fault, WorkerCrashed and others when another try may do better."""
        original = await self._original(job)
        if original is None:
            return
        if job.kind == CONVERT:
            await self._require_quiet(job, original)
        scratch = await self._disk.run(self._storage.scratch_of, f"content-{original.content_id}")
        try:
            async with Told(self._database, original.content_id) as told:
                told.stage("checking", 0)
                made = await self._made(job, original, scratch, told)
                if "later" in made:
                    await self._hand_over(original, made["later"])
                    return
                told.stage("publishing", 0)
                await self._publish(original, made, scratch)
        except WorkerRefused as refused:
            raise Refusal(refused.code, refused.detail) from refused
        finally:
            await self._disk.run(self._storage.remove_scratch, scratch.name)

    async def _require_quiet(self, job: Claimed, original: Original) -> None:
        """A class has the machine first, but not forever. Raises NotYet."""
        async with self._database.read() as read:
            is_quiet = original.kind != VIDEO or not await is_a_class_on(read)
            has_waited = read.now - job.created_at >= LONGEST_WAIT
        if is_quiet or has_waited:
            return
        if original.stage != WAITING:
            async with self._database.work("content waits") as work:
                await note(work, original.content_id, WAITING)
        raise NotYet(LOOK_AGAIN)

    async def give_up(self, job: Claimed, code: str, detail: str) -> None:
        """Say so in the row, to the uploader's devices, and in their inbox."""
        async with self._database.work("content failed") as work:
            row = await work.get(Content, job.subject_id, for_update=True)
            if row is None or row.deleted_at is not None or row.upload_status != UploadStatus.PROCESSING:
                return
            row.upload_status, row.error_code = UploadStatus.FAILED.value, code[:40]
            row.revision += 1
            row.updated_at = work.now
            data = {"url": f"/app/courses/{row.course_id}", "course_id": row.course_id, "content_id": row.id}
            sentence = detail if code != "internal" else "Something went wrong on our side; try again."
            await notify(work, [row.created_by], "content_failed", f"Not ready: {row.title}", sentence, data)
            work.announce(ContentFailed(row.created_by, row.id, row.course_id, row.error_code, row.revision))

    async def _original(self, job: Claimed) -> Original | None:
        """None when there is nothing left to do: ready already, deleted, or given up."""
        async with self._database.read() as read:
            row = await read.get(Content, job.subject_id)
        if row is None or row.deleted_at is not None or row.upload_status != UploadStatus.PROCESSING:
            return None
        path = self._storage.local_path(row.original_key) if row.original_key else None
        if path is None or not await self._disk.run(path.exists):
            raise Refusal("lost", "The uploaded file is not there any more; upload it again.")
        assert row.original_key is not None
        return Original(row.id, row.content_type, row.original_key, path, row.processing_stage)

    async def _made(self, job: Claimed, original: Original, scratch: Path, told: Told) -> dict[str, Any]:
        """One process looks and does the rest."""
        converts = job.kind == CONVERT
        order = {
            "command": "process",
            "path": str(original.path),
            "kind": original.kind,
            "converts": converts,
            "output": str(scratch),
        }
        cage = child.transcoding(job.payload["duration"]) if converts else child.PROCESS
        held = self._classes(job, told) if converts and original.kind == VIDEO else None
        return await child.run(cage, order, told.stage, held)

    async def _classes(self, job: Claimed, told: Told) -> AsyncIterator[bool]:
        """Whether a class has the machine now, looked at again and again; ends when it has waited long enough."""
        waited, is_on = self._database.clock.now() - job.created_at, False
        while waited < LONGEST_WAIT:
            await asyncio.sleep(LOOK_AGAIN.total_seconds())
            waited += LOOK_AGAIN if is_on else timedelta(0)
            with contextlib.suppress(LecternError):  # then as it was
                async with self._database.read() as read:
                    was_on, is_on = is_on, await is_a_class_on(read)
                if is_on != was_on:
                    log.info("conversion stands still" if is_on else "conversion goes on", content=job.subject_id)
            yield is_on
            if is_on:
                told.stage(WAITING, 0)

    async def _hand_over(self, original: Original, payload: dict[str, Any]) -> None:
        async with self._database.work("hand over") as work:
            if not await queue.is_pending(work, [CONVERT], original.content_id):
                await queue.enqueue(work, CONVERT, original.content_id, payload)
                await note(work, original.content_id, WAITING)

    async def _publish(self, original: Original, made: dict[str, Any], scratch: Path) -> None:
        file_key = await self._adopted(original, made["file"], scratch)
        thumbnail_key = await self._adopted(original, made["thumbnail"], scratch) if made["thumbnail"] else None
        is_published = False
        try:
            is_published = await self._completed(original, made, file_key, thumbnail_key)
        finally:
            if not is_published:
                for key in filter(None, (file_key, thumbnail_key)):
                    await self._disk.run(self._storage.delete, key)

    async def _adopted(self, original: Original, made: dict[str, Any], scratch: Path) -> str:
        """Its own random name: a key never holds other bytes than the first."""
        stem, _, extension = str(made["name"]).rpartition(".")
        key = f"{original.key.rpartition('/')[0]}/{stem}-{secrets.token_hex(8)}.{extension}"
        await self._disk.run(self._storage.adopt, key, scratch / made["name"])
        return key

    async def _completed(
        self, original: Original, made: dict[str, Any], file_key: str, thumbnail_key: str | None
    ) -> bool:
        """Commit, and tell; False when it was deleted or finished meanwhile."""
        async with self._database.work("content completed") as work:
            row = await work.get(Content, original.content_id, for_update=True)
            if row is None or row.deleted_at is not None or row.upload_status != UploadStatus.PROCESSING:
                return False
            row.upload_status, row.error_code = UploadStatus.COMPLETED.value, None
            row.file_url, row.thumbnail_url = file_key, row.thumbnail_url or thumbnail_key
            row.duration_seconds = round(float(made["duration"]), 3)
            row.processing_stage, row.processing_percent = None, 100
            row.width, row.height = made["width"], made["height"]
            row.served_mime_type, row.served_size = made["file"]["mime_type"], made["file"]["size"]
            row.etag = made["file"]["sha256"]
            row.revision += 1
            row.updated_at = work.now
            course = await work.get(Course, row.course_id)
            data = {"url": f"/app/content/{row.id}", "course_id": row.course_id, "content_id": row.id}
            students = await student_ids(work, row.course_id)
            body = course.title if course else ""
            await notify(work, students, "content_added", f"New lesson: {row.title}", body, data)
            if row.content_type == VIDEO:
                await queue.enqueue(work, SEEK_SHEET, row.id)
            work.announce(ContentReady(row.created_by, row.id, row.course_id, row.revision))
            return True


class Erasing:
    """Removes the bytes of a deleted lesson."""

    def __init__(self, database: Database, storage: LocalStorage, disk: Disk) -> None:
        self._database, self._storage, self._disk = database, storage, disk

    async def work(self, job: Claimed) -> None:
        async with self._database.read() as read:
            row = await read.get(Content, job.subject_id)
        if row is None or row.deleted_at is None:
            return
        if row.original_key and row.upload_expires_at is not None:
            async with Turn(self._storage, self._disk, row.original_key) as turn:  # ends a connection still writing
                await self._disk.run(self._storage.discard, row.original_key)
                turn.is_over = True
        elif row.original_key:
            await self._disk.run(self._storage.delete_folder, row.original_key.rpartition("/")[0])
        async with self._database.work("content erased") as work:
            gone = await work.get(Content, job.subject_id, for_update=True)
            if gone is not None:
                gone.original_key = gone.file_url = gone.thumbnail_url = gone.seek_sheet_key = None

    async def give_up(self, job: Claimed, code: str, detail: str) -> None:
        """The sweep at the next start tries again."""
