"""How much room there is, and how much of it has been promised to uploads under way."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from server.content.storage import LocalStorage
from server.errors import LecternError, NoRoom, RateLimited

SPOOLS_PER_SERVER = 4  # files that came before the fields that judge them; a fifth is asked to come later
SPOOL_RETRY_SECONDS = 10.0
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Space:
    """Promises are kept in memory: they end with the process, as the uploads do."""

    def __init__(self, storage: LocalStorage, reserve_bytes: int) -> None:
        self._storage, self.reserve_bytes = storage, reserve_bytes
        self._promised = 0
        self._spooling: set[int] = set()

    def is_short(self, free_bytes: int) -> bool:
        """Whether so little is free that the rest of the server would suffer next."""
        return free_bytes < self.reserve_bytes

    @contextmanager
    def promised(self, size_bytes: int, free_bytes: int) -> Iterator[None]:
        """Hold `size_bytes` while an upload runs. Raises NoRoom."""
        if free_bytes - self._promised - size_bytes < self.reserve_bytes:
            raise NoRoom()
        self._promised += size_bytes
        try:
            yield
        finally:
            self._promised -= size_bytes

    @contextmanager
    def spooling(self, user_id: int) -> Iterator[None]:
        """A slot for a file that nobody could judge yet: one a person, four a server. Raises RateLimited."""
        if user_id in self._spooling or len(self._spooling) >= SPOOLS_PER_SERVER:
            raise RateLimited(SPOOL_RETRY_SECONDS, "Send course_id and type before the file, or try again shortly.")
        self._spooling.add(user_id)
        try:
            yield
        finally:
            self._spooling.discard(user_id)


def refusal_of(error: OSError) -> LecternError | None:
    """A full disk as our refusal; None for any other fault."""
    return NoRoom() if error.errno in _FULL else None
