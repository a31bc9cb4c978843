"""Which bytes a request asks for (RFC 9110, 13 and 14). Pure: headers in, status and range out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

# The unit's name has no case (14.1); numbers may be as long as a header is.
_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.IGNORECASE)
_LONGEST_NUMBER = 18  # digits; more are beyond any file, and are not counted out


@dataclass(frozen=True, slots=True)
class Wanted:
    """`status` is 200, 206, 304, 412 or 416; for the first two `start` and `length` say which bytes."""

    status: int
    start: int = 0
    length: int = 0


def wanted(headers: Mapping[str, str], size: int, etag: str, modified_at: float) -> Wanted:
    """Judge the conditions, If-Range and Range, in the order of 13.2.2.

    Several ranges, and what is no byte range, get the whole. Of a HEAD request give no Range: it has none (14.2).
    """
    if not _is_wished(headers, etag, modified_at):
        return Wanted(412)
    if _is_known(headers, etag, modified_at):
        return Wanted(304)
    whole = Wanted(200, 0, size)
    given = headers.get("Range")
    if given is None or not _is_unchanged(headers.get("If-Range"), etag, modified_at):
        return whole
    found = _ONE_RANGE.fullmatch(given.strip())
    if found is None or found.groups() == ("", ""):
        return whole
    if not found[1]:  # the last so many bytes
        length = min(_number(found[2]), size)
        return Wanted(206, size - length, length) if length else Wanted(416)
    start, last = _number(found[1]), _number(found[2]) if found[2] else size - 1
    if found[2] and _is_less(found[2], found[1]):
        return whole  # syntactically no range at all
    return Wanted(206, start, min(last, size - 1) - start + 1) if start < size else Wanted(416)


def _number(digits: str) -> int:
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _LONGEST_NUMBER else 10**_LONGEST_NUMBER


def _is_less(one: str, other: str) -> bool:
    """Of two numbers of any length."""
    one, other = one.lstrip("0"), other.lstrip("0")
    return (len(one), one) < (len(other), other)


def _is_wished(headers: Mapping[str, str], etag: str, modified_at: float) -> bool:
    """If-Match, which compares strongly, or else If-Unmodified-Since."""
    if (tags := headers.get("If-Match")) is not None:
        return tags.strip() == "*" or etag in [tag.strip() for tag in tags.split(",")]
    since = _moment(headers.get("If-Unmodified-Since"))
    return since is None or int(modified_at) <= since


def _is_known(headers: Mapping[str, str], etag: str, modified_at: float) -> bool:
    """If-None-Match, which compares weakly, or else If-Modified-Since."""
    if (tags := headers.get("If-None-Match")) is not None:
        return tags.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in tags.split(",")]
    since = _moment(headers.get("If-Modified-Since"))
    return since is not None and int(modified_at) <= since


def _is_unchanged(if_range: str | None, etag: str, modified_at: float) -> bool:
    """If-Range compares strongly: the same tag, or exactly the date we sent."""
    if if_range is None:
        return True
    if_range = if_range.strip()
    if if_range.startswith(('"', "W/")):
        return if_range == etag
    return _moment(if_range) == int(modified_at)


def _moment(date: str | None) -> int | None:
    """An HTTP date in Unix seconds; None for what is none, which counts as not sent (13.1.3, 13.1.4)."""
    try:
        return int(parsedate_to_datetime(date).timestamp()) if date is not None else None
    except (TypeError, ValueError, OverflowError):
        return None
