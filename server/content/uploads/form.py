"""A multipart form read in the order it comes, each part bounded; aiohttp's reader is known to this file alone.

Its chunks are asked for at 256 KiB: the default of 8 KiB costs half the throughput. Whatever it raises about the
client's bytes becomes `malformed`, a NUL in a file name included, which it would let pass as a fault of ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from server.content.uploads.part_file import GATHERED_BYTES
from server.errors import Invalid, Malformed, Stalled

T = TypeVar("T")
MOST_PARTS = 16
LARGEST_FIELD_BYTES = 64 * 1024  # a description of 10,000 characters fits in any script
LARGEST_FORM_BYTES = MOST_PARTS * (LARGEST_FIELD_BYTES + 8 * 1024)  # all that may surround the file
IDLE_SECONDS = 30.0  # without a byte for so long the connection is given up; there is no limit on the whole
_BAD_BYTES = (ValueError, RuntimeError, AssertionError, EOFError, HttpProcessingError, web.HTTPException)


@dataclass(frozen=True, slots=True)
class FieldPart:
    """A small value."""

    name: str
    value: str


class FilePart:
    """The part that carries the file; `file_name` and `declared_type` are the client's words."""

    def __init__(self, reader: BodyPartReader, file_name: str, declared_type: str) -> None:
        self._reader, self.file_name, self.declared_type = reader, file_name, declared_type

    async def chunks(self) -> AsyncIterator[bytes]:
        """All bytes of the file, in order. Raises Malformed, Stalled, ConnectionError when the client is gone."""
        while not self._reader.at_eof():
            chunk = await _reading(self._reader.read_chunk(GATHERED_BYTES))
            if chunk:
                yield bytes(chunk)


async def parts(request: web.Request, file_field: str = "file") -> AsyncIterator[FieldPart | FilePart]:
    """Fields and the file in the order they come. A file must be read before the next part is asked for.

    Raises Malformed, Invalid, Stalled, ConnectionError.
    """
    reader = await _opened(request)
    has_file = False
    for _ in range(MOST_PARTS):
        part = await _reading(reader.next())
        if part is None:
            return
        if not isinstance(part, BodyPartReader):
            raise Malformed("A form inside the form is not understood.")
        name, file_name = _names(part)
        if name != file_field:
            yield FieldPart(name, await _value(part, name))
            continue
        if has_file:
            raise Invalid(errors=[{"pointer": f"/{file_field}", "detail": "was sent twice"}])
        has_file = True
        yield FilePart(part, file_name, part.headers.get("Content-Type", ""))
    if await _reading(reader.next()) is not None:
        raise Malformed(f"The form has more than {MOST_PARTS} parts.")


async def ask_for_body(request: web.Request) -> None:
    """Whoever waits to be asked (Expect: 100-continue) is asked now."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer proper has not begun


async def _opened(request: web.Request) -> MultipartReader:
    if not request.content_type.startswith("multipart/"):
        raise Malformed("Send the file as multipart/form-data.")
    await ask_for_body(request)
    try:
        return await request.multipart()
    except _BAD_BYTES as error:
        raise Malformed("The form's boundary is missing or cannot be used.") from error


def _names(part: BodyPartReader) -> tuple[str, str]:
    try:
        name, file_name = part.name or "", part.filename or ""
    except _BAD_BYTES as error:
        raise Malformed("A part's name cannot be read.") from error
    if "\x00" in name or "\x00" in file_name:
        raise Malformed("A part's name contains a NUL character.")
    return name, file_name


async def _value(part: BodyPartReader, name: str) -> str:
    value = b""
    while not part.at_eof():
        value += await _reading(part.read_chunk(LARGEST_FIELD_BYTES))
        if len(value) > LARGEST_FIELD_BYTES:
            raise Invalid(errors=[{"pointer": f"/{name[:40]}", "detail": "is too long"}])
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Invalid(errors=[{"pointer": f"/{name[:40]}", "detail": "is not UTF-8"}]) from error


async def _reading(reading: Awaitable[T]) -> T:
    """One step of the parser, bounded in time, its complaints in our words."""
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            return await reading
    except TimeoutError as error:
        raise Stalled("No bytes came for 30 seconds.") from error
    except _BAD_BYTES as error:
        raise Malformed("The form cannot be parsed; it is damaged or ends too early.") from error
