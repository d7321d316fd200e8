"""Which tables and branches a workspace has. Schemas belong to the workspace, rows to branches."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from hivemind_cli.core.errors import Forbidden, SQLError, UnknownTable
from hivemind_cli.storage.tables import LOOP_VIEWS as LOOP_VIEWS  # theirs, by this room's name
from hivemind_cli.storage.tables import Kind, Tables, Transaction, Type
from hivemind_cli.tables.layout import BRANCH, DELETED, HIDDEN_PREFIX, ROW, SEQ, UNTIL, quoted

KEPT_MAX = 1000
"""Tables whose definition is kept in memory."""
OWN_NAMES = ("steps", "experiences", "debugging")
"""Tables that hivemind makes in a workspace when they are first used."""
NAME_CHARS_MAX = 63
"""As PostgreSQL's identifiers."""


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """One column of a person's table."""

    name: str
    type: Type
    not_null: bool = False
    default: str = ""
    """SQL of a literal, `now()`, or `serial` for a number of its own; "" for none."""
    embeds: str = ""
    """Of a vector column: the text column it is made of, by hivemind."""
    model: str = ""
    """Of such a column: whose vectors these are."""
    untyped: bool = False
    """Nothing but NULL was ever stored in it: `type` is only a place until a value says."""


@dataclass(frozen=True, slots=True)
class TableInfo:
    """One table of a workspace."""

    workspace: str
    name: str
    number: int
    columns: tuple[ColumnInfo, ...]
    key: tuple[str, ...] = ()
    """Names of the primary key's columns."""
    own: bool = False
    """hivemind's own (steps, experiences): read by SQL, written by its own calls only."""

    @property
    def physical(self) -> str:
        """Its name in the database; `Tables.qualified` says where that is."""
        return f"t_{self.number}"

    def column(self, name: str) -> ColumnInfo:
        """By its name, as `plain` makes it. UnknownTable."""
        wanted = plain(name)
        for one in self.columns:
            if one.name == wanted:
                return one
        raise UnknownTable(
            f"{self.name} has no column {name!r}.", why=f"It has {', '.join(one.name for one in self.columns)}."
        )

    @property
    def names(self) -> list[str]:
        """Of its columns."""
        return [one.name for one in self.columns]


