"""Bytes from a socket to a file in threads: one reads and looks for a mark while the other writes, without a copy.

A fast upload costs the event loop nothing but to start a turn now and then; the class beside it does not notice. What
is read in a turn is bounded, so that several uploads share the threads.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from server.content.disk import Disk

BUFFER_BYTES = 2 * 1024 * 1024  # each thread that reads has two, which stay
WORTH_WRITING = 1000 * 1024  # less is written when no more comes at once
PATIENCE_MS = 1.0  # for more, in a turn in which much has come already
TURN_BYTES, TURN_SECONDS = 32 * 1024 * 1024, 0.05  # then another upload has its turn
FAST_BYTES, FAST_SECONDS = 512 * 1024, 0.1  # 5 MB a second
_own = threading.local()
Write = Callable[[memoryview], None]


class Taken(Protocol):
    """What is still to come of a body: `left` bytes, from `line`, which does not block."""

    line: socket.socket
    left: int

    def wake_at(self, count: int) -> None:
        """Call `line` readable when so many bytes are there, or all, or it has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Poured:
    """What a turn left: `held` was read and not written.

    With `is_found` that begins with the mark. `is_ended`: the other side has closed, or is gone. `is_starved`: nothing
    more was there.
    """

    held: bytes
    is_found: bool = False
    is_ended: bool = False
    is_starved: bool = False


class Pace:
    """Whether bytes come so fast that it is worth to have a thread read them."""

    def __init__(self) -> None:
        self._mark, self._since = 0, time.monotonic()

    def is_fast(self, size: int) -> bool:
        """Asked at every size; yes at most once each FAST_BYTES."""
        if size - self._mark < FAST_BYTES:
            return False
        now = time.monotonic()
        is_fast = now - self._since <= FAST_SECONDS
        self._mark, self._since = size, now
        return is_fast


def pour(body: Taken, held: bytes, mark: bytes, write: Write, writers: Disk) -> Poured:
    """Have `held` and what comes of `body` written, up to `mark` (none when it is empty), one write at a time.

    What may be the beginning of the mark is held back. Raises what `write` raises; no write goes on then.
    """
    writing = _Writing(write, writers)
    try:
        return _poured(body, held, mark, writing)
    finally:
        writing.wait()


def _poured(body: Taken, held: bytes, mark: bytes, writing: _Writing) -> Poured:
    (buffer, view), (other, other_view) = _buffers(len(held))
    view[: len(held)] = held
    keep, have, is_ended, is_starved = max(0, len(mark) - 1), len(held), False, False
    began_at, deadline = body.left, time.monotonic() + TURN_SECONDS
    least_left = max(0, body.left - TURN_BYTES)
    while True:
        if mark and (at := _find(buffer, mark, have)) >= 0:
            writing.begin(view[:at])
            return Poured(bytes(view[at:have]), is_found=True)
        if (end := have - keep) > 0:
            writing.wait()  # it was from the other buffer
            other_view[:keep] = view[end:have]
            writing.begin(view[:end])
            (buffer, view), (other, other_view) = (other, other_view), (buffer, view)
            have = keep
        if is_ended or is_starved or body.left <= least_left or time.monotonic() > deadline:
            return Poured(bytes(view[:have]), is_ended=is_ended, is_starved=is_starved)
        body.wake_at(WORTH_WRITING)
        room = view[have : have + body.left - least_left]
        count, is_ended = _received(body.line, room, is_patient=began_at - body.left >= WORTH_WRITING)
        is_starved = not count
        have += count
        body.left -= count


class _Writing:
    """At most one write under way, in another thread than the one that reads."""

    def __init__(self, write: Write, writers: Disk) -> None:
        self._write, self._writers = write, writers
        self._doing: Future[None] | None = None

    def begin(self, data: memoryview) -> None:
        """`data` must stay as it is until the next `wait`."""
        self.wait()
        if data:
            self._doing = self._writers.submit(self._write, data)

    def wait(self) -> None:
        """Raises what the write raised."""
        doing, self._doing = self._doing, None
        if doing is not None:
            doing.result()


def _received(line: socket.socket, into: memoryview, *, is_patient: bool) -> tuple[int, bool]:
    """How many bytes came into it, and whether they were the last."""
    count = 0
    while count < min(len(into), WORTH_WRITING):
        try:
            got = line.recv_into(into[count:])
        except (BlockingIOError, InterruptedError):
            if not is_patient or not _is_readable(line):
                break
            continue
        except OSError:
            return count, True
        if not got:
            return count, True
        count += got
    return count, False


def _is_readable(line: socket.socket) -> bool:
    poll = select.poll()
    poll.register(line, select.POLLIN)
    return bool(poll.poll(PATIENCE_MS))


def _find(buffer: bytearray, mark: bytes, end: int) -> int:
    """Where it is first. Mostly it is nowhere, and to look from the end is twice as fast."""
    return -1 if buffer.rfind(mark, 0, end) < 0 else buffer.find(mark, 0, end)


def _buffers(least: int) -> tuple[tuple[bytearray, memoryview], tuple[bytearray, memoryview]]:
    """This thread's two, or larger ones for this time."""
    if least > BUFFER_BYTES // 2:
        return _made(least + BUFFER_BYTES), _made(least + BUFFER_BYTES)
    if not hasattr(_own, "buffers"):
        _own.buffers = _made(BUFFER_BYTES), _made(BUFFER_BYTES)
    found: tuple[tuple[bytearray, memoryview], tuple[bytearray, memoryview]] = _own.buffers
    return found


def _made(size: int) -> tuple[bytearray, memoryview]:
    buffer = bytearray(size)
    return buffer, memoryview(buffer)
