"""Uploads that survive their connections (tus 1.0): created before a byte, appended to, asked about, ended.

The part file's size is the offset. Whoever touches an upload holds its turn, and reads the row again once they do; so
the row's status and the bytes on the disk never speak of different moments.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from server.access import Actor
from server.accounts.tables import User
from server.content import quota, rules, service
from server.content.audience import to_edit
from server.content.formats import UNDECLARED, Format
from server.content.rules import UploadStatus
from server.content.schemas import UploadFields
from server.content.service import EXPIRE, PROCESS, Arrived, InvalidContentStatus
from server.content.storage import folder_key, new_token
from server.content.tables import Content
from server.content.uploads.ending import CANCELLED, EXPIRED, end
from server.content.uploads.intake import Intake
from server.content.uploads.turn import Turn
from server.courses import service as courses
from server.db.database import Database, Work
from server.errors import ContentMismatch, LecternError, Missing, RateLimited, TypeNotAllowed
from server.jobs import queue

KEPT = timedelta(hours=24)  # from its creation an upload may be resumed for so long
OPEN_PER_PERSON = 5
OPEN_RETRY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Claim:
    """What a client says of a file before sending it; `metadata` is its header as it came."""

    fields: UploadFields
    file_name: str
    declared_type: str
    size_bytes: int
    metadata: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is; `expires_at` is None once all of it is here."""

    content_id: int
    offset: int
    size_bytes: int
    expires_at: datetime | None
    metadata: str


