"""Ranges of lessons, answered the moment they are asked for: hundreds a minute for each player.

Taken is the plainest question alone: one range of at most 256 KiB of a lesson, by a ticket read before, whose holder
was found entitled less than a second ago, of a file that is open and in memory, on plain TCP with nothing waiting.
Whatever differs in anything goes to the ordinary way and is judged, answered or refused there; both say the same.

To copy so little behind the head, in one call, is cheaper than to have the kernel send it from where it lies: the peer
is woken once.
"""

from __future__ import annotations

import asyncio
import random
import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache

from aiohttp import hdrs
from aiohttp.http import SERVER_SOFTWARE

from server.content.files import OpenFile, read_cached
from server.content.gate import Pass
from server.content.links import CONTENT
from server.content.outflow import plain_socket
from server.content.serve import etag_of_key
from server.content.tickets import Subject
from server.content.wiring import Library
from server.errors import LecternError
from server.http.keys import Readiness
from server.http.middleware import COMMON
from server.metrics import Metrics
from server.wire import MAXIMUM_ID

LONGEST_BYTES = 256 * 1024  # what the peer does not take at once is kept for it, so it is one piece at most
MOST_HEAD_BYTES, MOST_ANSWER_HEAD_BYTES = 2_000, 4_000
HEADS = 512  # different ones, but for the range; the one asked for longest ago is read again
ROUTE = "/media/content/{content_id}/{variant}/{name}"
_RANGE = re.compile(rb"\r\n[Rr]ange: bytes=([0-9]{1,18})-([0-9]{1,18})\r\n")
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([!-~][ -~]*)")
# What would have to be judged, and what makes the head another kind of request.
_OTHER = frozenset(
    b"range if-match if-none-match if-modified-since if-unmodified-since origin expect upgrade te trailer "
    b"content-length transfer-encoding content-encoding".split()
)


@dataclass(frozen=True, slots=True)
class _Head:
    """A request but for its range."""

    subject: Subject
    name: str
    ticket: str
    if_range: str | None


class EarlyRanges:
    """An `Early` of this process. `prefix` is before every path; `also` are headers of every answer here."""

    def __init__(
        self,
        library: Library,
        metrics: Metrics,
        readiness: Readiness,
        *,
        prefix: str = "",
        also: Mapping[str, str] | None = None,
    ) -> None:
        self._gate, self._files, self._sender = library.gate, library.files, library.sender
        self._readiness, self._also = readiness, {**COMMON, **(also or {})}
        self._start = b"GET " + prefix.encode() + b"/media/content/"
        self._view = memoryview(bytearray(MOST_ANSWER_HEAD_BYTES + LONGEST_BYTES))  # one for all: it is never kept
        self._seconds = metrics.http_seconds.labels(hdrs.METH_GET, ROUTE, 206)
        self._read: Callable[[bytes], _Head | None] = lru_cache(HEADS)(_reader(prefix))
        self._fixed = lru_cache(HEADS)(self._fixed_lines)

    def __call__(self, transport: asyncio.Transport, data: bytes) -> bool:
        """Answer the request that `data` is, or do nothing and say no."""
        if not data.startswith(self._start) or len(data) > MOST_HEAD_BYTES or self._readiness.draining:
            return False
        asked_for = _RANGE.search(data)
        head = self._read(data[: asked_for.start()] + data[asked_for.end() - 2 :]) if asked_for else None
        to = plain_socket(transport) if head is not None else None
        if asked_for is None or head is None or to is None:
            return False
        if transport.get_write_buffer_size() or transport.is_closing():
            return False
        began = time.perf_counter()
        try:
            asked = self._gate.asked(head.subject, head.ticket)
        except LecternError:
            return False
        admitted = self._gate.fresh(asked, head.name)
        file = self._sender.opened(admitted.key) if admitted is not None else None
        if admitted is None or file is None:
            return False
        first, last = int(asked_for[1]), min(int(asked_for[2]), file.size - 1)
        length = last - first + 1
        if not 0 < length <= LONGEST_BYTES or int(asked_for[2]) < first:
            return False
        if head.if_range is not None and head.if_range != etag_of_key(admitted.key):
            return False
        answer = self._answer(self._fixed(asked.subject.variant, admitted, file.modified), file, first, last)
        if not self._send(transport, to, answer, file, first, length):
            return False
        self._sender.watch_tail(transport, asked)
        self._seconds.observe(time.perf_counter() - began)
        return True

    def _fixed_lines(self, variant: str, admitted: Pass, modified: str) -> str:
        headers = {
            **self._also,
            **self._sender.headers_of_file(variant, admitted.key, modified),
            hdrs.CONTENT_TYPE: admitted.mime_type,
            hdrs.SERVER: SERVER_SOFTWARE,
        }
        return "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    def _answer(self, fixed: str, file: OpenFile, first: int, last: int) -> bytes:
        return (
            f"HTTP/1.1 206 Partial Content\r\n{fixed}"
            f"Content-Range: bytes {first}-{last}/{file.size}\r\nContent-Length: {last - first + 1}\r\n"
            f"Date: {_date(int(time.time()))}\r\nX-Request-Id: {random.getrandbits(64):016x}\r\n\r\n"
        ).encode()

    def _send(
        self, transport: asyncio.Transport, to: socket.socket, head: bytes, file: OpenFile, first: int, length: int
    ) -> bool:
        """Whether it was sent; what the kernel does not take now, the transport keeps and sends."""
        whole = self._view[: len(head) + length]
        whole[: len(head)] = head
        if read_cached(file, whole[len(head) :], first) < length:
            return False  # it has to come from the disk
        try:
            count = _taken(to, whole)
        except OSError:
            transport.abort()  # the peer is gone
            return True
        if count < len(whole):
            transport.write(bytes(whole[count:]))
        return True


def _taken(to: socket.socket, data: memoryview) -> int:
    """How much the kernel took at once. Raises OSError."""
    line = socket.socket(to.family, to.type, to.proto, fileno=to.fileno())
    try:
        return line.send(data)
    except (BlockingIOError, InterruptedError):
        return 0
    finally:
        line.detach()  # the transport's it is, and stays


def _reader(prefix: str) -> Callable[[bytes], _Head | None]:
    """Reads a head without its range; None for anything but the plainest."""
    first = re.compile(
        rb"GET %s/media/content/([0-9]{1,19})/([a-z][A-Za-z0-9.-]*)/([A-Za-z0-9._-]+)\?t=([0-9A-Za-z._-]+) HTTP/1\.1"
        % re.escape(prefix.encode())
    )

    def read(head: bytes) -> _Head | None:
        if not head.endswith(b"\r\n\r\n"):
            return None
        lines = head[:-4].split(b"\r\n")
        target = first.fullmatch(lines[0])
        if target is None or not 1 <= int(target[1]) <= MAXIMUM_ID:
            return None
        fields: dict[bytes, bytes] = {}
        for line in lines[1:]:
            field = _LINE.fullmatch(line)
            if field is None or (name := field[1].lower()) in _OTHER or name in fields:
                return None
            fields[name] = field[2].strip()
        if b"host" not in fields or fields.get(b"connection", b"keep-alive").lower() != b"keep-alive":
            return None
        if_range = fields.get(b"if-range")
        subject = Subject(CONTENT, int(target[1]), target[2].decode())
        name, ticket = target[3].decode(), target[4].decode()
        return _Head(subject, name, ticket, if_range.decode() if if_range is not None else None)

    return read


@lru_cache(1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
