"""Rows by the numbers of their versions, as a SELECT of ours gives them; kept while nothing is written to their table.

An agent asks the same memory again and again between two writes, and a database takes 2 ms to look up ten rows. A small
table is fetched whole; of a large one what was asked for. A version never changes: after a write the engine is asked
which are seen now, and for the rows of new ones. `Tables.changes` says whether there was a write.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hivemind_cli.storage.tables import Kind, Tables, Type
from hivemind_cli.tables.catalog import TableInfo
from hivemind_cli.tables.layout import HIDDEN, SEQ, quoted

WHOLE_MAX = 20_000
"""Rows of a table that is fetched whole: in 20 ms, and which of them are seen after a write in 1 ms."""
CHARS_MAX = 16_000_000
"""Of all rows that are kept, each counting as ROW_CHARS more than its texts; half of it may be one table's."""
ROW_CHARS = 200
GROWN = 1.5
"""With so many times as many rows as are seen, those that are not are forgotten."""
_CHANGING = {Kind.JSON, Kind.VECTOR}
"""Values that whoever gets them could change: never kept."""

Row = tuple[Any, ...]
Rows = dict[int, Row | None]
"""None: that version is not seen."""


@dataclass(frozen=True, slots=True)
class Fetching:
    """SQL of the rows that a branch sees, each with its number before it."""

    every: str
    some: str
    """Of those whose numbers are in the array $1."""
    numbers: str
    """The numbers alone."""
    size: str
    """How many rows, and how much text."""
    kept: bool
    """May its rows be kept?"""
    found: tuple[str, str] | None = None
    """What stands before and after the numbers, where they can be looked up in the index of versions."""

    @classmethod
    def of(
        cls, table: TableInfo, visible: str, names: Sequence[str], plain: tuple[str, str] | None = None
    ) -> "Fetching":
        """Of some columns of a SELECT in DuckDB's SQL.

        plain   the table and the condition where `visible` is a look at one table. DuckDB uses an index only without
                any other condition: a look at ten rows of 100,000 takes 1 ms then, and 6 ms else
        """
        rows = f"FROM ({visible}) AS hm_rows"
        every = f"SELECT {', '.join([SEQ, *map(quoted, names)])} {rows}"
        kinds = {name: table.column(name).type.kind for name in names}
        texts = [f"coalesce(sum(strlen({quoted(name)})), 0)" for name, kind in kinds.items() if kind is Kind.TEXT]
        return cls(
            every,
            f"{every} WHERE {SEQ} IN (SELECT unnest($1::BIGINT[]))",
            f"SELECT {SEQ} {rows}",
            f"SELECT count(*), {' + '.join(texts) or '0'} {rows}",
            not _CHANGING.intersection(kinds.values()),
            None
            if plain is None
            else (
                f"WITH hm_found AS MATERIALIZED (SELECT {', '.join([*HIDDEN, *map(quoted, names)])}"
                f" FROM {plain[0]} WHERE {SEQ} IN (",
                f")) SELECT {', '.join([SEQ, *map(quoted, names)])} FROM hm_found WHERE {plain[1]}",
            ),
        )

    def by(self, numbers: Sequence[int]) -> tuple[str, list[Any]]:
        """The statement for some numbers, and its values."""
        if self.found is None or not numbers:
            return self.some, [list(numbers)]
        return ", ".join(str(int(number)) for number in numbers).join(self.found), []


@dataclass(slots=True)
class _Kept:
    """Of one SELECT. Never changed once others can see it, but for more rows."""

    changes: int | None
    types: tuple[Type, ...] = ()
    rows: Rows = field(default_factory=dict)
    """Where `seen` is known: of any moment, shared with what was kept before."""
    seen: set[int] | None = None
    """All numbers that are seen; None: there are many, and `rows` says which are not."""
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

    def rows(self, table: TableInfo, sql: Fetching, numbers: Sequence[int]) -> tuple[tuple[Type, ...], dict[int, Row]]:
        """Types of the columns, and those of the rows that are seen."""
        changes = self._engine.changes(table.physical)
        if changes is None or not sql.kept:
            return self._read(*sql.by(numbers))
        with self._lock:
            kept = self._kept.get(sql.some)
        if kept is None or kept.changes != changes:
            kept = self._followed(sql, kept, changes)
        found = self._known(kept, numbers)
        missing = [number for number in numbers if number not in found]
        if missing or not kept.types:
            types, rows = self._read(*sql.by(missing))
            gone: Rows = {} if kept.seen is not None else dict.fromkeys(missing)
            self._keep(sql, kept, types, gone | rows)
            found |= rows
        if changes != self._engine.changes(table.physical):  # all are of one moment
            return self._read(*sql.by(numbers))
        return kept.types, {number: row for number, row in found.items() if row is not None}

    def _known(self, kept: _Kept, numbers: Sequence[int]) -> Rows:
        with self._lock:
            found = {number: kept.rows[number] for number in numbers if number in kept.rows}
        hidden = [] if kept.seen is None else [number for number in numbers if number not in kept.seen]
        return found | dict.fromkeys(hidden)

    def _followed(self, sql: Fetching, old: _Kept | None, changes: int) -> _Kept:
        """What is known now that the table was written, or is asked for the first time."""
        kept = _Kept(changes)
        if old is None:
            count, chars = self._engine.read(sql.size).rows[0]
            small = count <= WHOLE_MAX and count * ROW_CHARS + chars <= CHARS_MAX // 2
            types, rows = self._read(sql.every) if small else ((), {})
            kept.seen = set(rows) if small else None
            self._keep(sql, kept, types, rows)
            return kept
        left: Rows = {}
        if old.seen is not None:
            seen = set(self._engine.arrays(sql.numbers)[SEQ].tolist())
            kept.seen = seen if len(seen) <= WHOLE_MAX else None
            with self._lock:
                if kept.seen is None or len(old.rows) > GROWN * len(seen) + 100:
                    left = {number: row for number, row in old.rows.items() if number in seen}
                else:
                    kept.rows, kept.chars = old.rows, old.chars
        self._keep(sql, kept, old.types, left)
        return kept

    def _read(self, sql: str, values: Sequence[Any] = ()) -> tuple[tuple[Type, ...], dict[int, Row]]:
        result = self._engine.read(sql, values)
        return result.types[1:], {row[0]: row[1:] for row in result.rows}

    def _keep(self, sql: Fetching, kept: _Kept, types: tuple[Type, ...], rows: "Rows | dict[int, Row]") -> None:
        with self._lock:
            kept.types = types
            kept.rows |= rows
            kept.chars += sum(ROW_CHARS + sum(map(_chars, row or ())) for row in rows.values())
            self._kept[sql.some] = kept
            self._kept.move_to_end(sql.some)
            while self._kept and sum(one.chars for one in self._kept.values()) > CHARS_MAX:
                self._kept.popitem(last=False)


def _chars(value: Any) -> int:
    return len(value) if isinstance(value, str) else 0
