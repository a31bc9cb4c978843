"""Lists in pages: `?limit=` (at most 200) and an opaque `?cursor=`, the next page in a Link header (RFC 8288)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiohttp import web

from server.errors import Invalid

T = TypeVar("T")
DEFAULT_LIMIT = 50
LARGEST_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Page:
    """What was asked for. `limit` is None where the whole list is the default; `after` is the last row's key."""

    limit: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Paged(Generic[T]):
    """One page of items; `next_after` is the key the following page starts behind, None on the last."""

    items: Sequence[T]
    next_after: int | None = None


def page_of(request: web.BaseRequest, default: int | None = DEFAULT_LIMIT) -> Page:
    """Read `limit` and `cursor`. Raises Invalid; a limit over 200 is brought down to 200."""
    limit, after = default, None
    if given := request.query.get("limit"):
        if not given.isascii() or not given.isdigit() or len(given) > 9 or int(given) < 1:
            raise Invalid(errors=[{"pointer": "/limit", "detail": "needs a whole number from 1 to 200"}])
        limit = min(int(given), LARGEST_LIMIT)
    if cursor := request.query.get("cursor"):
        try:
            after = int(base64.urlsafe_b64decode(cursor.encode() + b"==").decode())
        except (ValueError, binascii.Error, UnicodeError) as error:
            raise _not_ours() from error
        if not -(2**63) < after < 2**63:
            raise _not_ours()
    return Page(limit, after)


def cut(rows: Sequence[T], page: Page) -> tuple[Sequence[T], bool]:
    """Rows were fetched with limit + 1; returns the page's rows and whether more follow."""
    if page.limit is None or len(rows) <= page.limit:
        return rows, False
    return rows[: page.limit], True


def part(items: Sequence[T], page: Page, key: Callable[[T], int]) -> Paged[T]:
    """The page of a list that was read whole, in whatever order. Raises Invalid for a cursor whose row is gone."""
    if page.after is not None:
        place = next((place for place, item in enumerate(items) if key(item) == page.after), None)
        if place is None:
            raise _not_ours()
        items = items[place + 1 :]
    rows, has_more = cut(items, page)
    return Paged(rows, key(rows[-1]) if has_more else None)


def link_header(request: web.BaseRequest, next_after: int) -> str:
    """The `next` link for this request."""
    cursor = base64.urlsafe_b64encode(str(next_after).encode()).decode().rstrip("=")
    return f'<{request.rel_url.update_query(cursor=cursor)}>; rel="next"'


def _not_ours() -> Invalid:
    return Invalid(errors=[{"pointer": "/cursor", "detail": "is not one of ours; start without it"}])