class Catalog:
    """The tables of all workspaces of one database. Any thread; what other machines add is seen at the next call."""

    def __init__(self, engine: Tables) -> None:
        self._engine = engine
        self._kept: dict[tuple[str, str], tuple[int, TableInfo | None]] = {}
        """What was found, and the state of hm_tables then."""

    def tables(self, workspace: str, tx: Transaction | None = None) -> list[TableInfo]:
        """By name; as they are inside `tx`."""
        sql = f"{self._select()} WHERE workspace = $1 ORDER BY name"
        rows = tx.run(sql, [workspace]) if tx is not None else self._engine.read(sql, [workspace]).rows
        return [_table(row) for row in rows]

    def own(self, names: Sequence[str]) -> list[TableInfo]:
        """hivemind's own tables of these names, of all workspaces."""
        found = self._engine.read(
            f"{self._select()} WHERE name IN ({', '.join('$' + str(n + 1) for n in range(len(names)))})", list(names)
        )
        return [table for table in map(_table, found.rows) if table.own]

    def find(self, workspace: str, name: str) -> TableInfo | None:
        """None: there is no such table."""
        key, changes = (workspace, plain(name)), self._engine.changes("hm_tables")
        kept = self._kept.get(key)
        if kept is not None and kept[0] == changes:
            return kept[1]
        rows = self._engine.read(f"{self._select()} WHERE workspace = $1 AND name = $2", key).rows
        found = _table(rows[0]) if rows else None
        if changes is not None:
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            self._kept[key] = (changes, found)
        return found

    def get(self, workspace: str, name: str) -> TableInfo:
        """UnknownTable, with the nearest name."""
        found = self.find(workspace, name)
        if found is None:
            raise unknown_table(name, [one.name for one in self.tables(workspace)])
        return found

    def again(self, tx: Transaction, table: TableInfo) -> TableInfo:
        """The table as it is inside `tx`, where others in line may have changed it a moment ago. UnknownTable."""
        found = self.inside(tx, table.workspace, table.name)
        if found is None:
            raise unknown_table(table.name, [])
        return found

    def inside(self, tx: Transaction, workspace: str, name: str) -> TableInfo | None:
        """As `find`, inside `tx`: another one in line may have made the table a moment ago."""
        found = tx.run(f"{self._select()} WHERE workspace = $1 AND name = $2", [workspace, plain(name)])
        return _table(found[0]) if found else None

    def create(
        self,
        tx: Transaction,
        workspace: str,
        name: str,
        columns: Sequence[ColumnInfo],
        key: Sequence[str] = (),
        *,
        own: bool = False,
    ) -> TableInfo:
        """A new table, inside `tx`. SQLError: the name or a column's is none, or there is one already. Forbidden: it is
        hivemind's own."""
        made = TableInfo(workspace, checked_name(name), tx.numbers(1), tuple(columns), tuple(map(plain, key)), own)
        if not own and made.name in (*OWN_NAMES, *LOOP_VIEWS):
            raise Forbidden(
                f"{made.name} is a name of hivemind's own.",
                why="Its rows mean something to hivemind, in every workspace.",
                fix="Choose another name.",
            )
        names = [checked_name(column.name) for column in columns]
        if not names or len(set(names)) != len(names):
            raise SQLError(f"{name} needs columns, each with a name of its own.")
        if unknown := [one for one in key if plain(one) not in names]:
            raise SQLError(f"The primary key names {unknown[0][:100]!r}, and {name} has no such column.")
        there = f"SELECT 1 FROM {self._engine.qualified('hm_tables')} WHERE workspace = $1 AND name = $2"
        if tx.run(there, [workspace, made.name]):
            raise SQLError(f"There is a table {made.name} already.", fix="Say IF NOT EXISTS, or choose another name.")
        definitions = [f"{quoted(one.name)} {self._engine.type_sql(one.type)}" for one in columns]
        hidden = [f"{one} BIGINT NOT NULL" for one in (SEQ, ROW, BRANCH)] + [f"{UNTIL} BIGINT"]
        hidden.append(f"{DELETED} BOOLEAN NOT NULL DEFAULT FALSE")
        tx.run(f"CREATE TABLE {self._engine.qualified(made.physical)} ({', '.join([*hidden, *definitions])})")
        for columns_sql in _indexed(made) if self._engine.dialect == "postgres" else ():
            tx.run(f"CREATE INDEX ON {self._engine.qualified(made.physical)} {columns_sql}")
        if self._engine.dialect == "duckdb":
            self._index_versions(tx, made)
        tx.run(
            f"INSERT INTO {self._engine.qualified('hm_tables')} (workspace, name, number, definition)"
            " VALUES ($1, $2, $3, $4)",
            [workspace, made.name, made.number, _definition(made)],
        )
        return made

    def change(self, tx: Transaction, table: TableInfo, columns: Sequence[ColumnInfo]) -> TableInfo:
        """The table's columns are these from now on: new ones are added (NULL in all rows), types may be completed."""
        known = {column.name: column for column in table.columns}
        altered = f"ALTER TABLE {self._engine.qualified(table.physical)}"
        other = [one for one in columns if one.name in known and _settled(known[one.name], one)]
        if other and self._engine.dialect == "duckdb":  # which drops no column of a table with an index
            tx.run(f"DROP INDEX {self._engine.qualified(_versions(table))}")
        for column in other:
            tx.run(f"{altered} DROP COLUMN {quoted(column.name)}")
        for column in columns:
            if column.name not in known:
                checked_name(column.name)
            if column.name not in known or column in other:
                tx.run(f"{altered} ADD COLUMN {quoted(column.name)} {self._engine.type_sql(column.type)}")
        if other and self._engine.dialect == "duckdb":
            self._index_versions(tx, table)
        changed = replace(table, columns=tuple(columns))
        tx.run(
            f"UPDATE {self._engine.qualified('hm_tables')} SET definition = $1 WHERE workspace = $2 AND name = $3",
            [_definition(changed), table.workspace, table.name],
        )
        return changed

    def drop(self, tx: Transaction, table: TableInfo) -> None:
        """With all its rows, on every branch."""
        tx.run(f"DROP TABLE {self._engine.qualified(table.physical)}")
        tx.run(
            f"DELETE FROM {self._engine.qualified('hm_tables')} WHERE workspace = $1 AND name = $2",
            [table.workspace, table.name],
        )

    def _index_versions(self, tx: Transaction, table: TableInfo) -> None:
        """Rows are looked up by their versions' numbers: among 100,000 in 1.3 ms instead of 4.5."""
        tx.run(f"CREATE INDEX {quoted(_versions(table))} ON {self._engine.qualified(table.physical)} ({SEQ})")

    def _select(self) -> str:
        return f"SELECT workspace, name, number, definition FROM {self._engine.qualified('hm_tables')}"


