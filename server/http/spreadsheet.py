"""Tables for spreadsheets (RFC 4180): what a spreadsheet would take for a formula has an apostrophe before it.

Also in the middle of a cell: where the system's list separator is a semicolon, a spreadsheet parts the cells there.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from aiohttp import hdrs, web

from server.wire import rfc3339

Cell = str | int | float | datetime | None
_FORMULA, _CONTROL = "=+-@＝＋－＠", "\t\r\n"
_INSIDE = re.compile(rf"([;{_CONTROL}]\s*)(?=[{re.escape(_FORMULA)}])")


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
    return _harmless(value) if isinstance(value, str) else value


def _harmless(text: str) -> str:
    begins = text[:1] if text[:1] in tuple(_CONTROL) else ""
    is_formula = begins or text.lstrip()[:1] in tuple(_FORMULA)
    return ("'" if is_formula else "") + begins + _INSIDE.sub(r"\1'", text[len(begins) :])
