"""What an answer may hold, in any order: bytes, JSON made before, half a surrogate pair; what it may not is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from signaling.transport import Ready
from signaling.transport.packets import ACK, with_attachments

ROSTER = Ready.of('[{"id":1}]')


def head_of(answer: list[Any]) -> tuple[Any, tuple[Any, ...]]:
    """The arguments as a client reads them, and the attachments."""
    head, *attachments = with_attachments(ACK, "/live", answer, 3).parts
    assert isinstance(head, str)
    return json.loads(head.partition("/live,3")[2]), tuple(attachments)


@pytest.mark.parametrize("names", [["roster", "file", "text"], ["file", "roster", "text"], ["text", "file", "roster"]])
def test_bytes_and_what_was_made_before_stand_side_by_side(names: list[str]) -> None:
    values = {"roster": ROSTER, "file": b"\x00\x01", "text": "\ud800"}
    (read,), attachments = head_of([{name: values[name] for name in names}])
    placeholder = {"_placeholder": True, "num": 0}
    assert read == {"roster": [{"id": 1}], "file": placeholder, "text": "\ud800"}
    assert list(read) == names
    assert attachments == (b"\x00\x01",)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def circle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize("value", [nested(5_000), circle(), float("nan")], ids=["depth", "a circle", "no number"])
@pytest.mark.parametrize("beside", [None, b"bytes"])
def test_what_browsers_cannot_read_is_a_value_error_and_ends_nothing(value: object, beside: bytes | None) -> None:
    with pytest.raises(ValueError, match=r"deep|[Cc]ircular|JSON"):
        with_attachments(ACK, "/live", [{"value": value, "beside": beside}], 3)
