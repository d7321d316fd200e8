"""Rows of a table set to something else, or deleted: what UPDATE, DELETE and ON CONFLICT DO UPDATE come to."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlglot import exp

from hivemind_cli.core.errors import SQLError, UnknownTable, WrongValue
from hivemind_cli.storage.tables import Kind, Transaction, Type
from hivemind_cli.tables import writing
from hivemind_cli.tables.catalog import ColumnInfo, TableInfo, plain
from hivemind_cli.tables.layout import ROW, visible
from hivemind_cli.tables.scene import Scene
from hivemind_cli.tables.sql import params
from hivemind_cli.tables.sql.constants import Expression, cell, column_value, is_default
from hivemind_cli.tables.sql.dialect import render
from hivemind_cli.tables.sql.rewrite import Same, belongs, bind, read
from hivemind_cli.tables.sql.scores import is_score
from hivemind_cli.tables.sql.statement import Statement


@lru_cache(maxsize=256)
def _select_of_change(kept: Same) -> exp.Select:
    """SELECT of what is set, from the rows that are changed: for their names to be resolved."""
    tree = kept.tree
    said = [exp.alias_(one.expression.copy(), f"c{at}") for at, one in enumerate(tree.args.get("expressions") or [])]
    select = exp.select(*(said or [exp.alias_(exp.Literal.number(1), "c0")])).from_(tree.this.copy())
    return select.where(tree.args["where"].this.copy()) if tree.args.get("where") else select


def change(statement: Statement, scene: Scene, tx: Transaction, table: TableInfo) -> int:
    """UPDATE or DELETE."""
    tree = statement.tree
    infos = set_columns(tree.args.get("expressions") or [], table)
    both = replace(statement, reads=statement.reads | statement.writes)
    reading = read(_select_of_change(Same(tree)), both, scene)
    select = reading.tree
    assert isinstance(select, exp.Select)
    return change_rows(select, reading.values, infos, scene, tx, table)


def no_scores(tree: exp.Expr) -> None:
    """SQLError: it calls for an index, and a write does not ask one."""
    if any(is_score(node) for node in tree.find_all(exp.Anonymous)):
        raise SQLError(
            "Scores stand in a SELECT alone.", fix="SELECT the rows by their score first, and write them by their key."
        )


def change_rows(
    select: exp.Select,
    values: list[Any],
    infos: Sequence[ColumnInfo],
    scene: Scene,
    tx: Transaction,
    table: TableInfo,
) -> int:
    """Set the rows `select` gives to what it gives, one column an info; without infos, delete them.

    `select` is changed; `values` are of its parameters.
    """
    no_scores(select)
    sets = [_unnamed(one) for one in select.expressions[: len(infos)]]
    if infos:
        table, values, sets = _constants(scene, tx, table, infos, sets, values)
    alias = select.args["from_"].this.alias
    select.set("expressions", [*sets, exp.column(ROW, alias, quoted=True)])
    _, values = bind(select, values)
    changed = {}
    dialect = scene.engine.dialect
    for info, said in zip(infos, select.expressions[:-1], strict=True):
        inside = _of_version(said, select, alias)
        changed[info.name] = f"CAST({render(inside, dialect)} AS {scene.engine.type_sql(info.type)})"
    select.set("expressions", select.expressions[-1:])
    rows = render(select, dialect)
    _no_missing(scene, tx, table, infos, changed, rows, values)
    return writing.supersede(
        tx, scene.engine, table, scene.number, scene.lineage, rows, values, changed if infos else None
    )


def _unnamed(said: exp.Expr) -> exp.Expr:
    if isinstance(said, exp.Subquery):
        said.set("alias", None)
    return said.unalias()


def set_columns(said: Sequence[exp.Expr], table: TableInfo) -> list[ColumnInfo]:
    """Those that UPDATE sets. UnknownTable, SQLError."""
    infos = [_set(one, table) for one in said]
    if len({info.name for info in infos}) != len(infos):
        raise SQLError("UPDATE sets a column twice.")
    return infos


def _set(said: exp.Expr, table: TableInfo) -> ColumnInfo:
    if not isinstance(said, exp.EQ) or not isinstance(said.this, exp.Column):
        raise SQLError("UPDATE sets columns one by one.")
    if is_default(said.expression):
        raise SQLError("UPDATE sets no DEFAULT.", fix="Write the value out.")
    if said.this.table and plain(said.this.table) != table.name:
        raise UnknownTable(f"UPDATE sets columns of {table.name} alone.")
    return table.column(said.this.name)


def _constants(
    scene: Scene,
    tx: Transaction,
    table: TableInfo,
    infos: Sequence[ColumnInfo],
    sets: Sequence[exp.Expr],
    values: list[Any],
) -> tuple[TableInfo, list[Any], list[exp.Expr]]:
    """What is set to a value is checked as a row's value is; the rest is left to the engine, but for vectors."""
    said: list[exp.Expr] = []
    for info, node in zip(infos, sets, strict=True):
        constant = cell(node, tuple(values))
        if isinstance(constant, Expression):
            if info.type.kind is Kind.VECTOR and not isinstance(node, exp.Column):
                raise SQLError(f"{info.name} is set to a vector, to NULL or to another column.")
            said.append(node.copy())
            continue
        value = writing.one(table.name, info, column_value(info, constant))
        if value is not None and info.type.kind is Kind.VECTOR and not info.type.dim:
            table = _completed(scene, tx, table, info, len(value))
        values = [*values, _bindable(info, value)]
        said.append(exp.Parameter(this=exp.Literal.number(len(values))))
    return table, values, said


def _bindable(info: ColumnInfo, value: Any) -> Any:
    """A checked value as either engine casts it to the column: vectors and JSON as text."""
    if value is None:
        return None
    if info.type.kind is Kind.VECTOR:
        return "[" + ",".join(map(repr, value.tolist())) + "]"
    return params.json_text(value) if info.type.kind is Kind.JSON else value


def _completed(scene: Scene, tx: Transaction, table: TableInfo, info: ColumnInfo, dim: int) -> TableInfo:
    columns = [
        replace(one, type=Type(Kind.VECTOR, dim), untyped=False) if one.name == info.name else one
        for one in table.columns
    ]
    return scene.catalog.change(tx, table, columns)


def _of_version(node: exp.Expr, select: exp.Select, alias: str) -> exp.Expr:
    """An expression over the changed rows, which `writing.supersede` calls hm_v."""
    for column in node.find_all(exp.Column):
        if column.table == alias and belongs(column, select, alias):
            column.set("table", exp.to_identifier("hm_v", quoted=True))
    return node


def _no_missing(
    scene: Scene,
    tx: Transaction,
    table: TableInfo,
    infos: Sequence[ColumnInfo],
    changed: Mapping[str, str],
    rows: str,
    values: Sequence[Any],
) -> None:
    """WrongValue: a column declared NOT NULL would lose its value."""
    wanted = [info.name for info in infos if info.not_null or info.name in table.key]
    if not wanted:
        return
    seen = visible(scene.engine.qualified(table.physical), table.names, scene.lineage)
    # Every value has to be named somewhere, or the engine refuses those left over.
    unasked = [f"(({changed[info.name]}) IS NULL AND FALSE)" for info in infos if info.name not in wanted]
    missing = " OR ".join([*(f"({changed[name]}) IS NULL" for name in wanted), *unasked])
    if tx.run(f"SELECT 1 FROM ({seen}) AS hm_v WHERE {ROW} IN ({rows}) AND ({missing}) LIMIT 1", values):
        raise WrongValue(f"{', '.join(wanted)} of {table.name} needs a value.", why="It is declared NOT NULL.")
