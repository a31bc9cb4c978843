"""How a resumable upload ends without its file: cancelled, expired or refused. The row says so and its bytes go."""

from __future__ import annotations

from server.content.disk import Disk
from server.content.rules import UploadStatus
from server.content.storage import LocalStorage
from server.content.tables import Content
from server.content.uploads.turn import Turn
from server.db.database import Database
from server.events import ContentFailed
from server.jobs.queue import Claimed

CANCELLED, EXPIRED = "cancelled", "expired"


async def end(database: Database, storage: LocalStorage, disk: Disk, turn: Turn, row: Content, code: str) -> None:
    """Make the lesson `failed`, tell its devices, drop what came. The caller holds the turn; repeating is harmless."""
    key = row.original_key
    async with database.work("end upload") as work:
        found = await work.get(Content, row.id, for_update=True)
        if found is None or found.deleted_at is not None or found.upload_status != UploadStatus.UPLOADING:
            return
        found.upload_status, found.error_code = UploadStatus.FAILED.value, code
        found.original_key = found.thumbnail_url = found.bytes_received = None
        found.revision += 1
        found.updated_at = work.now
        work.announce(ContentFailed(found.created_by, found.id, found.course_id, code, found.revision))
    if key is not None:
        await disk.run(storage.discard, key)  # if we die before this, the sweep finds it
    turn.is_over = True


class Expiring:
    """The job that is due when an upload may not be resumed any more."""

    def __init__(self, database: Database, storage: LocalStorage, disk: Disk) -> None:
        self._database, self._storage, self._disk = database, storage, disk

    async def work(self, job: Claimed) -> None:
        """Raises UploadBusy when a writer does not let go; then it is tried again."""
        async with self._database.read() as read:
            row = await read.get(Content, job.subject_id)
        if row is None or row.upload_status != UploadStatus.UPLOADING or row.original_key is None:
            return
        async with Turn(self._storage, self._disk, row.original_key) as turn:
            await end(self._database, self._storage, self._disk, turn, row, EXPIRED)

    async def give_up(self, job: Claimed, code: str, detail: str) -> None:
        """Whoever asks for the upload next ends it."""
