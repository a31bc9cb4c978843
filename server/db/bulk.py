"""The rows of a crowd, written by one statement of an unchanging text.

With a list of rows SQLite's driver runs a statement for each, and for each it lets go of the interpreter and takes it
back from a loop that is busy with those very people. There the rows go as one parameter, a JSON list, instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Executable, Function, Table, bindparam, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.sqlite.aiosqlite import dialect as sqlite_dialect

from server.db.database import Work


def elements(parameter: str, count: int) -> list[Function[Any]]:
    """The `count` columns of a parameter that is a JSON list of lists, for a statement on SQLite."""
    value = func.json_each(bindparam(parameter)).table_valued("value").c.value
    return [func.json_extract(value, f"$[{place}]") for place in range(count)]


class BulkInsert:
    """An INSERT into `columns` of a table; with `or_keep` rows that are there already stay as they are."""

    def __init__(self, table: Table, columns: Sequence[str], *, or_keep: bool = False) -> None:
        self._table, self._columns, self._or_keep = table, columns, or_keep
        dialect = sqlite_dialect()
        self._binds = [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in columns]

    async def run(self, work: Work, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write `rows`, each with a value for every column; none is fine. Pending changes of other rows are not flushed
        for it.
        """
        if not rows:
            return
        with work.session.no_autoflush:
            if work.is_sqlite:
                await work.execute(self._by_json, {"rows": self._as_json(rows)})
            else:
                await work.execute(self._by_rows, list(rows))

    def _as_json(self, rows: Sequence[Mapping[str, Any]]) -> str:
        """As the driver would get them; what is JSON itself is a text in here, and stored to the letter."""
        columns = [
            self._bound(bind, [row[name] for row in rows])
            for name, bind in zip(self._columns, self._binds, strict=True)
        ]
        return json.dumps(list(zip(*columns, strict=True)))

    @staticmethod
    def _bound(bind: Callable[[Any], Any] | None, values: list[Any]) -> list[Any]:
        """The column as the driver gets it; neighbors are often the same moment, made a text once."""
        if bind is None:
            return values
        bound, before, made = list[Any](), object(), None
        for value in values:
            if value is not before:
                before, made = value, bind(value)
            bound.append(made)
        return bound

    @cached_property
    def _by_json(self) -> Executable:
        values = select(*elements("rows", len(self._columns))).where(text("true"))
        insert = sqlite.insert(self._table).from_select(list(self._columns), values, include_defaults=False)
        # The condition tells the parser that no join follows (sqlite.org, "UPSERT", "Parsing Ambiguity").
        return insert.on_conflict_do_nothing() if self._or_keep else insert

    @cached_property
    def _by_rows(self) -> Executable:
        insert = postgresql.insert(self._table)
        return insert.on_conflict_do_nothing() if self._or_keep else insert
