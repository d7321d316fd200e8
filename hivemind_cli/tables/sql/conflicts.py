"""INSERT ... ON CONFLICT with the primary key: DO NOTHING, DO UPDATE."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlglot import exp

from hivemind_cli.core.errors import SQLError
from hivemind_cli.storage.tables import Transaction
from hivemind_cli.tables import writing
from hivemind_cli.tables.catalog import TableInfo, plain
from hivemind_cli.tables.layout import ROW, quoted, visible
from hivemind_cli.tables.scene import Scene
from hivemind_cli.tables.sql import changes
from hivemind_cli.tables.sql.constants import Default
from hivemind_cli.tables.sql.rewrite import Same, read
from hivemind_cli.tables.sql.statement import Statement

_KEYS_AT_ONCE = 200
Key = tuple[Any, ...]
Rows = list[list[Any]]


def parted(
    statement: Statement, scene: Scene, tx: Transaction, table: TableInfo, names: Sequence[str], rows: Rows
) -> tuple[Rows, int]:
    """The rows still to be inserted, and how many of those that are there were changed. SQLError."""
    clause = statement.tree.args["conflict"]
    updates = _updates(clause, table)
    if not table.key or any(name not in names for name in table.key):
        return rows, 0
    infos = [table.column(name) for name in table.key]
    places = [list(names).index(name) for name in table.key]
    new: Rows = []
    met: list[tuple[Key, list[Any]]] = []
    seen: set[Key] = set()
    keyed = [(_key(table, infos, [row[at] for at in places]), row) for row in rows]
    there = _there(scene, tx, table, [key for key, _ in keyed if key is not None])
    for key, row in keyed:
        if key is None:
            new.append(row)
        elif key in seen:
            if updates:
                raise SQLError("Two rows of one INSERT have the same key.", why="DO UPDATE would change a row twice.")
        else:
            seen.add(key)
            (met if key in there else new).append((key, row) if key in there else row)  # type: ignore[arg-type]
    changed = 0
    for key, row in met if updates else ():
        changed += _update(statement, scene, tx, table, names, row, there[key])
    return new, changed


def _updates(clause: exp.Expr, table: TableInfo) -> bool:
    """DO UPDATE, and not DO NOTHING. SQLError: it is about something else than the primary key."""
    action = clause.args["action"].name.upper() if clause.args.get("action") else ""
    unknown = [
        name
        for name, value in clause.args.items()
        if value and name not in ("action", "conflict_keys", "expressions", "where")
    ]
    if unknown or action not in ("DO NOTHING", "DO UPDATE"):
        raise SQLError("ON CONFLICT (columns) DO NOTHING or DO UPDATE SET is all that can be said here.")
    named = [
        plain(one.this.name if isinstance(one, exp.Ordered) else one.name)
        for one in clause.args.get("conflict_keys") or ()
    ]
    if (named or action == "DO UPDATE") and set(named) != set(table.key):
        raise SQLError(
            f"ON CONFLICT names ({', '.join(named)[:200]}), which is not {table.name}'s primary key.",
            why=f"It is ({', '.join(table.key)})." if table.key else "It has none.",
        )
    return action == "DO UPDATE"


def _key(table: TableInfo, infos: Sequence[Any], values: Sequence[Any]) -> Key | None:
    """None: it is made by a default, or has a NULL, which is refused later."""
    if any(value is None or isinstance(value, Default) for value in values):
        return None
    return tuple(writing.one(table.name, info, value) for info, value in zip(infos, values, strict=True))


def _there(scene: Scene, tx: Transaction, table: TableInfo, keys: Sequence[Key]) -> dict[Key, int]:
    """Keys of rows the branch sees -> the row's number."""
    found: dict[Key, int] = {}
    seen = visible(scene.engine.qualified(table.physical), table.key, scene.lineage)
    names = ", ".join(f"hm_v.{quoted(name)}" for name in table.key)
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        values: list[Any] = []
        either = []
        for key in keys[start : start + _KEYS_AT_ONCE]:
            both = []
            for name, value in zip(table.key, key, strict=True):
                values.append(value)
                both.append(f"hm_v.{quoted(name)} = ${len(values)}")
            either.append(" AND ".join(both))
        sql = f"SELECT {names}, hm_v.{ROW} FROM ({seen}) AS hm_v WHERE ({') OR ('.join(either)})"
        found |= {tuple(row[:-1]): int(row[-1]) for row in tx.run(sql, values)}
    return found


@lru_cache(maxsize=128)
def _select_of_update(kept: Same, names: tuple[str, ...], given: int) -> exp.Select:
    """SELECT of what a row that is there is set to; what the new one holds (`excluded`) stands as parameters."""
    tree = kept.tree
    clause = tree.args["conflict"]
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    select = exp.select(*(exp.alias_(one.expression.copy(), f"c{at}") for at, one in enumerate(clause.expressions)))
    select = select.from_(target.copy())
    if clause.args.get("where") is not None:
        select = select.where(clause.args["where"].this.copy())
    for column in list(select.find_all(exp.Column)):
        if column.table.lower() != "excluded":
            continue
        name = plain(column.name)
        known = name in names
        made = exp.Parameter(this=exp.Literal.number(given + names.index(name) + 1)) if known else exp.Null()
        column.replace(made)
    return select


def _update(
    statement: Statement,
    scene: Scene,
    tx: Transaction,
    table: TableInfo,
    names: Sequence[str],
    row: Sequence[Any],
    number: int,
) -> int:
    infos = changes.set_columns(statement.tree.args["conflict"].expressions, table)
    select = _select_of_update(Same(statement.tree), tuple(names), len(statement.values))
    given = statement.values + tuple(None if isinstance(value, Default) else value for value in row)
    both = replace(statement, reads=statement.reads | statement.writes, values=given)
    reading = read(select, both, scene)
    alias = reading.tree.args["from_"].this.alias
    this_row = exp.EQ(this=exp.column(ROW, alias, quoted=True), expression=exp.Literal.number(number))
    tree = reading.tree
    assert isinstance(tree, exp.Select)
    return changes.change_rows(tree.where(this_row), reading.values, infos, scene, tx, table)
