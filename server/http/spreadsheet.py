"""Tables for spreadsheets (RFC 4180): cells that a spreadsheet would take for a formula begin with an apostrophe."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime

from aiohttp import hdrs, web

from server.wire import rfc3339

Cell = str | int | float | datetime | None
_FORMULA, _CONTROL = "=+-@＝＋－＠", "\t\r\n"


def as_csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """One table with a header; nothing is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> web.Response:
    """The same as a file called `name` (a word of ours, nobody's title)."""
    headers = {hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}.csv"', hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(text=as_csv(header, rows), content_type="text/csv", charset="utf-8", headers=headers)


def _cell(value: Cell) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, str) and (value.lstrip()[:1] in tuple(_FORMULA) or value[:1] in tuple(_CONTROL)):
        return f"'{value}"
    return value
