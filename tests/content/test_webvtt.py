"""A caption file is read strictly, and what is served is our own writing of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.content import webvtt
from server.content.webvtt import Cue
from server.errors import ContentMismatch

RICH = """\ufeffWEBVTT - the waves
Kind: captions

STYLE
::cue { background: url(https://elsewhere.example/seen) }

REGION
id:one

NOTE said twice
on purpose

first
00:01.000 --> 00:04.500 align:start onclick:alert(1) position:10%
<v Ana>A wave <i>travels</i>.
Nothing else does.

01:00:00.000 --> 01:00:01.000
An hour later
"""


def test_cues_are_kept_and_everything_else_is_left_out() -> None:
    assert webvtt.rewritten(RICH.encode()).decode() == (
        "WEBVTT\n\nfirst\n00:00:01.000 --> 00:00:04.500 align:start position:10%\n"
        "<v Ana>A wave <i>travels</i>.\nNothing else does.\n\n01:00:00.000 --> 01:00:01.000\nAn hour later\n"
    )


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_every_kind_of_line_end_is_read(newline: str) -> None:
    assert webvtt.rewritten(RICH.replace("\n", newline).encode()) == webvtt.rewritten(RICH.encode())


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "begins with the word WEBVTT"),
        (b"WEBVTTX\n\n00:01.000 --> 00:02.000\nx", "begins with the word WEBVTT"),
        (b"<html>", "begins with the word WEBVTT"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nx\n", "SubRip"),
        (b"WEBVTT\n\n\xff\xfe", "UTF-8"),
        (b"WEBVTT\n\nNOTE nothing\n", "no caption"),
        (b"WEBVTT\n00:01.000 --> 00:02.000\nx", "Line 2 "),
        (b"WEBVTT\n\n00:01.000 --> 00:01.000\nx", "Line 3 of the caption file ends before"),
        (b"WEBVTT\n\n00:02.000 --> 00:01.000\nx", "ends before"),
        (b"WEBVTT\n\n00:01.00 --> 00:02.000\nx", "cannot be read"),
        (b"WEBVTT\n\n00:61.000 --> 00:62.000\nx", "cannot be read"),
        ("WEBVTT\n\n0٠:01.000 --> 00:02.000\nx".encode(), "cannot be read"),
        (b"WEBVTT\n\nname\nno times\n", "has no times"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\nx\n00:03.000 --> 00:04.000\ny", "without an empty line"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\n" + b"x" * 2001, "more than 2,000 characters"),
        (b"WEBVTT\n" + b"\n00:01.000 --> 00:02.000\nx\n" * 20_001, "more than 20,000"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(raw: bytes, says: str) -> None:
    with pytest.raises(ContentMismatch) as refused:
        webvtt.rewritten(raw)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("given_", "tag"),
    [
        *(("EN", "en"), ("pt-br", "pt-BR"), ("zh-hant-tw", "zh-Hant-TW"), ("gsw", "gsw"), ("e", None)),
        *(("english", None), ("../x", None), ("de_AT", None), ("dé", None), ("", None), ("aa-bb-cc-dd-ee", None)),
    ],
)
def test_languages_are_tags(given_: str, tag: str | None) -> None:
    assert webvtt.language(given_) == tag


@given(st.binary(max_size=300).map(lambda tail: b"WEBVTT\n\n" + tail) | st.binary(max_size=300))
def test_no_bytes_make_it_fail_otherwise(raw: bytes) -> None:
    try:
        made = webvtt.rewritten(raw)
    except ContentMismatch:
        return
    assert webvtt.rewritten(made) == made


WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40).filter(
    lambda text: text == text.strip() and "-->" not in text
)


@given(st.lists(st.tuples(st.integers(0, 10**8), st.integers(1, 10**5), WORDS), min_size=1, max_size=5))
def test_what_is_written_is_read_back(given_: list[tuple[int, int, str]]) -> None:
    many = [Cue("", start, start + length, "", text) for start, length, text in given_]
    assert webvtt.cues(webvtt.written(many)) == many