def plain(name: str) -> str:
    """A table's or column's name as it is kept: `-` and `_` are alike, and so are letters of either case."""
    return name.replace("-", "_").lower()


def checked_name(name: str) -> str:
    """`plain`, of a name somebody wants to give. SQLError."""
    said = plain(name)
    if not re.fullmatch(r"[^\W\d]\w*", said) or len(said.encode()) > NAME_CHARS_MAX or said.startswith(HIDDEN_PREFIX):
        raise SQLError(
            f"{name[:100]!r} cannot name a table or a column.",
            why=f"A name begins with a letter or _, goes on with letters, digits, _ or -, has {NAME_CHARS_MAX} bytes at"
            f" most, and does not begin with {HIDDEN_PREFIX}.",
        )
    return said


def unknown_table(name: str, known: Sequence[str]) -> UnknownTable:
    """With the nearest name that is there."""
    from difflib import get_close_matches

    if plain(name) in LOOP_VIEWS:
        return UnknownTable(
            f"{plain(name)!r} is not in this database.",
            why="The loop's records are in this machine's own.",
            fix="Ask hivemind://<workspace> for it.",
        )
    near = get_close_matches(plain(name), [*known, *LOOP_VIEWS], 1)
    return UnknownTable(
        f"There is no table {name[:100]!r} in this workspace.",
        why=f"It has {', '.join(known)}." if known else "It has none yet.",
        fix=f"Did you mean {near[0]}?" if near else "`ingest` or CREATE TABLE makes it.",
    )


def _versions(table: TableInfo) -> str:
    """Name of the index of its versions' numbers, in DuckDB."""
    return f"{table.physical}_versions"


def _settled(before: ColumnInfo, after: ColumnInfo) -> bool:
    """A column that never held a value has got its type."""
    return before.untyped and before.type.kind is not after.type.kind


def _indexed(table: TableInfo) -> list[str]:
    """What PostgreSQL must find without reading a table; DuckDB keeps the bounds of each block of rows by itself."""
    key = [f"({', '.join(map(quoted, table.key))})"] if table.key else []
    return [f"({SEQ})", f"({ROW})", f"({BRANCH}) WHERE {BRANCH} <> 0", *key]


def _definition(table: TableInfo) -> str:
    said = {
        "columns": [{**asdict(one), "type": [str(one.type.kind), one.type.dim]} for one in table.columns],
        "key": list(table.key),
        "own": table.own,
    }
    return json.dumps(said)


def _table(row: Sequence[Any]) -> TableInfo:
    workspace, name, number, definition = row
    said = json.loads(definition)
    columns = tuple(
        ColumnInfo(**{**column, "type": Type(Kind(column["type"][0]), int(column["type"][1]))})
        for column in said["columns"]
    )
    return TableInfo(workspace, name, int(number), columns, tuple(said["key"]), bool(said["own"]))
