"""One writer an upload, over all processes: whoever comes now is served, and who wrote until now lets go.

A connection that died silently holds its upload for minutes; the person who comes back must not wait for it. The turn
is an advisory lock on a file beside the part (flock, which ends with its process, however that ends). Who waits for it
makes that file longer, which its holder looks for twice a second.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Callable
from types import TracebackType

from server.content.disk import Disk
from server.content.storage import PRIVATE_FILE, LocalStorage
from server.errors import Conflict

PATIENCE_SECONDS = 5.0
LOOK_SECONDS = 0.5  # how often a holder looks whether somebody waits
_POLL_SECONDS = 0.1


class UploadBusy(Conflict):
    sentence = "Another connection is writing this upload; ask for its offset and go on in a moment."


class Turn:
    """A context: inside it nobody else writes or ends the upload that becomes `key`. Raises UploadBusy after 5 s.

    Whoever `is_gone` asks no more, so that the one who came back is not made to let go by their own past.
    """

    def __init__(
        self, storage: LocalStorage, disk: Disk, key: str, is_gone: Callable[[], bool] = lambda: False
    ) -> None:
        self._path, self._disk, self._is_gone = storage.lock_of(key), disk, is_gone
        self._descriptor = -1
        self._asked_at = 0.0
        self.is_over = False  # set when the upload has ended: the file beside it is not needed any more

    async def __aenter__(self) -> Turn:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not await self._attempted():
            if self._is_gone():
                self._close()
                raise ConnectionResetError("the caller is gone")
            if time.monotonic() > deadline:
                self._close()
                raise UploadBusy()
            try:
                await asyncio.sleep(_POLL_SECONDS)
            except asyncio.CancelledError:
                self._close()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_over:
            await asyncio.shield(self._disk.start(self._leave))
        else:
            self._close()

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for this turn to end."""
        return os.fstat(self._descriptor).st_size > 0

    async def _attempted(self) -> bool:
        attempt = self._disk.start(self._attempt)
        try:
            return await asyncio.shield(attempt)
        except asyncio.CancelledError:
            await asyncio.gather(attempt, return_exceptions=True)
            self._close()
            raise

    def _attempt(self) -> bool:
        if self._descriptor < 0:
            flags = os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, PRIVATE_FILE)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() - self._asked_at >= LOOK_SECONDS:  # again and again: a third may have taken the turn
                self._asked_at = time.monotonic()
                os.write(self._descriptor, b"?")
            return False
        if not self._is_current():  # its last holder removed it
            self._close()
            return False
        os.ftruncate(self._descriptor, 0)
        return True

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _leave(self) -> None:
        self._path.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
