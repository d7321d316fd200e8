"""INSERT, UPDATE and DELETE on one of the workspace's own tables, as one branch sees it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlglot import exp

from hivemind_cli.core.errors import SQLError
from hivemind_cli.storage.tables import Kind, Result, Transaction, Type
from hivemind_cli.tables import writing
from hivemind_cli.tables.catalog import TableInfo
from hivemind_cli.tables.inference import type_of
from hivemind_cli.tables.layout import SEQ
from hivemind_cli.tables.scene import Scene
from hivemind_cli.tables.sql import changes, conflicts
from hivemind_cli.tables.sql.constants import Cell, Default, Expression, cell, column_value
from hivemind_cli.tables.sql.ddl import own_table
from hivemind_cli.tables.sql.dialect import render
from hivemind_cli.tables.sql.rewrite import Same, bind, own_workspace, read
from hivemind_cli.tables.sql.statement import Kind as StatementKind
from hivemind_cli.tables.sql.statement import Statement

ROWS_MAX = 1_000_000
"""Of one INSERT ... SELECT, which pass through this process to be checked."""
Rows = list[list[Any]]


def write(statement: Statement, scene: Scene, tx: Transaction) -> int | Result:
    """Run it inside `tx`; how many rows were written, or what RETURNING says of them. Every error: nothing was."""
    own_workspace(statement, scene)
    (name,) = statement.writes
    table = own_table(name, scene)
    returning = statement.tree.args.get("returning")
    if returning is None:
        return _written(statement, scene, tx, table)
    if returning.args.get("into"):
        raise SQLError("RETURNING names columns alone.")
    select = _returning(Same(statement.tree))
    if statement.kind is StatementKind.DELETE:
        found = _returned(select, None, statement, scene, tx, table)
        _written(statement, scene, tx, table)
        return found
    before = tx.numbers(1)
    _written(statement, scene, tx, table)
    return _returned(select, before, statement, scene, tx, own_table(name, scene))


def _written(statement: Statement, scene: Scene, tx: Transaction, table: TableInfo) -> int:
    if statement.kind is StatementKind.INSERT:
        return _insert(statement, scene, tx, table)
    _only(statement.tree, "this", "where", "expressions", "returning")
    return changes.change(statement, scene, tx, table)


@lru_cache(maxsize=128)
def _returning(kept: Same) -> exp.Select:
    """SELECT of what RETURNING names; of a DELETE, from the rows that will go."""
    tree = kept.tree
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    select = exp.select(*(one.copy() for one in tree.args["returning"].expressions)).from_(target.copy())
    where = tree.args.get("where") if isinstance(tree, exp.Delete) else None
    return select.where(where.this.copy()) if where is not None else select


def _returned(
    select: exp.Select, before: int | None, statement: Statement, scene: Scene, tx: Transaction, table: TableInfo
) -> Result:
    """Of the rows written since number `before`; None: of those that `select` finds."""
    reading = read(select, replace(statement, reads=statement.reads | statement.writes), scene)
    tree = reading.tree
    assert isinstance(tree, exp.Select)
    if before is not None:
        alias = tree.args["from_"].this.alias
        tree = tree.where(exp.GT(this=exp.column(SEQ, alias, quoted=True), expression=exp.Literal.number(before)))
    rows = _run(tree, reading.values, scene, tx)
    names = tuple(one.alias_or_name for one in tree.selects)
    types = []
    for at, (name, one) in enumerate(zip(names, tree.selects, strict=True)):
        said = one.unalias()
        known = table.column(said.name).type if isinstance(said, exp.Column) and said.name in table.names else None
        types.append(known or type_of(name, [row[at] for row in rows]) or Type(Kind.TEXT))
    return Result(names, tuple(types), rows)


def _only(tree: exp.Expr, *allowed: str) -> None:
    for name, value in tree.args.items():
        if value and name not in allowed:
            raise SQLError(
                f"{name.strip('_').upper()} cannot stand in {tree.key.upper()} here.",
                why="A write is about one table.",
                fix="Say it with a SELECT inside WHERE.",
            )


def _insert(statement: Statement, scene: Scene, tx: Transaction, table: TableInfo) -> int:
    tree = statement.tree
    _only(tree, "this", "expression", "conflict", "with_", "default", "returning")
    names = _named(tree, table)
    source = tree.args.get("expression")
    if isinstance(source, exp.Values):
        rows = _values(source, names, statement, scene, tx, table)
    elif isinstance(source, exp.Query):
        rows = _selected(statement, names, scene, tx, table)
    elif tree.args.get("default"):
        names, rows = [], [[]]
    else:
        raise SQLError("INSERT takes VALUES or a SELECT.")
    changed = 0
    if tree.args.get("conflict") is not None:
        rows, changed = conflicts.parted(statement, scene, tx, table, names, rows)
    return changed + _insert_rows(scene, tx, table, names, rows)


def _insert_rows(scene: Scene, tx: Transaction, table: TableInfo, names: Sequence[str], rows: Rows) -> int:
    """Rows of one value a name; `Default` where the column's own is meant."""
    groups: dict[tuple[int, ...], Rows] = {}
    for row in rows:
        groups.setdefault(tuple(at for at, value in enumerate(row) if not isinstance(value, Default)), []).append(row)
    count = 0
    for places, group in groups.items():
        columns: dict[str, Sequence[Any]] = {names[at]: [row[at] for row in group] for at in places}
        if not columns:  # every column has its default: some column whose default is NULL says how many rows
            free = [column.name for column in table.columns if not column.default]
            if not free:
                raise SQLError("INSERT needs a value for at least one column.")
            columns = {free[0]: [None] * len(group)}
        count += writing.insert(tx, scene.engine, table, scene.number, scene.lineage, columns)
    return count


