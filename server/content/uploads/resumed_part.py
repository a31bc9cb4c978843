"""A part file that outlives its connections: its size is the offset, so nothing has to be noted beside it."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from server.content.disk import Disk
from server.content.formats import SNIFFED_BYTES
from server.content.storage import PRIVATE_FILE, LocalStorage
from server.content.uploads.part_file import PartFile
from server.content.uploads.space import Space, refusal_of


class ResumedPart(PartFile):
    """The part of `key`, appended to. Inside the context `size` counts from the bytes that were there before.

    `hashing`, a hashlib object, sees every byte on its way to the disk.
    """

    def __init__(self, storage: LocalStorage, disk: Disk, space: Space, key: str, hashing: Any = None) -> None:
        super().__init__(storage, disk, space)
        self.path = storage.part_of(key)
        self.begun_at = 0
        self._hashing = hashing
        self.keep()

    async def __aenter__(self) -> ResumedPart:
        opening = self._disk.start(self._open)
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            await asyncio.gather(opening, return_exceptions=True)
            await self._disk.run(self._close)
            raise
        except OSError as error:
            raise (refusal_of(error) or error) from error
        return self

    async def settle(self) -> int:
        """Have all that came on the disk; returns the offset. Raises NoRoom, OSError."""
        await self._send()
        await self._written()
        await self._guarded(self._disk.start(os.fdatasync, self._descriptor))
        return self.size

    async def undo(self) -> int:
        """Forget what this connection brought; returns the offset it began at."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
            self._writing = None
        self._gathered.clear()
        await self._disk.run(self._truncate)
        self.size = self.begun_at
        return self.size

    async def kept_bytes(self) -> int:
        """The offset after a write failed: what reached the disk before it."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
            self._writing = None
        return await self._disk.run(lambda: os.fstat(self._descriptor).st_size)

    def _open(self) -> None:
        flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, PRIVATE_FILE)
        self.size = self.begun_at = os.fstat(self._descriptor).st_size
        self.head = os.pread(self._descriptor, SNIFFED_BYTES, 0)

    def _write(self, data: bytearray | memoryview, offset: int) -> None:
        if self._hashing is not None:
            self._hashing.update(data)
        super()._write(data, offset)

    def _truncate(self) -> None:
        os.ftruncate(self._descriptor, self.begun_at)
        os.fdatasync(self._descriptor)

    def _close(self) -> None:
        if self._descriptor >= 0:
            super()._close()