class Uploads:
    """The resumable uploads of one process; the files are shared by all processes of the server."""

    def __init__(self, database: Database, intake: Intake) -> None:
        self.database, self.intake = database, intake

    async def create(
        self, actor: Actor, claim: Claim, noted: Callable[[Work, int], Awaitable[None]] | None = None
    ) -> Content:
        """Judge all that can be judged before a byte, and make the row; `noted` is told its number inside the work.

        Raises TypeNotAllowed, ContentMismatch (empty), TooLarge, RateLimited (5 open ones a person), CourseFull,
        NoRoom, and as `service.to_upload`.
        """
        wanted = claim.fields
        rules.judge_claim(wanted.type, claim.file_name, claim.declared_type)
        if claim.size_bytes > self.intake.limits[wanted.type]:
            raise rules.too_large(self.intake.limits[wanted.type])
        if claim.size_bytes == 0:
            raise rules.empty_file()
        declared = claim.declared_type.partition(";")[0].strip().lower()
        shown_type = "application/octet-stream" if declared in UNDECLARED else declared
        key = f"{folder_key(wanted.type, new_token())}/original"
        arrived = Arrived(key, claim.file_name, claim.size_bytes, shown_type)
        with self.intake.space.promised(claim.size_bytes + await self._awaited(), await self.intake.free_bytes()):
            async with self.database.work("create upload") as work:
                await work.get(User, actor.id, for_update=True)  # so that two creations at once are counted both
                mine = select(func.count(Content.id)).where(Content.created_by == actor.id, *_ARRIVING)
                if int(await work.scalar(mine) or 0) >= OPEN_PER_PERSON:
                    raise RateLimited(
                        OPEN_RETRY_SECONDS, f"You have {OPEN_PER_PERSON} uploads open; finish or cancel one first."
                    )
                await quota.require_room(work, wanted.course_id, claim.size_bytes, self.intake.quota_bytes)
                row = await service.add(work, actor, wanted, arrived, UploadStatus.UPLOADING)
                row.upload_expires_at, row.upload_metadata = work.now + KEPT, claim.metadata
                row.bytes_received = 0
                if noted is not None:
                    await noted(work, row.id)
                await queue.enqueue(work, EXPIRE, row.id, run_at=row.upload_expires_at)
                return row

    @contextlib.asynccontextmanager
    async def held(
        self, actor: Actor, content_id: int, is_gone: Callable[[], bool] = lambda: False
    ) -> AsyncIterator[tuple[Content, Turn | None]]:
        """The upload's row as it is once its turn is ours; no turn when all of it is here already.

        Raises Missing when there is none, or not any more; NotCourseInstructor, UploadBusy, ConnectionError.
        """
        row = await self._row(actor, content_id)
        if row.upload_status != UploadStatus.UPLOADING:
            yield row, None
            return
        assert row.original_key is not None
        async with Turn(self.intake.storage, self.intake.disk, row.original_key, is_gone) as turn:
            try:
                row = await self._row(actor, content_id)
            except Missing:
                turn.is_over = True
                raise
            if row.upload_status != UploadStatus.UPLOADING:
                turn.is_over = True
                yield row, None
                return
            if row.upload_expires_at is not None and row.upload_expires_at <= self.database.clock.now():
                await self.end(row, turn, EXPIRED)
                raise Missing("This upload has expired; begin again.")
            yield row, turn

    async def progress(self, actor: Actor, content_id: int) -> Progress:
        """Where to go on. An upload that a crash kept from its last step is completed. Raises as `held`."""
        async with self.held(actor, content_id) as (row, turn):
            if turn is None:
                return progress_of(row, row.file_size)
            assert row.original_key is not None
            offset = await self.intake.disk.run(self.intake.storage.received_bytes, row.original_key)
            if offset >= row.file_size:
                await self.complete(row, turn)
            return progress_of(row, offset)

    async def cancel(self, actor: Actor, content_id: int) -> None:
        """Raises InvalidContentStatus when all of it is here, and as `held`."""
        async with self.held(actor, content_id) as (row, turn):
            if turn is None:
                raise InvalidContentStatus("All of it has arrived; delete the lesson instead.")
            await self.end(row, turn, CANCELLED)

    async def end(self, row: Content, turn: Turn, code: str) -> None:
        await end(self.database, self.intake.storage, self.intake.disk, turn, row, code)

    async def note(self, row: Content, offset: int) -> None:
        """Show how far it is. If that fails the next one may succeed; the file knows better."""
        with contextlib.suppress(LecternError):
            async with self.database.work("upload progress") as work:
                await work.execute(
                    update(Content).where(Content.id == row.id, *_ARRIVING).values(bytes_received=offset)
                )

    async def judge(self, row: Content, turn: Turn, head: bytes) -> Format:
        """What the bytes are. Raises TypeNotAllowed, ContentMismatch; then the upload has ended."""
        try:
            return rules.judge_bytes(row.content_type, row.file_name, head)
        except (TypeNotAllowed, ContentMismatch) as refusal:
            await self.end(row, turn, refusal.code)
            raise

    async def complete(self, row: Content, turn: Turn) -> None:
        """All bytes are here: put the file in its place, commit, have it processed.

        Repeated after a crash at any step it does the same. Raises as `judge`, Missing when the lesson was deleted.
        """
        key, storage, disk = row.original_key, self.intake.storage, self.intake.disk
        assert key is not None
        found = await self.judge(row, turn, await disk.run(storage.head_of, key))
        await disk.run(storage.adopt, key, storage.part_of(key))
        async with self.database.work("complete upload") as work:
            fresh = await work.get(Content, row.id, for_update=True)
            is_there = fresh is not None and fresh.deleted_at is None
            if fresh is not None and is_there and fresh.upload_status == UploadStatus.UPLOADING:
                fresh.upload_status = UploadStatus.PROCESSING.value
                fresh.mime_type = rules.shown_mime_type(found, row.content_type)
                fresh.bytes_received = fresh.file_size
                fresh.revision += 1
                fresh.updated_at = work.now
                await queue.enqueue(work, PROCESS, row.id)
                await courses.note_activity(work, row.course_id)
        turn.is_over = True
        if not is_there:
            await disk.run(storage.discard, key)
            raise Missing()

    async def _row(self, actor: Actor, content_id: int) -> Content:
        async with self.database.read() as read:
            row = (await to_edit(read, actor, content_id)).content
        if row.upload_expires_at is None or row.original_key is None:
            raise Missing()
        return row

    async def _awaited(self) -> int:
        """Bytes that open uploads still have to bring, by their declared sizes."""
        async with self.database.read() as read:
            found = await read.execute(select(Content.original_key, Content.file_size).where(*_ARRIVING))
            sizes = [(row.original_key, row.file_size) for row in found if row.original_key]
        received = self.intake.storage.received_bytes
        return await self.intake.disk.run(lambda: sum(max(0, size - received(key)) for key, size in sizes))


def progress_of(row: Content, offset: int) -> Progress:
    is_whole = offset >= row.file_size
    expires_at = None if is_whole else row.upload_expires_at
    return Progress(row.id, offset, row.file_size, expires_at, row.upload_metadata or "")


_ARRIVING = (Content.upload_status == UploadStatus.UPLOADING.value, Content.deleted_at.is_(None))
