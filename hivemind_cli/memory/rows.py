"""What a statement gives: rows as dicts, all at once (`Rows`), one by one (`Cursor`), or in batches (`Stream`)."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from hivemind_cli.storage.tables import Result, Type

if TYPE_CHECKING:
    import pandas
    import pyarrow

Row = dict[str, Any]
"""Column -> value: str, int, float, bool, None, aware datetime (UTC), float32 array [dim], or what JSON says."""


class Rows(list[Row]):
    """All rows of a SELECT, a dict each, in the order of the statement."""

    __slots__ = ("names", "types")

    def __init__(self, result: Result) -> None:
        super().__init__(result.dicts())
        self.names: tuple[str, ...] = result.names
        self.types: tuple[Type, ...] = result.types

    def arrow(self) -> "pyarrow.Table":
        """As an Arrow table: vectors as fixed-size lists, JSON as text. ConfigError: pyarrow is not installed."""
        from hivemind_cli.memory.tabular import to_arrow

        return to_arrow(self.names, self.types, self)

    def frame(self) -> "pandas.DataFrame":
        """As a DataFrame: vectors and JSON as objects. ConfigError: pandas is not installed."""
        from hivemind_cli.memory.tabular import to_frame

        return to_frame(self.names, self.types, self)


class Cursor:
    """What `execute` gives: the rows of a SELECT or RETURNING, and how many rows a write changed."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._next = 0
        self.names = rows.names

    @property
    def rowcount(self) -> int:
        """Rows that were written; of a SELECT, rows that were read."""
        if self.names == ("count",) and len(self._rows) == 1:
            return int(self._rows[0]["count"])
        return len(self._rows)

    def fetchone(self) -> Row | None:
        """The next row; None: there is none left."""
        found = self.fetchmany(1)
        return found[0] if found else None

    def fetchmany(self, size: int = 1) -> list[Row]:
        """The next `size` rows, or as many as are left."""
        found = self._rows[self._next : self._next + max(size, 0)]
        self._next += len(found)
        return found

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        return self.fetchmany(len(self._rows))

    def __iter__(self) -> Iterator[Row]:
        while (row := self.fetchone()) is not None:
            yield row

    def __repr__(self) -> str:
        return f"Cursor({len(self._rows)} rows of {', '.join(self.names)})"


class Stream:
    """The rows of a SELECT in bounded memory, as the database was when it began. One thread, once through.

    Iterate over it for dicts, over `batches()` for `Rows`. Leaving the `with` block ends it; so does its last row.
    """

    def __init__(self, begin: Callable[[], Iterator[Result]]) -> None:
        self._begin = begin
        self._parts: Iterator[Result] | None = None

    def batches(self) -> Iterator[Rows]:
        """`batch_rows` rows at a time, and the rest."""
        if self._parts is None:
            self._parts = self._begin()
        for part in self._parts:
            yield Rows(part)

    def __iter__(self) -> Iterator[Row]:
        for batch in self.batches():
            yield from batch

    def close(self) -> None:
        """Let the database go. Idempotent."""
        end = getattr(self._parts, "close", None)
        if end is not None:
            end()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
