"""Which bytes a request asks for (RFC 9110, 13 and 14). Pure: headers in, status and range out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """`status` is 200, 206, 304 or 416; for the first two `start` and `length` say which bytes."""

    status: int
    start: int = 0
    length: int = 0


def wanted(headers: Mapping[str, str], size: int, etag: str, modified_at: float) -> Wanted:
    """Judge If-None-Match, If-Range and Range. Several ranges, and what is no byte range, get the whole."""
    if "If-None-Match" in headers and _matches(headers["If-None-Match"], etag):
        return Wanted(304)
    whole = Wanted(200, 0, size)
    given = headers.get("Range")
    if given is None or not _is_unchanged(headers.get("If-Range"), etag, modified_at):
        return whole
    found = _ONE_RANGE.fullmatch(given.replace(" ", ""))
    if found is None or found.groups() == ("", ""):
        return whole
    first, last = found.groups()
    if not first:  # the last so many bytes
        length = min(int(last), size)
        return Wanted(206, size - length, length) if length else Wanted(416)
    start, end = int(first), min(int(last), size - 1) if last else size - 1
    if last and int(last) < start:
        return whole  # syntactically no range at all
    return Wanted(206, start, end - start + 1) if start < size else Wanted(416)


def _matches(header: str, etag: str) -> bool:
    """If-None-Match compares weakly."""
    return header.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in header.split(",")]


def _is_unchanged(if_range: str | None, etag: str, modified_at: float) -> bool:
    """If-Range compares strongly: the same tag, or exactly the date we sent."""
    if if_range is None:
        return True
    if_range = if_range.strip()
    if if_range.startswith(('"', "W/")):
        return if_range == etag
    try:
        return int(parsedate_to_datetime(if_range).timestamp()) == int(modified_at)
    except (TypeError, ValueError, OverflowError):
        return False
