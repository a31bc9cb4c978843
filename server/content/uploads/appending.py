"""The bytes of one PATCH: read as they come, written as multipart's are, kept when the connection breaks.

What arrived counts, unless the request carries a checksum: then all of it counts or nothing does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from server.access import Actor
from server.content.formats import SNIFFED_BYTES
from server.content.tables import Content
from server.content.uploads.form import ask_for_body
from server.content.uploads.part_file import PartFile
from server.content.uploads.pump import Pace
from server.content.uploads.resumed_part import ResumedPart
from server.content.uploads.silence import IDLE_SECONDS, Silence
from server.content.uploads.turn import LOOK_SECONDS, Turn, UploadBusy
from server.content.uploads.tus import Progress, Uploads, progress_of
from server.content.uploads.tus_headers import Checksum
from server.errors import Conflict, Kind, LecternError, Malformed, NoRoom, Stalled, TooLarge
from server.http.taking import TakenBody, take

_BAD_BYTES = (ValueError, RuntimeError, EOFError, HttpProcessingError, web.HTTPException, web.RequestPayloadError)


class OffsetMismatch(Conflict):
    """`offset` is where to go on."""

    code, sentence = "offset_mismatch", "These bytes do not follow what has arrived; go on at the offset given."


class ChecksumMismatch(LecternError):
    kind, code = Kind.CHECKSUM, "checksum_mismatch"
    sentence = "The bytes do not add up to their checksum and were dropped; send them again."


async def append(
    request: web.Request, uploads: Uploads, actor: Actor, content_id: int, offset: int, checksum: Checksum | None
) -> Progress:
    """Add the request's body at `offset`; with the last byte the lesson is complete and processing begins.

    Raises OffsetMismatch, ChecksumMismatch, TooLarge (beyond Upload-Length), TypeNotAllowed, ContentMismatch (both end
    the upload), Malformed, Stalled, NoRoom, UploadBusy, ConnectionError, and as `Uploads.held`.
    """

    def is_gone() -> bool:
        transport = request.transport
        return transport is None or transport.is_closing() or request.content.exception() is not None

    async with uploads.held(actor, content_id, is_gone) as (row, turn):
        assert row.original_key is not None
        size, body_bytes = row.file_size, request.content_length or 0
        received = uploads.intake.storage.received_bytes
        known = size if turn is None else await uploads.intake.disk.run(received, row.original_key)
        if known >= size and offset in (size, size - body_bytes):  # the last request again: its answer was lost
            if turn is not None:
                await uploads.complete(row, turn)
            return progress_of(row, size)
        if turn is None or offset != known:
            raise OffsetMismatch(offset=known)
        if offset + body_bytes > size:
            raise TooLarge("That is more than Upload-Length promised.", limit=size, limit_bytes=size)
        arrived = await _Appending(request, uploads, row, turn, checksum).run()
        if arrived >= size:
            await uploads.complete(row, turn)
        return progress_of(row, arrived)


class _Appending:
    """One body on its way into one part."""

    def __init__(
        self, request: web.Request, uploads: Uploads, row: Content, turn: Turn, checksum: Checksum | None
    ) -> None:
        self.request, self.uploads, self.row, self.turn, self.checksum = request, uploads, row, turn, checksum
        self.is_judged = False

    async def run(self) -> int:
        """Returns the new offset, all of it on the disk."""
        intake, key = self.uploads.intake, self.row.original_key
        assert key is not None
        hashing = self.checksum.hashing() if self.checksum else None
        part = ResumedPart(intake.storage, intake.disk, intake.space, key, hashing)
        async with part:
            promised = self.row.file_size - part.size
            with intake.space.promised(promised, await intake.free_bytes()):
                await self._read(part)
            offset = await part.settle()
            if self.checksum is not None and hashing is not None and hashing.digest() != self.checksum.digest:
                await part.undo()
                raise ChecksumMismatch()
            if offset < self.row.file_size:
                await self._judge_first_bytes(part)
                await self.uploads.note(self.row, offset)
            return offset

    async def _read(self, part: ResumedPart) -> None:
        await ask_for_body(self.request)
        try:
            pace = Pace()
            async for data in self._pieces():
                await self._keep(part, data)
                if pace.is_fast(part.size):
                    body, read = take(self.request)
                    await self._keep(part, read)
                    if body is not None:
                        await self._pour(part, body)
                        break
        except (ConnectionError, Malformed, UploadBusy):
            await self.uploads.note(self.row, await (part.settle() if self.checksum is None else part.undo()))
            raise
        except NoRoom:
            await self.uploads.note(self.row, await (part.kept_bytes() if self.checksum is None else part.undo()))
            raise

    async def _keep(self, part: ResumedPart, data: bytes) -> None:
        if part.size + len(data) > self.row.file_size:
            await part.undo()
            raise TooLarge("That is more than Upload-Length promised.", limit_bytes=self.row.file_size)
        await part.write(data, _no_judge)
        await self._judge_first_bytes(part)

    async def _pour(self, part: ResumedPart, body: TakenBody) -> None:
        """The rest of a body that comes fast. Raises as `_pieces`."""
        silence = Silence()
        while body.left:
            poured = await part.pour(self.uploads.intake.pumps, body, b"", b"", _no_judge)
            if poured.is_ended:
                raise body.ended()
            if self.turn.is_wanted:
                raise UploadBusy("Another connection goes on with this upload.")
            if poured.is_starved:
                silence.judge(body.left)
                await body.readable(LOOK_SECONDS)

    async def _judge_first_bytes(self, part: ResumedPart) -> None:
        """As soon as there are enough of them; what they refuse has ended."""
        if not self.is_judged and len(part.head) >= SNIFFED_BYTES:
            self.is_judged = True
            if part.begun_at < SNIFFED_BYTES:
                await self.uploads.judge(self.row, self.turn, part.head)

    async def _pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises UploadBusy when somebody takes over, Stalled, Malformed, ConnectionError."""
        content, silent_since = self.request.content, time.monotonic()
        while not content.at_eof():
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    data = await content.readany()
            except TimeoutError:
                data = b""
                if time.monotonic() - silent_since > IDLE_SECONDS:
                    raise Stalled("No bytes came for 30 seconds.") from None
            except _BAD_BYTES as error:
                raise Malformed("The body cannot be read; it is damaged or ends too early.") from error
            if data:
                silent_since = time.monotonic()
                yield data
            if self.turn.is_wanted:
                raise UploadBusy("Another connection goes on with this upload.")


def _no_judge(part: PartFile) -> None:
    """Judging an upload that ends it takes the database, so it is done between writes."""
