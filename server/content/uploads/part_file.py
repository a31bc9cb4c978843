"""Bytes on their way in: gathered, written in a thread with one write in flight, judged as they land.

256 KiB is the size to gather (measured): a thread hop per network piece costs more, a mebibyte more memory. What comes
slowly is written in smaller amounts, so that a hundred on bad lines keep little of theirs in memory. What comes fast is
poured: read in the thread that writes it. Nothing is left behind unless `keep` was reached.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from server.content.disk import Disk
from server.content.formats import SNIFFED_BYTES
from server.content.storage import PRIVATE_FILE, LocalStorage
from server.content.uploads.pump import Poured, pour
from server.content.uploads.space import Space, refusal_of
from server.errors import NoRoom
from server.http.taking import TakenBody

GATHERED_BYTES = 256 * 1024
SLOW_BYTES, SLOW_SECONDS = 64 * 1024, 0.25  # as much is enough when it took as long to come
SYNC_EVERY_BYTES = 32 * 1024 * 1024  # keeps one fdatasync near 10 ms instead of 100 at the end


class PartFile:
    """One arriving file. Use as a context: leaving it removes the part unless it was taken with `finish`."""

    def __init__(self, storage: LocalStorage, disk: Disk, space: Space) -> None:
        self._disk, self._space = disk, space
        self.path: Path = storage.new_part()
        self.size = 0
        self.head = b""
        self._gathered = bytearray()
        self._gathering_since = time.monotonic()
        self._writing: asyncio.Future[Any] | None = None
        self._descriptor = -1
        self._unsynced = 0
        self._is_kept = False

    async def __aenter__(self) -> PartFile:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._descriptor = await self._disk.run(os.open, self.path, flags, PRIVATE_FILE)
        except OSError as error:
            raise (refusal_of(error) or error) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.shield(asyncio.ensure_future(self._leave()))

    async def write(self, data: bytes | memoryview, judge: Callable[[PartFile], None]) -> None:
        """Take the next bytes; `judge` is asked once the first ones are there and at every size, and may raise.

        Raises NoRoom, OSError.
        """
        self.size += len(data)
        self._gathered += data
        if len(self.head) < SNIFFED_BYTES:
            self.head += data[: SNIFFED_BYTES - len(self.head)]
        if len(self.head) >= SNIFFED_BYTES:
            judge(self)
        if self._is_enough(len(self._gathered)):
            await self._send()

    async def pour(
        self, pumps: Disk, body: TakenBody, held: bytes, mark: bytes, judge: Callable[[PartFile], None]
    ) -> Poured:
        """Have a turn of `body` written in a thread, after `held` and up to `mark`. Raises what `write` raises."""
        await self._send()
        await self._written()
        self._writing = turn = pumps.start(pour, body, held, mark, self._append, self._disk)
        body.use(turn)
        await self._written()
        body.took(0)
        judge(self)
        return turn.result()

    async def finish(self, judge: Callable[[PartFile], None]) -> None:
        """The last byte has come: judge once more, and have it all on the disk. Raises what `write` raises."""
        judge(self)
        await self._send()
        await self._written()
        await self._guarded(self._disk.start(os.fdatasync, self._descriptor))

    def keep(self) -> None:
        """The file now belongs to somebody else, who renames it away."""
        self._is_kept = True

    def _is_enough(self, gathered: int) -> bool:
        if gathered < SLOW_BYTES:
            return False
        return gathered >= GATHERED_BYTES or time.monotonic() - self._gathering_since >= SLOW_SECONDS

    async def _send(self) -> None:
        await self._written()
        data, self._gathered, self._gathering_since = self._gathered, bytearray(), time.monotonic()
        if data:
            self._writing = self._disk.start(self._write, data, self.size - len(data))

    async def _written(self) -> None:
        if self._writing is not None:
            await self._guarded(self._writing)
            self._writing = None

    async def _guarded(self, doing: asyncio.Future[Any]) -> None:
        try:
            await asyncio.shield(doing)
        except OSError as error:
            raise (refusal_of(error) or error) from error

    def _write(self, data: bytearray | memoryview, offset: int) -> None:
        view = memoryview(data)
        while view:
            count = os.pwrite(self._descriptor, view, offset)
            view, offset, self._unsynced = view[count:], offset + count, self._unsynced + count
        if self._unsynced >= SYNC_EVERY_BYTES:
            os.fdatasync(self._descriptor)
            self._unsynced = 0
        found = os.fstatvfs(self._descriptor)
        if self._space.is_short(found.f_bavail * found.f_frsize):
            raise NoRoom()

    def _append(self, data: memoryview) -> None:
        self._write(data, self.size)
        self.size += len(data)

    async def _leave(self) -> None:
        """Close only after the last write ended: the descriptor's number may be another file's the moment after."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        await self._disk.run(self._close)

    def _close(self) -> None:
        os.close(self._descriptor)
        if not self._is_kept:
            self.path.unlink(missing_ok=True)
