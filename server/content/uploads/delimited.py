"""The body of a multipart form (RFC 2046, 5.1.1) taken apart as it arrives: heads of parts, what is between delimiters.

Our own, because a film passes through it: bytes are looked through once and handed on without another copy, and no more
is held than one network read and the length of a delimiter. What the parts mean is not known here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

from server.errors import Malformed

LARGEST_HEAD_BYTES = 16 * 1024  # of one part; a longer one is no browser's
LARGEST_AROUND_BYTES = 64 * 1024  # before the first part and after the last, where nothing belongs
LONGEST_BOUNDARY = 70  # RFC 2046, 5.1.1
TORN = "The form cannot be parsed; it is damaged or ends too early."

Source = Callable[[], Awaitable[bytes]]  # the next bytes, as many as there are; empty at the end


class Delimited:
    """Reads one body, part after part: `head`, then `content` to its end; `head` is None after the last."""

    def __init__(self, source: Source, boundary: bytes) -> None:
        self._source, self.delimiter = source, b"\r\n--" + boundary
        self._held = b"\r\n"  # the first delimiter may stand at the very beginning, and is then found like the others
        self._is_inside = True  # the preamble is content that nobody asked for

    async def head(self) -> bytes | None:
        """The next part's header lines; what was left of the one before is passed over.

        Raises Malformed, and what the source raises.
        """
        if self._is_inside:
            await self._pass_over_content()
        line = await self._until(b"\r\n", is_last_enough=True)
        if line.startswith(b"--"):
            await self._pass_over_rest()
            return None
        if line.strip(b" \t"):  # only blanks may follow a delimiter
            raise Malformed(TORN)
        self._held = b"\r\n" + self._held  # so that a part without headers ends its head like any other
        self._is_inside = True
        return (await self._until(b"\r\n\r\n"))[2:]

    async def content(self) -> AsyncGenerator[memoryview, None]:
        """What is before the next delimiter, in pieces; may be left and asked for again. Raises as `head`."""
        keep = len(self.delimiter) - 1  # a delimiter may have begun in them
        while self._is_inside:
            at = self._held.find(self.delimiter)
            held = memoryview(self._held)
            if at >= 0:
                self._is_inside, self._held = False, self._held[at + len(self.delimiter) :]
                if at:
                    yield held[:at]
                return
            if (end := len(held) - keep) > 0:
                self._held = self._held[end:]
                yield held[:end]
            self._held += await self._more()

    @property
    def is_inside(self) -> bool:
        """Whether the part's content goes on."""
        return self._is_inside

    def lend(self, more: bytes = b"") -> bytes:
        """What of the content is held back, and `more` after it, for somebody else to go on with."""
        held, self._held = self._held + more, b""
        return held

    def give_back(self, held: bytes) -> None:
        """The content has ended: `held` is what comes now, the delimiter first."""
        self._held, self._is_inside = held[len(self.delimiter) :], False

    async def _until(self, mark: bytes, *, is_last_enough: bool = False) -> bytes:
        """What is before `mark`, which is passed over; the last delimiter's two dashes need no line end."""
        while (at := self._held.find(mark)) < 0:
            if len(self._held) > LARGEST_HEAD_BYTES:
                raise Malformed(TORN)
            if is_last_enough and self._held.startswith(b"--"):
                return self._held
            self._held += await self._more()
        if at > LARGEST_HEAD_BYTES:
            raise Malformed(TORN)
        found, self._held = self._held[:at], self._held[at + len(mark) :]
        return found

    async def _more(self) -> bytes:
        data = await self._source()
        if not data:
            raise Malformed(TORN)
        return data

    async def _pass_over_content(self) -> None:
        passed = 0
        async for piece in self.content():
            passed += len(piece)
            if passed > LARGEST_AROUND_BYTES:
                raise Malformed(TORN)

    async def _pass_over_rest(self) -> None:
        """What follows the last part (usually a line end) is read, so that the connection can go on."""
        passed = len(self._held)
        while passed <= LARGEST_AROUND_BYTES and (data := await self._source()):
            passed += len(data)
