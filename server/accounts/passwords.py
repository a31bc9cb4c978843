"""Hash and verify passwords with Argon2id on at most half the cores, so that a storm of sign-ins starves nobody.

Never called inside a unit of work: one hash takes tens of milliseconds.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.accounts.rules import normal_password
from server.errors import Away

THREADS = max(1, (os.cpu_count() or 1) // 2)
WAITING = 1024  # further sign-ins are answered "away" with Retry-After instead of queueing for half a minute
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class TooManySignIns(Away):
    code, sentence = "too_many_sign_ins", "Very many people are signing in right now; try again in a moment."


class Passwords:
    """Argon2id with 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet). Closed once."""

    def __init__(self) -> None:
        self._hasher = _HASHER
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobody = _nobodys_hash()

    async def hash(self, password: str) -> str:
        """The encoded hash of a new password. Raises TooManySignIns."""
        return await self._in_thread(normal_password(password), None) or ""

    async def verify(self, password: str, encoded: str | None) -> bool:
        """Whether `password` has this hash; with None the same work is done and the answer is no."""
        return await self._in_thread(normal_password(password), encoded or self._nobody) is not None and bool(encoded)

    def is_outdated(self, encoded: str) -> bool:
        """Whether the hash was made with other parameters and should be renewed at this sign-in."""
        return self._hasher.check_needs_rehash(encoded)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, password: str, encoded: str | None) -> str | None:
        if self._waiting >= WAITING:
            raise TooManySignIns()
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._compute, password, encoded)
        finally:
            self._waiting -= 1

    def _compute(self, password: str, encoded: str | None) -> str | None:
        """A new hash, or the verified one; None when it does not fit."""
        if encoded is None:
            return self._hasher.hash(password)
        try:
            self._hasher.verify(encoded, password)
        except (VerificationError, InvalidHashError):
            return None
        return encoded


@cache
def _nobodys_hash() -> str:
    """Unknown people are verified against this, so that they cost the same time as known ones; made once a process."""
    return _HASHER.hash(os.urandom(16).hex())