def _named(tree: exp.Expr, table: TableInfo) -> list[str]:
    """The columns an INSERT gives values for. UnknownTable, SQLError: one twice."""
    if not isinstance(tree.this, exp.Schema):
        return table.names
    names = [table.column(one.name).name for one in tree.this.expressions]
    if len(set(names)) != len(names):
        raise SQLError("INSERT names a column twice.")
    return names


def _values(
    source: exp.Values, names: Sequence[str], statement: Statement, scene: Scene, tx: Transaction, table: TableInfo
) -> Rows:
    """Each cell as its column takes it; what must be computed is computed by the engine."""
    rows: list[list[Cell]] = []
    for said in source.expressions:
        cells = said.expressions if isinstance(said, exp.Tuple) else [said]
        if not statement.tree.args["this"].expressions and len(cells) < len(names):
            names = list(names)[: len(cells)]
        if len(cells) != len(names):
            raise SQLError(f"INSERT names {len(names)} columns, and a row has {len(cells)} values.")
        rows.append([cell(one, statement.values) for one in cells])
    computed = [one for row in rows for one in row if isinstance(one, Expression)]
    if computed:
        _compute(computed, statement, scene, tx)
    infos = [table.column(name) for name in names]
    return [
        [
            one if isinstance(one, Default) else column_value(info, _result(one))
            for info, one in zip(infos, row, strict=True)
        ]
        for row in rows
    ]


def _result(one: Cell) -> Any:
    return one.value if isinstance(one, Expression) else one


def _compute(cells: Sequence[Expression], statement: Statement, scene: Scene, tx: Transaction) -> None:
    select = exp.select(*(exp.alias_(one.node.copy(), f"c{at}") for at, one in enumerate(cells)))
    reading = read(select, statement, scene)
    ((*found,),) = _run(reading.tree, reading.values, scene, tx)
    for one, value in zip(cells, found, strict=True):
        one.value = value


def _run(tree: exp.Expr, values: list[Any], scene: Scene, tx: Transaction) -> list[tuple[Any, ...]]:
    changes.no_scores(tree)
    tree, values = bind(tree, values)
    return tx.run(render(tree, scene.engine.dialect), values)


@lru_cache(maxsize=256)
def _select_of_insert(kept: Same) -> exp.Expr:
    select = kept.tree.args["expression"].copy()
    if kept.tree.args.get("with_") is not None:
        if select.args.get("with_") is not None:
            raise SQLError("WITH stands before INSERT or before SELECT, not both.")
        select.set("with_", kept.tree.args["with_"].copy())
    return select  # type: ignore[no-any-return]


def _selected(statement: Statement, names: Sequence[str], scene: Scene, tx: Transaction, table: TableInfo) -> Rows:
    reading = read(_select_of_insert(Same(statement.tree)), statement, scene)
    selects = reading.tree.selects
    if len(selects) != len(names):
        raise SQLError(f"INSERT names {len(names)} columns, and the SELECT has {len(selects)}.")
    infos = [table.column(name) for name in names]
    places = [exp.column(f"c{at}", quoted=True) for at in range(len(names))]
    said = [
        exp.cast(place, "TEXT") if info.type.kind is Kind.JSON else place
        for info, place in zip(infos, places, strict=True)
    ]
    alias = exp.TableAlias(
        this=exp.to_identifier("q"), columns=[exp.to_identifier(f"c{at}") for at in range(len(names))]
    )
    outer = exp.select(*said).from_(exp.Subquery(this=reading.tree, alias=alias)).limit(ROWS_MAX + 1)
    found = _run(outer, reading.values, scene, tx)
    if len(found) > ROWS_MAX:
        raise SQLError(f"One INSERT takes {ROWS_MAX:,} rows at most.", fix="Take them in parts.")
    return [[column_value(info, value) for info, value in zip(infos, row, strict=True)] for row in found]
