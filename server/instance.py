"""One embedded server a data directory: a lock that every process of it holds and that no crash leaves behind.

The kernel frees the lock when the last process that inherited it is gone. So a start after `kill -9` waits until no
older process of ours is alive, and two servers never share one folder.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from server.settings import unusable_folder

WAIT_SECONDS = 5.0  # for a predecessor that is dying; then the start ends with one line
PAUSE_SECONDS = 0.05


class AlreadyServing(SystemExit):
    """Another server uses this data directory; the text is one line with the remedy."""


class Instance:
    """Held from entering to leaving; `fd` is handed on to children that must count as ours."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "server.lock"
        self.fd = -1

    def __enter__(self) -> Instance:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self.fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unusable_folder(self._path.parent, error) from error
        deadline = time.monotonic() + WAIT_SECONDS
        while not self._taken():
            if time.monotonic() >= deadline:
                holder = os.pread(self.fd, 32, 0).decode(errors="replace").strip()
                os.close(self.fd)
                raise AlreadyServing(
                    f"Another Lectern{f' (process {holder})' if holder else ''} serves {self._path.parent}: "
                    "stop it, or set LECTERN_DATA_DIR to another folder."
                )
            time.sleep(PAUSE_SECONDS)
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, str(os.getpid()).encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.fd)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise
        return True
