"""Open files and reads from them that never hold up the event loop.

Bytes in the page cache are taken without blocking (preadv with RWF_NOWAIT, Linux); only a miss goes to a thread. That
is two to three times quicker on small ranges than three thread hops for each. `is_cached` asks the same of a stretch
without taking it, so that the kernel may be told to send it itself.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from server.content.disk import Disk

MOST_DESCRIPTORS = 128  # idle ones beyond it are closed; those in use may be more, one for each thing being sent
IDLE_SECONDS = 30.0  # then an idle one is closed too: a deleted lesson's room is given back
PROBE_BYTES = 64 * 1024  # the kernel reads ahead in larger steps: what is there at both ends is there between them
_NOWAIT = getattr(os, "RWF_NOWAIT", None)


class FileChanged(Exception):
    """It became shorter while it was being read."""


@dataclass(slots=True)
class OpenFile:
    """A descriptor with what was known when it was opened; `modified_at` is Unix seconds."""

    descriptor: int
    size: int
    modified_at: float
    modified: str  # the same as an HTTP date
    users: int = 0
    idle_since: float = 0.0  # by the loop's clock, while nobody uses it

    def fileno(self) -> int:
        return self.descriptor


class Files:
    """A bounded cache of descriptors; close() once."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._open: OrderedDict[Path, OpenFile] = OrderedDict()
        self._sweeping: asyncio.TimerHandle | None = None

    async def hold(self, path: Path) -> OpenFile:
        """The file, held open until `release`. Raises FileNotFoundError."""
        file = self._open.get(path)
        if file is None:
            fresh = await self._disk.run(_open, path)
            file = self._open.setdefault(path, fresh)
            if file is not fresh:  # another request was quicker
                os.close(fresh.descriptor)
        self._open.move_to_end(path)
        file.users += 1
        return file

    def opened(self, path: Path) -> OpenFile | None:
        """The file when it is open already, for use without an await."""
        file = self._open.get(path)
        if file is not None:
            self._open.move_to_end(path)
            if file.users == 0:
                file.idle_since = asyncio.get_running_loop().time()
        return file

    def release(self, file: OpenFile) -> None:
        """The caller of `hold` is done with it."""
        file.users -= 1
        if file.users == 0:
            loop = asyncio.get_running_loop()
            file.idle_since = loop.time()
            if self._sweeping is None:
                self._sweeping = loop.call_later(IDLE_SECONDS, self._sweep)
        if len(self._open) > MOST_DESCRIPTORS:
            self._trim()

    def is_cached(self, file: OpenFile, start: int, length: int) -> bool:
        """Whether these bytes can be had without waiting for the disk; no when the system cannot tell."""
        last, probe = start + length - 1, [bytearray(1)]
        if _NOWAIT is None:
            return False
        try:
            for place in range(start, last + PROBE_BYTES, PROBE_BYTES):
                if os.preadv(file.descriptor, probe, min(last, place), _NOWAIT) != 1:
                    return False
        except OSError:  # not in memory, or a file system that does not know the flag
            return False
        return True

    async def read(self, file: OpenFile, start: int, length: int) -> bytes | bytearray:
        """Exactly `length` bytes. Raises FileChanged."""
        buffer = bytearray(length)
        count = read_cached(file, buffer, start)
        while count < length:
            rest = await self._disk.run(os.pread, file.descriptor, length - count, start + count)
            if not rest:
                raise FileChanged()
            buffer[count : count + len(rest)] = rest
            count += len(rest)
        return buffer

    def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for path, file in list(self._open.items()):
            self._close(path, file)

    def _trim(self) -> None:
        for path, file in list(self._open.items()):
            if len(self._open) <= MOST_DESCRIPTORS:
                return
            self._close(path, file)

    def _sweep(self) -> None:
        """Close what has been idle for long; comes again while any is open that may become so."""
        loop = asyncio.get_running_loop()
        for path, file in list(self._open.items()):
            if loop.time() - file.idle_since >= IDLE_SECONDS:
                self._close(path, file)
        self._sweeping = loop.call_later(IDLE_SECONDS, self._sweep) if self._open else None

    def _close(self, path: Path, file: OpenFile) -> None:
        if file.users == 0:
            del self._open[path]
            os.close(file.descriptor)


def _open(path: Path) -> OpenFile:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0))
    found = os.fstat(descriptor)
    return OpenFile(descriptor, found.st_size, found.st_mtime, formatdate(found.st_mtime, usegmt=True))


def read_cached(file: OpenFile, buffer: bytearray | memoryview, start: int) -> int:
    """Fill `buffer` from `start` on as far as that can be had without waiting; returns how far."""
    if _NOWAIT is None:
        return 0
    try:
        return os.preadv(file.descriptor, [buffer], start, _NOWAIT)
    except OSError:  # not in memory, or a file system that does not know the flag
        return 0
