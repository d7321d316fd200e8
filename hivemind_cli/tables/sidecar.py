"""The indexes of a table's columns: the words of its texts, and its vectors. Derived: any of it can be made again.

Made when a column is first asked for, and caught up with the table before each answer, so that a query sees its own
writes. All versions of the rows of all branches are in one index, by their numbers (_hm_seq); which of them are seen is
for the join to decide, and so nothing here is ever updated.
"""

import hashlib
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hivemind_cli.index.columns import TextColumn, VectorColumn
from hivemind_cli.index.inverted import Scores
from hivemind_cli.storage.tables import Tables
from hivemind_cli.tables.catalog import ColumnInfo, TableInfo
from hivemind_cli.tables.fetched import Fetched
from hivemind_cli.tables.layout import DELETED, SEQ, UNTIL, quoted

FEW = 1_000
"""Rows that are fetched by the query that asks whether there are any."""
PAGE, PAGE_BYTES = 20_000, 16_000_000
"""Rows fetched at a time, at most, and as near as their lengths can be told beforehand."""
SUPERSEDED_SHARE, SUPERSEDED_MIN = 0.3, 5_000
"""Versions that nobody can see any more, of those in an index, at which it is made anew without them."""
GROWN = 1.25
"""They are counted each time an index has grown so much."""
NEVER = (1 << 63) - 1
_NO_VECTORS = np.zeros((0, 0), np.float32)


class Sidecars:
    """Of all tables of one database. Any thread."""

    def __init__(self, engine: Tables, folder: Path) -> None:
        """`folder` is shared by all databases, each having its part of it."""
        self.engine = engine
        database = hashlib.blake2b(engine.url.encode(), digest_size=6).hexdigest()
        self.folder = folder if engine.dialect == "duckdb" else folder / database
        self.fetched = Fetched(engine)
        self._sidecars: dict[int, Sidecar] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Sidecars({str(self.folder)!r})"

    def of(self, table: TableInfo) -> "Sidecar":
        """Of one table."""
        with self._lock:
            found = self._sidecars.get(table.number)
            if found is None:
                found = self._sidecars[table.number] = Sidecar(self.engine, table, self.folder / table.physical)
            return found

    def forget(self, table: TableInfo) -> None:
        """The table is gone, or rows of it are gone for good: its files go, and are made again when asked for."""
        self.of(table).forget()

    def close(self) -> None:
        """Let go of the files. Idempotent."""
        with self._lock:
            self._sidecars.clear()


class Sidecar:
    """Of one table."""

    def __init__(self, engine: Tables, table: TableInfo, folder: Path) -> None:
        self._engine, self._table, self._folder = engine, table, folder
        self._columns: dict[str, _Followed] = {}
        self._lock = threading.Lock()

    def scores(self, column: ColumnInfo, query: str) -> Scores:
        """BM25 of all versions whose text has a word of `query`, by number."""
        index = self._followed(column)
        assert isinstance(index, TextColumn)
        return index.scores(query)

    def best(self, column: ColumnInfo, query: str, count: int, allowed: "NDArray[np.int64] | None" = None) -> Scores:
        """Of some of these, the `count` highest among them; of those `allowed` (ascending) alone."""
        index = self._followed(column)
        assert isinstance(index, TextColumn)
        return index.best(query, count, allowed)

    def vectors(self, column: ColumnInfo) -> VectorColumn:
        """The vectors of all versions, by number."""
        index = self._followed(column)
        assert isinstance(index, VectorColumn)
        return index

    def cursor(self, column: ColumnInfo) -> int:
        """Up to which number its index has followed the table."""
        return self._followed(column).cursor

    def count(self, column: ColumnInfo) -> int:
        """Versions that have a value."""
        return len(self._followed(column))

    def forget(self) -> None:
        """Begin anew: whoever asks an index at this moment still reads it, and nobody writes to its files any more."""
        with self._lock:
            self._columns.clear()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _followed(self, column: ColumnInfo) -> TextColumn | VectorColumn:
        """Its index, with every version that was committed before the call."""
        with self._lock:
            found = self._columns.get(column.name)
            if found is None or (found.dim, found.model) != (column.type.dim, column.model):
                found = _Followed(self._engine, self._table, column, self._folder)
                self._columns[column.name] = found
            found.catch_up()
            return found.index


