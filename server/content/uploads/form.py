"""A multipart form (RFC 7578) read in the order it comes, each part bounded, every complaint in our words."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from email.message import Message

from aiohttp import (
    BadContentDispositionHeader,
    BadContentDispositionParam,
    content_disposition_filename,
    hdrs,
    parse_content_disposition,
    web,
)
from aiohttp.http_exceptions import HttpProcessingError

from server.content.disk import Disk
from server.content.uploads.delimited import LONGEST_BOUNDARY, TORN, Delimited
from server.content.uploads.part_file import PartFile
from server.content.uploads.pump import Pace
from server.content.uploads.silence import IDLE_SECONDS, LOOK_SECONDS, Silence
from server.errors import Invalid, Malformed, Stalled, TypeNotAllowed
from server.http.taking import TakenBody, take

MOST_PARTS = 16
LARGEST_FIELD_BYTES = 64 * 1024  # a description of 10,000 characters fits in any script
LARGEST_FORM_BYTES = MOST_PARTS * (LARGEST_FIELD_BYTES + 8 * 1024)  # all that may surround the file
_BAD_BYTES = (ValueError, RuntimeError, EOFError, HttpProcessingError, web.HTTPException, web.RequestPayloadError)
_BAD_WORDS = (ValueError, LookupError, BadContentDispositionHeader, BadContentDispositionParam)


@dataclass(frozen=True, slots=True)
class FieldPart:
    """A small value."""

    name: str
    value: str


class FilePart:
    """The part that carries the file; `file_name` and `declared_type` are the client's words."""

    def __init__(self, body: Delimited, source: _Source, file_name: str, declared_type: str) -> None:
        self._body, self._source = body, source
        self.file_name, self.declared_type = file_name, declared_type

    async def into(self, file: PartFile, pumps: Disk, judge: Callable[[PartFile], None]) -> None:
        """Write all bytes of the file.

        Raises Malformed, Stalled, ConnectionError when the client is gone, and what `file` and `judge` raise.
        """
        pace, body = Pace(), None
        async with aclosing(self._body.content()) as chunks:
            async for chunk in chunks:
                await file.write(chunk, judge)
                if self._body.is_inside and pace.is_fast(file.size):
                    body = self._source.take_over()
                    if body is not None:
                        break
        if body is not None:
            await self._pour(body, file, pumps, judge)

    def chunks(self) -> AsyncGenerator[memoryview, None]:
        """All bytes of a small file, in order. Raises Malformed, Stalled, ConnectionError when the client is gone."""
        return self._body.content()

    async def _pour(self, body: TakenBody, file: PartFile, pumps: Disk, judge: Callable[[PartFile], None]) -> None:
        held, silence = self._body.lend(self._source.lend()), Silence()
        while self._body.is_inside:
            poured = await file.pour(pumps, body, held, self._body.delimiter, judge)
            held = poured.held
            if poured.is_found:
                self._body.give_back(held)
            elif poured.is_ended:
                raise body.ended()
            elif body.left == 0:
                raise Malformed(TORN)
            elif poured.is_starved:
                silence.judge(body.left)
                await body.readable(LOOK_SECONDS)


async def parts(request: web.Request, file_field: str = "file") -> AsyncIterator[FieldPart | FilePart]:
    """Fields and the file in the order they come. A file must be read before the next part is asked for.

    Raises Malformed, Invalid, Stalled, ConnectionError.
    """
    source = _Source(request)
    body = Delimited(source, await _opened(request))
    has_file = False
    for _ in range(MOST_PARTS):
        head = await body.head()
        if head is None:
            return
        part = _described(head)
        if part.name != file_field:
            yield FieldPart(part.name, await _value(body, part.name))
            continue
        if has_file:
            raise Invalid(errors=[{"pointer": f"/{file_field}", "detail": "was sent twice"}])
        has_file = True
        yield FilePart(body, source, part.file_name, part.type)
    if await body.head() is not None:
        raise Malformed(f"The form has more than {MOST_PARTS} parts.")


async def ask_for_body(request: web.Request) -> None:
    """Whoever waits to be asked (Expect: 100-continue) is asked now. Raises TypeNotAllowed for packed bytes.

    A film is packed already; what is announced and counted are the bytes that are sent.
    """
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower() not in ("", "identity"):
        raise TypeNotAllowed("Send the bytes as they are, without Content-Encoding.", allowed=["identity"])
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer proper has not begun


@dataclass(frozen=True, slots=True)
class _Described:
    """What a part's head says."""

    name: str
    file_name: str
    type: str


class _Source:
    """The form's next bytes: from the web server, and from the socket once that was taken over."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._read = b""
        self._next: Callable[[], Awaitable[bytes]] = request.content.readany

    def take_over(self) -> TakenBody | None:
        """Read the socket from now on; what the web server had read of it comes first."""
        body, self._read = take(self._request)
        if body is not None:
            self._next = body.some
        return body

    def lend(self) -> bytes:
        """What comes first, for somebody else to go on with."""
        read, self._read = self._read, b""
        return read

    async def __call__(self) -> bytes:
        if self._read:
            return self.lend()
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                return await self._next()
        except TimeoutError as error:
            raise Stalled("No bytes came for 30 seconds.") from error
        except _BAD_BYTES as error:
            raise Malformed(TORN) from error


async def _opened(request: web.Request) -> bytes:
    """The form's boundary. Raises Malformed. Whoever waits to be asked for the body is."""
    if not request.content_type.startswith("multipart/"):
        raise Malformed("Send the file as multipart/form-data.")
    try:
        boundary = _boundary(request.headers.get("Content-Type", ""))
    except (ValueError, LookupError) as error:
        raise Malformed("The form's boundary is missing or cannot be used.") from error
    await ask_for_body(request)
    return boundary


def _boundary(header: str) -> bytes:
    """The `boundary` parameter. Raises ValueError."""
    message = Message()
    message["Content-Type"] = header
    found = message.get_param("boundary")
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST_BOUNDARY:
        raise ValueError("no boundary")
    return found.encode("ascii")


def _described(head: bytes) -> _Described:
    """Raises Malformed for what cannot be read, and for a form inside the form."""
    headers: dict[str, str] = {}
    for line in head.split(b"\r\n") if head else ():
        name, colon, value = line.decode("utf-8", "surrogateescape").partition(":")
        if not colon or not name.strip():
            raise Malformed("A part's header cannot be read.")
        headers.setdefault(name.strip().lower(), value.strip())
    try:
        with warnings.catch_warnings():  # it drops what it cannot read, with a warning
            warnings.simplefilter("error")
            _, parameters = parse_content_disposition(headers.get("content-disposition"))
            name = content_disposition_filename(parameters, "name") or ""
            file_name = content_disposition_filename(parameters, "filename") or ""
    except _BAD_WORDS as error:
        raise Malformed("A part's name cannot be read.") from error
    if "\x00" in name or "\x00" in file_name:
        raise Malformed("A part's name contains a NUL character.")
    declared = headers.get("content-type", "")
    if declared.lower().startswith("multipart/"):
        raise Malformed("A form inside the form is not understood.")
    return _Described(name, file_name, declared)


async def _value(body: Delimited, name: str) -> str:
    value = b""
    async for piece in body.content():
        value += piece
        if len(value) > LARGEST_FIELD_BYTES:
            raise Invalid(errors=[{"pointer": f"/{name[:40]}", "detail": "is too long"}])
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Invalid(errors=[{"pointer": f"/{name[:40]}", "detail": "is not UTF-8"}]) from error
