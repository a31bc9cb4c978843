"""Questions that are always the same and asked by crowds: compiled once, and on SQLite all answered in one visit.

What a session and a transaction cost for such a question is more than its answer does. A list of ids is one parameter
here, so that the text of a question never changes. Nothing is locked, and each question sees for itself what is
committed. Rows are tuples of what the columns' types make of them.

SQLite's driver lets go of the interpreter for every row, and takes it back from a loop that is busy with those very
people: so all rows come as one, as JSON. That fits numbers, texts and times; no bytes.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, CompoundSelect, Dialect, Select, any_, bindparam, func, select
from sqlalchemy.dialects.sqlite.aiosqlite import dialect as sqlite_dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

NO_TRANSACTION = {"lectern_without_transaction": True}  # an execution option of SQLite's read connections
AUTOCOMMIT = {"isolation_level": "AUTOCOMMIT"}
Statement = Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]]
Among = Callable[[Any, str], ColumnElement[bool]]  # whether a column is one of the ids in the named list
Asked = tuple["Question", Mapping[str, Any]]
Row = Sequence[Any]
_Bind = tuple[str, Callable[[Any], Any] | None]


class Question:
    """A SELECT without entities; `build` is given `among` and names each other parameter with bindparam()."""

    def __init__(self, build: Callable[[Among], Statement]) -> None:
        self._build = build

    @cached_property
    def by_array(self) -> Statement:
        """As PostgreSQL reads it, to be executed by SQLAlchemy."""
        return self._build(lambda column, name: column == any_(bindparam(name, type_=ARRAY(BigInteger))))

    @cached_property
    def by_json(self) -> Compiled:
        """As SQLite reads it, to be executed by its driver."""
        lists: set[str] = set()

        def among(column: Any, name: str) -> ColumnElement[bool]:
            lists.add(name)
            ids: ColumnElement[bool] = column.in_(select(func.json_each(bindparam(name)).table_valued("value").c.value))
            return ids

        return Compiled.of(self._build(among), sqlite_dialect(), lists)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement's text with the steps from given parameters to the driver's, and from its rows to ours."""

    text: str
    binds: tuple[_Bind, ...]
    given: Mapping[str, Any]  # what the statement itself holds
    made: tuple[tuple[int, Callable[[Any], Any]], ...]  # columns that the driver gives otherwise

    @classmethod
    def of(cls, statement: Statement, dialect: Dialect, lists: Collection[str]) -> Compiled:
        compiled = statement.compile(dialect=dialect)
        names = compiled.positiontup or ()
        types = {name: bind.type for name, bind in compiled.binds.items()}
        binds = tuple(
            (name, json.dumps if name in lists else types[name].dialect_impl(dialect).bind_processor(dialect))
            for name in names
        )
        made = (
            (place, column.type.dialect_impl(dialect).result_processor(dialect, None))
            for place, column in enumerate(statement.selected_columns)
        )
        columns = ", ".join(f'"{place}"' for place in range(len(statement.selected_columns)))
        text = f"WITH found({columns}) AS ({compiled}) SELECT json_group_array(json_array({columns})) FROM found"  # noqa: S608  # ours alone
        return cls(text, binds, dict(compiled.params), tuple((p, make) for p, make in made if make))

    def parameters(self, given: Mapping[str, Any]) -> list[Any]:
        values = [(given[name] if name in given else self.given[name], process) for name, process in self.binds]
        return [value if process is None else process(value) for value, process in values]

    def rows(self, found: str) -> Sequence[Row]:
        rows: list[list[Any]] = json.loads(found)
        for place, make in self.made:
            for row in rows:
                row[place] = make(row[place])
        return [tuple(row) for row in rows]


class Glances:
    """Asks on a connection of the reading engine; on SQLite it keeps one."""

    def __init__(self, engine: AsyncEngine, *, is_sqlite: bool) -> None:
        self._engine = engine.execution_options(**(NO_TRANSACTION if is_sqlite else AUTOCOMMIT))
        self._is_sqlite = is_sqlite
        self._kept: AsyncConnection | None = None
        self._keeping = asyncio.Lock()

    async def ask(self, asked: Sequence[Asked]) -> list[Sequence[Row]]:
        """The rows of each question, in order. Raises what the driver or SQLAlchemy raise."""
        if not self._is_sqlite:
            async with self._engine.connect() as connection:
                return [(await connection.execute(it.by_array, {**given})).all() for it, given in asked]
        driver: Any = (await (await self._keep()).get_raw_connection()).dbapi_connection  # one_hop.Connection
        compiled = [it.by_json for it, _ in asked]
        texts = [(it.text, it.parameters(given)) for it, (_, given) in zip(compiled, asked, strict=True)]
        found = await driver.in_thread(_found, texts)
        return [it.rows(rows) for it, rows in zip(compiled, found, strict=True)]

    async def _keep(self) -> AsyncConnection:
        if self._kept is None:
            async with self._keeping:
                self._kept = self._kept or await self._engine.connect()
        return self._kept

    async def close(self) -> None:
        """Twice is fine; the next question opens it again."""
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept.close()


def _found(connection: sqlite3.Connection, texts: Sequence[tuple[str, Sequence[Any]]]) -> list[str]:
    return [connection.execute(text, values).fetchone()[0] for text, values in texts]
