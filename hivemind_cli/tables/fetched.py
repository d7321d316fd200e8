"""Rows by the numbers of their versions, as a SELECT of ours gives them; kept while nothing is written to their table.

An agent asks the same memory again and again between two writes, and a database takes 2 ms to look up ten rows. What is
kept are answers of the engine, for as long as it would give the same ones: `Tables.changes` says so.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hivemind_cli.storage.tables import Kind, Tables, Type
from hivemind_cli.tables.catalog import TableInfo
from hivemind_cli.tables.layout import SEQ, quoted

CHARS_MAX = 8_000_000
"""Of all rows that are kept, each counting as ROW_CHARS more than its texts."""
ROW_CHARS = 200
_CHANGING = {Kind.JSON, Kind.VECTOR}
"""Values that whoever gets them could change: never kept."""

Row = tuple[Any, ...]


@dataclass(slots=True)
class _Kept:
    """Of one SELECT."""

    changes: int
    types: tuple[Type, ...] = ()
    rows: dict[int, Row | None] = field(default_factory=dict)
    """None: the branch does not see that version."""
    chars: int = 0


class Fetched:
    """Of all tables of one database. Any thread."""

    def __init__(self, engine: Tables) -> None:
        self._engine = engine
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Fetched({self._engine!r})"

    def __len__(self) -> int:
        """SELECTs of which rows are kept."""
        return len(self._kept)

    def rows(self, table: TableInfo, sql: str, numbers: Sequence[int]) -> tuple[tuple[Type, ...], dict[int, Row]]:
        """Types of the columns, and those of the rows that are seen.

        sql     SELECT of _hm_seq and the columns, of rows whose numbers are in the array $1
        """
        changes = self._engine.changes(table.physical)
        with self._lock:
            kept = self._kept.get(sql)
            if kept is None or kept.changes != changes:
                kept = _Kept(-1 if changes is None else changes)
            found = {number: kept.rows[number] for number in numbers if number in kept.rows}
        missing = [number for number in numbers if number not in found]
        types = kept.types
        if missing:
            types, rows = self._read(sql, missing)
            if changes != self._engine.changes(table.physical):  # of one moment, all of them
                found, (types, rows) = {}, self._read(sql, numbers)
            elif changes is not None and not any(type.kind in _CHANGING for type in types):
                self._keep(sql, kept, types, rows)
            found |= rows
        return types, {number: row for number, row in found.items() if row is not None}

    def _read(self, sql: str, numbers: Sequence[int]) -> tuple[tuple[Type, ...], dict[int, Row | None]]:
        result = self._engine.read(sql, [list(numbers)])
        there = {row[0]: row[1:] for row in result.rows}
        return result.types[1:], {number: there.get(number) for number in numbers}

    def _keep(self, sql: str, kept: _Kept, types: tuple[Type, ...], rows: dict[int, Row | None]) -> None:
        with self._lock:
            kept.types = types
            kept.rows |= rows
            kept.chars += sum(ROW_CHARS + sum(map(_chars, row or ())) for row in rows.values())
            self._kept[sql] = kept
            self._kept.move_to_end(sql)
            while self._kept and sum(one.chars for one in self._kept.values()) > CHARS_MAX:
                self._kept.popitem(last=False)


def fetching(visible: str, names: Sequence[str]) -> str:
    """The SQL for `Fetched.rows`, of rows that a SELECT in DuckDB's SQL gives."""
    chosen = ", ".join([SEQ, *(quoted(name) for name in names)])
    return f"SELECT {chosen} FROM ({visible}) AS hm_rows WHERE {SEQ} IN (SELECT unnest($1::BIGINT[]))"


def _chars(value: Any) -> int:
    return len(value) if isinstance(value, str) else 0
