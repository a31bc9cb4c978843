"""Send media: ranges, strong ETags, and an end to every stream whose viewer lost the right to it.

Where a prefix is set, what a trusted proxy asks for is granted here and sent by it (X-Accel-Redirect).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog
from aiohttp import hdrs, web

from server.content.files import FileChanged, Files, OpenFile
from server.content.gate import Asked, Gate, Pass
from server.content.links import FILE
from server.content.outflow import flow
from server.content.ranges import Wanted, wanted
from server.content.storage import Storage
from server.errors import LecternError, Missing, PreconditionFailed
from server.http.middleware import ORIGINS

ONE_PIECE_BYTES = 64 * 1024  # up to it one copy and one system call with the head beat two calls without a copy
OFFLOAD = "X-Accel-Redirect"  # answered, never read
WATCH_SECONDS = 0.75  # with a look at the database, well under the two seconds promised
log = structlog.get_logger(__name__)


class Sender:
    """Answers requests for media; one per process. `close()` ends what is being sent."""

    def __init__(
        self, storage: Storage, files: Files, gate: Gate, *, is_cross_origin: bool, offload_prefix: str = ""
    ) -> None:
        self._storage, self._files, self._gate = storage, files, gate
        self._policy = "cross-origin" if is_cross_origin else "same-origin"
        self._offload_prefix = offload_prefix
        self._streams: dict[int, tuple[web.Request, Asked]] = {}  # by identity: a request is a mapping and has no hash
        self._tails: dict[asyncio.Transport, set[Asked]] = {}  # answered, and not yet with the viewer
        self._watching: asyncio.Task[None] | None = None

    async def send(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        """Raises Missing, NotEnrolled, PremiumRequired, TicketInvalid, PreconditionFailed."""
        admitted = await self._gate.admit(asked, request.path.rpartition("/")[2])
        path = self._storage.local_path(admitted.key)
        if path is None:
            raise Missing()
        try:
            file = await self._files.hold(path)
        except FileNotFoundError as error:
            raise Missing() from error
        try:
            return await self._answer(request, asked, admitted, file)
        finally:
            self._files.release(file)

    async def close(self) -> None:
        task, self._watching = self._watching, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for transport, _ in self._sent():
            _cut(transport)

    async def _answer(self, request: web.Request, asked: Asked, admitted: Pass, file: OpenFile) -> web.StreamResponse:
        etag = etag_of_key(admitted.key)
        if self._offload_prefix and request.app[ORIGINS].is_trusted_peer(request):
            headers = self._headers(asked, admitted, file, Wanted(200))
            headers[OFFLOAD] = f"{self._offload_prefix}/{admitted.key}"
            return web.Response(headers=headers)  # ranges and conditions are the proxy's to judge
        range_ = wanted(_given(request), file.size, etag, file.modified_at)
        if range_.status == 412:
            raise PreconditionFailed()
        headers = self._headers(asked, admitted, file, range_)
        if range_.status in (304, 416):
            return web.Response(status=range_.status, headers=headers)
        if request.method == hdrs.METH_HEAD:
            headers[hdrs.CONTENT_LENGTH] = str(range_.length)
            return web.Response(status=range_.status, headers=headers)
        if range_.length <= ONE_PIECE_BYTES:
            body = await self._files.read(file, range_.start, range_.length)
            short = web.Response(status=range_.status, headers=headers, body=body)
            with self._watched(request, asked), contextlib.suppress(ConnectionError):
                await short.prepare(request)
                await short.write_eof()
            return short
        response = web.StreamResponse(status=range_.status, headers=headers)
        response.content_length = range_.length
        with contextlib.suppress(ConnectionError):  # viewers come and go, or were cut
            await response.prepare(request)
            with self._watched(request, asked):
                await self._flow(request, response, file, range_)
        return response

    async def _flow(self, request: web.Request, response: web.StreamResponse, file: OpenFile, range_: Wanted) -> None:
        try:
            await flow(request, response, self._files, file, range_.start, range_.length)
        except FileChanged as error:
            raise ConnectionResetError("the file became shorter while it was sent") from error

    def headers_of_file(self, variant: str, key: str, modified: str) -> dict[str, str]:
        """What every answer says of these bytes."""
        return {
            hdrs.ETAG: etag_of_key(key),
            hdrs.ACCEPT_RANGES: "bytes",
            hdrs.LAST_MODIFIED: modified,
            # A lesson's bytes are asked about at every use, its pictures may stay an hour in the browser.
            hdrs.CACHE_CONTROL: "private, no-cache" if variant == FILE else "private, max-age=3600",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cross-Origin-Resource-Policy": self._policy,
        }

    def opened(self, key: str) -> OpenFile | None:
        """The file of `key` when it is open already."""
        path = self._storage.local_path(key)
        return self._files.opened(path) if path is not None else None

    def watch_tail(self, transport: asyncio.Transport, asked: Asked) -> None:
        """Cut the connection if the right to what was just written ends before the viewer has taken it."""
        self._tails.setdefault(transport, set()).add(asked)
        self._start_watching()

    def _headers(self, asked: Asked, admitted: Pass, file: OpenFile, range_: Wanted) -> dict[str, str]:
        headers = self.headers_of_file(asked.subject.variant, admitted.key, file.modified)
        if range_.status in (200, 206):
            headers[hdrs.CONTENT_TYPE] = admitted.mime_type
        if range_.status == 206:
            headers[hdrs.CONTENT_RANGE] = f"bytes {range_.start}-{range_.start + range_.length - 1}/{file.size}"
        if range_.status == 416:
            headers[hdrs.CONTENT_RANGE] = f"bytes */{file.size}"
        return headers

    @contextmanager
    def _watched(self, request: web.Request, asked: Asked) -> Iterator[None]:
        self._streams[id(request)] = (request, asked)
        self._start_watching()
        try:
            yield
        finally:
            # Written is not received: what a slow viewer has not taken yet is still ours to hold back.
            if request.transport is not None and not _is_all_taken(request.transport):
                self._tails.setdefault(request.transport, set()).add(asked)
            del self._streams[id(request)]

    def _start_watching(self) -> None:
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        """While anything is sent, ask again about everyone it is sent to; ends by itself."""
        while self._streams or self._tails:
            self._gate.changed.clear()
            try:
                async with asyncio.timeout(WATCH_SECONDS):
                    await self._gate.changed.wait()
            except TimeoutError:
                pass
            self._tails = {each: asked for each, asked in self._tails.items() if not _is_all_taken(each)}
            sent = self._sent()
            if not sent:
                continue
            try:
                answers = await self._gate.ask({asked for _, asked in sent})
            except LecternError as error:
                log.warning("streams go on unchecked", code=error.code)
                continue
            for transport, asked in sent:
                if isinstance(answers.get(asked), LecternError):
                    _cut(transport)

    def _sent(self) -> list[tuple[asyncio.Transport | None, Asked]]:
        """Every connection that bytes are sent over or wait in, and for whom."""
        streams = [(request.transport, asked) for request, asked in self._streams.values()]
        return [*streams, *((each, asked) for each, many in self._tails.items() for asked in many)]


def _given(request: web.Request) -> Mapping[str, str]:
    """What the answer depends on: only a GET has a range (RFC 9110, 14.2)."""
    if request.method == hdrs.METH_GET or hdrs.RANGE not in request.headers:
        return request.headers
    given = request.headers.copy()
    del given[hdrs.RANGE]
    return given


def etag_of_key(key: str) -> str:
    """A key's bytes never change, so the key is the version."""
    return '"' + key.rpartition("/")[2].partition(".")[0] + '"'


def _is_all_taken(transport: asyncio.Transport) -> bool:
    """Whether everything written has reached the other side, or nobody is there any more."""
    if transport.is_closing():
        return True
    if transport.get_write_buffer_size():
        return False
    opened = transport.get_extra_info("socket")
    if opened is None or not hasattr(termios, "TIOCOUTQ"):
        return True
    try:
        unsent = fcntl.ioctl(opened.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    except OSError:
        return True
    return unsent == b"\0\0\0\0"


def _cut(transport: asyncio.Transport | None) -> None:
    """End the connection now: a reset takes back even what the kernel still holds for it."""
    if transport is None or transport.is_closing():
        return
    opened = transport.get_extra_info("socket")
    if opened is not None:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
