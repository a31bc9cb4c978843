"""What content uses, joined once: app.py makes it, keeps it under LIBRARY, opens and closes it.

library = Library.of(settings, database)
app[LIBRARY], app[TICKETS] = library, library.tickets
told.listeners += [library.gate, runner]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from server.content.disk import Disk
from server.content.files import Files
from server.content.gate import Gate
from server.content.process import Erasing, Processing
from server.content.seeking import SeekSheets
from server.content.serve import Sender
from server.content.service import CONVERT, ERASE, EXPIRE, PROCESS, SEEK_SHEET
from server.content.storage import LocalStorage
from server.content.sweep import Sweep
from server.content.tickets import Tickets
from server.content.uploads.ending import Expiring
from server.content.uploads.intake import Intake
from server.content.uploads.space import Space
from server.db.database import Database
from server.jobs.runner import Handler, Runner
from server.metrics import Metrics
from server.settings import Settings

PUMPS = 2  # fast uploads that are read at the same time; more take turns


@dataclass(frozen=True, slots=True)
class Library:
    """This process's storage, threads and open files."""

    storage: LocalStorage
    disk: Disk
    reading: Disk
    intake: Intake
    tickets: Tickets
    gate: Gate
    files: Files
    sender: Sender

    @classmethod
    def of(cls, settings: Settings, database: Database) -> Library:
        storage, disk, reading = LocalStorage(settings.uploads_dir), Disk(), Disk()
        storage.prepare()
        tickets = Tickets(settings.secret_key)
        gate, files = Gate(database, tickets), Files(reading)
        space = Space(storage, settings.free_space_reserve_bytes)
        intake = Intake(storage, disk, space, settings.course_quota_bytes, Disk(PUMPS))
        is_cross_origin, offload = bool(settings.allowed_origins), settings.x_accel_prefix
        sender = Sender(storage, files, gate, is_cross_origin=is_cross_origin, offload_prefix=offload)
        return cls(storage, disk, reading, intake, tickets, gate, files, sender)

    async def close(self) -> None:
        """End what is being sent, then threads and files; twice is harmless."""
        await self.sender.close()
        self.files.close()
        self.intake.pumps.close()
        self.disk.close()
        self.reading.close()


def runner_of(settings: Settings, database: Database, metrics: Metrics | None = None) -> Runner:
    """The jobs of content, for the embedded server and for `serve --only jobs` alike; it tidies up when it starts."""
    storage, disk = LocalStorage(settings.uploads_dir), Disk()
    processing = Processing(database, storage, disk)
    handlers: Mapping[str, Handler] = {
        PROCESS: processing,
        CONVERT: processing,
        SEEK_SHEET: SeekSheets(database, storage, disk),
        ERASE: Erasing(database, storage, disk),
        EXPIRE: Expiring(database, storage, disk),
    }
    sweep = Sweep(database, storage, disk, owns_files=settings.is_embedded)
    return Runner(
        database,
        handlers,
        owns_database=settings.is_embedded,
        metrics=metrics,
        sweeps=[sweep],
        closers=[disk.close],
    )


LIBRARY = web.AppKey("LIBRARY", Library)
