"""A form's parts come out as they went in, wherever the network cuts, and what is no form is refused in bounds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.content.uploads.delimited import LARGEST_HEAD_BYTES, Delimited
from server.errors import Malformed

BOUNDARY = b"----wave"
# Bytes that look like delimiters, whole and begun, are what a scanner gets wrong.
PIECES = st.sampled_from(
    [b"\r\n", b"\r", b"\n", b"--", b"-", b"\r\n--", b"\r\n------wav", b"------wave", b"x", b"\0\xff"]
)
CONTENT = st.lists(PIECES, max_size=12).map(b"".join)


def delimited(body: bytes, cuts: Sequence[int]) -> Delimited:
    """The body as it comes in pieces that end at `cuts`."""
    places = [0, *sorted({cut for cut in cuts if 0 < cut < len(body)}), len(body)]
    pieces = [body[start:end] for start, end in pairwise(places) if start < end]

    async def source() -> bytes:
        return pieces.pop(0) if pieces else b""

    return Delimited(source, BOUNDARY)


async def read(body: bytes, cuts: Sequence[int] = ()) -> list[tuple[bytes, bytes]]:
    form, found = delimited(body, cuts), []
    while (head := await form.head()) is not None:
        found.append((head, b"".join([bytes(piece) async for piece in form.content()])))
    return found


def written(parts: Sequence[tuple[bytes, bytes]]) -> bytes:
    lines = [b"--" + BOUNDARY + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n" for head, content in parts]
    return b"".join(lines) + b"--" + BOUNDARY + b"--\r\n"


@settings(max_examples=300, deadline=None)
@given(
    contents=st.lists(CONTENT.filter(lambda c: b"\r\n--" + BOUNDARY not in b"\r\n" + c), max_size=4),
    cuts=st.lists(st.integers(0, 400), max_size=60),
)
async def test_parts_come_out_as_they_went_in(contents: list[bytes], cuts: list[int]) -> None:
    parts = [(b'Content-Disposition: form-data; name="n"', content) for content in contents]
    assert await read(written(parts), cuts) == parts


async def test_a_part_that_nobody_read_is_passed_over() -> None:
    form = delimited(written([(b"A: 1", b"first"), (b"A: 2", b"second")]), [])
    assert (await form.head(), await form.head(), await form.head()) == (b"A: 1", b"A: 2", None)


async def test_blanks_after_a_delimiter_a_preamble_and_an_epilogue_are_nothing() -> None:
    body = b"hello\r\n--" + BOUNDARY + b" \t\r\nA: 1\r\n\r\nx\r\n--" + BOUNDARY + b"--\r\ngoodbye"
    assert await read(body) == [(b"A: 1", b"x")]
    assert await read(b"--" + BOUNDARY + b"\r\n\r\nno head\r\n--" + BOUNDARY + b"--") == [(b"", b"no head")]
    assert await read(b"--" + BOUNDARY + b"--") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        b"--" + BOUNDARY,
        b"--" + BOUNDARY + b"x\r\nA: 1\r\n\r\nx",
        b"--" + BOUNDARY + b"\r\nA: 1\r\n\r\nthe end is missing",
        b"--" + BOUNDARY + b"\r\nA: " + b"1" * LARGEST_HEAD_BYTES * 2 + b"\r\n\r\nx\r\n--" + BOUNDARY + b"--",
        b"p" * 200_000 + b"\r\n--" + BOUNDARY + b"--",
    ],
)
async def test_what_is_no_form_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        await read(body)
