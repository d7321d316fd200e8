"""One table, as `open` gives it: columns are added, rows appended, and SQL reads it."""

import os
from collections.abc import Iterable, Mapping
from typing import Any, Self

from hivemind_cli.core.errors import ConfigError, WrongValue
from hivemind_cli.memory.database import Database, Params
from hivemind_cli.memory.link import WAIT_S, Link
from hivemind_cli.memory.places import paths_of, place_of
from hivemind_cli.memory.rows import Rows
from hivemind_cli.memory.types import type_of
from hivemind_cli.storage.tables import Type
from hivemind_cli.tables import wire
from hivemind_cli.tables.catalog import ColumnInfo, TableInfo, plain


class Dataset:
    """A table of a workspace. Threads may share it. It is made by its first column or row."""

    def __init__(self, db: Database, table: str) -> None:
        """`open_dataset` makes one."""
        self.db = db
        """The workspace it is in."""
        self.name = plain(table)
        """As SQL says it: `-` and `_` are alike."""

    @property
    def columns(self) -> tuple[ColumnInfo, ...]:
        """In their order; () where the table is still to be made."""
        found = self._table()
        return found.columns if found else ()

    def add_column(self, name: str, type: Type | str) -> None:
        """A new column, None in the rows that are there. Nothing happens where it is there with this type.

        type     types.Text(), types.Embedding(384) ..., or "text", "vector(384)" ...
        raises   WrongValue: the column is there with another type, or no such type
        """
        wanted = type_of(type)
        found = self._table()
        there = next((one for one in found.columns if one.name == plain(name)), None) if found else None
        if there is not None and there.type == wanted:
            return
        if there is not None:
            raise WrongValue(f"{self.name} has a column {there.name} already.", why=f"It is {there.type}.")
        column = wire.shape_to_json(ColumnInfo(name, wanted))
        if found is None:
            self.db._ask("table.create", {"table": self.name, "columns": [column]}, reads=False)
        else:
            self.db._ask("table.add_column", {"table": self.name, "column": column}, reads=False)

    def append(self, rows: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> int:
        """Add one row (a dict of column -> value) or several (dicts); durable when this returns. How many.

        raises   WrongValue, DuplicateKey, UnknownTable (a column), as `Database.ingest`: then none is added
        """
        if isinstance(rows, Mapping):
            self.db.append(self.name, rows)
            return 1
        return self.db.ingest(self.name, rows)

    def query(self, sql: str, params: Params = None) -> Rows:
        """All rows of a SELECT, from this table or any other of the workspace: see `Database.query`."""
        return self.db.query(sql, params)

    def close(self) -> None:
        """End its connections. Idempotent."""
        self.db.close()

    def __len__(self) -> int:
        return int(self.db.query(f'SELECT count(*) AS n FROM "{self.name}"')[0]["n"]) if self._table() else 0

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, workspace={self.db.workspace!r})"

    def _table(self) -> TableInfo | None:
        return next((one for one in self.db.tables() if one.name == self.name), None)


def open_dataset(url: str, *, home: str | os.PathLike[str] | None = None, wait_s: float = WAIT_S) -> Dataset:
    """A table, which need not be there yet. Use it in a `with` block, or `close` it.

    url      "hivemind://my-team/agent-experience": a workspace and a table of it, or
             "postgresql://user@host/database?workspace=my-team&table=agent-experience"
    raises   ConfigError: the URL names no table
    """
    paths = paths_of(home)
    place = place_of(url, paths)
    if not place.table:
        raise ConfigError(
            "The URL names no table.", fix=f"Open hivemind://{place.workspace}/<table>, or `connect` to a workspace."
        )
    return Dataset(Database(Link(paths, wait_s=wait_s), place), place.table)