class _Followed:
    """A column's index and how far it has followed the table. One thread at a time follows; any may ask the index."""

    def __init__(self, engine: Tables, table: TableInfo, column: ColumnInfo, folder: Path) -> None:
        self.dim, self.model = column.type.dim, column.model
        self._engine, self._workspace = engine, table.workspace
        self._physical, self._name = engine.qualified(table.physical), quoted(column.name)
        self._of = f"{engine.url} {table.workspace} {table.name} {table.number} {column.name} {column.model}"
        self._folder = folder / f"{'vectors' if self.dim else 'words'}-{column.name}"
        self.index = self._opened()
        self._table = table.physical
        self._changes: int | None = None
        """Of the table, at the last look."""
        self._counted = 0
        """Rows of the index when its superseded ones were last counted."""
        if self.index.cursor and self._count("TRUE", [self.index.cursor]) != len(self.index) + self.index.left_out:
            self.index.clear()  # the table no longer has these rows, or another database was put in its place

    def catch_up(self) -> None:
        """Add what came since; make it anew if much of it is superseded."""
        changes = self._engine.changes(self._table)
        if changes is not None and changes == self._changes:
            return
        if not self.index.cursor or not self._add_few():
            self._add_many(self.index)
        if len(self.index) > max(SUPERSEDED_MIN, GROWN * self._counted):
            self._compact()
        self._changes = changes

    def _opened(self) -> TextColumn | VectorColumn:
        if self.dim:
            return VectorColumn(self._folder, self._of, self.dim)
        return TextColumn(self._folder, self._of)

    def _add_few(self) -> bool:
        """Are those all?"""
        found = self._fetched(f"{SEQ} > $1", [self.index.cursor])
        if len(found[SEQ]) >= FEW:
            return False
        if len(found[SEQ]):
            _add(self.index, found, int(found[SEQ][-1]))
        return True

    def _add_many(self, index: TextColumn | VectorColumn, horizon: int | None = None) -> None:
        """All from the cursor on, a page at a time; not what was superseded by the number `horizon`."""
        numbers = self._engine.arrays(
            f"SELECT {SEQ} FROM {self._physical} WHERE {SEQ} > $1 ORDER BY {SEQ}", [index.cursor]
        )[SEQ]
        rows = min(FEW, PAGE)
        while len(numbers):
            page, numbers = numbers[:rows], numbers[rows:]
            where, values = f"{SEQ} >= $1 AND {SEQ} <= $2", [int(page[0]), int(page[-1])]
            if horizon is not None:
                where, values = f"{where} AND ({UNTIL} IS NULL OR {UNTIL} > $3)", [*values, horizon]
            found = self._fetched(where, values, len(page))
            _add(index, found, int(page[-1]))
            rows = _page(found, self.dim)

    def _fetched(self, where: str, values: list[int], limit: int = FEW) -> "dict[str, NDArray[Any]]":
        """Versions in the order of their numbers; tombstones have no value."""
        return self._engine.arrays(
            f"SELECT {SEQ}, CASE WHEN {DELETED} THEN NULL ELSE {self._name} END AS value FROM {self._physical}"
            f" WHERE {where} ORDER BY {SEQ} LIMIT {limit}",
            values,
        )

    def _compact(self) -> None:
        """Aside, since others may be asking the index that is there."""
        horizon = self._horizon()
        gone = self._count(f"{UNTIL} <= $2", [self.index.cursor, horizon]) - self.index.left_out
        if gone > SUPERSEDED_SHARE * len(self.index):
            fresh = self._opened()
            fresh.clear()
            self._add_many(fresh, horizon)
            fresh.left_out = self._count("TRUE", [fresh.cursor]) - len(fresh)
            fresh.save()
            self.index = fresh
        self._counted = len(self.index)

    def _horizon(self) -> int:
        """The number at which the oldest branch left its parent: what was superseded by then, nobody sees."""
        found = self._engine.read(
            f"SELECT min(fork_seq) FROM {self._engine.qualified('hm_branches')} WHERE workspace = $1 AND NOT deleted",
            [self._workspace],
        ).rows[0][0]
        return NEVER if found is None else int(found)

    def _count(self, where: str, values: list[int]) -> int:
        """Versions up to the number $1 that have a value."""
        found = self._engine.read(
            f"SELECT count({self._name}) FROM {self._physical} WHERE {SEQ} <= $1 AND NOT {DELETED} AND {where}", values
        )
        return int(found.rows[0][0])


def _page(found: "dict[str, NDArray[Any]]", dim: int) -> int:
    """How many rows to fetch next, these being like them."""
    values = found["value"]
    held = values[~np.ma.getmaskarray(values)]
    size = 4 * dim * len(held) if dim else sum(len(text) for text in held)
    return max(1, min(PAGE, PAGE_BYTES * len(values) // size)) if size else PAGE


def _add(index: TextColumn | VectorColumn, found: "dict[str, NDArray[Any]]", cursor: int) -> None:
    """Versions with a value; `cursor` is the last one's number."""
    values = found["value"]
    there = ~np.ma.getmaskarray(values)
    numbers, values = np.asarray(found[SEQ])[there].astype(np.int64), np.asarray(values)[there]
    if isinstance(index, TextColumn):
        index.add(numbers, [str(one) for one in values], cursor)
    else:
        vectors = np.stack([np.asarray(one, np.float32) for one in values]) if len(values) else _NO_VECTORS
        index.add(numbers, vectors, cursor)
