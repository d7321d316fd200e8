"""A SELECT as one branch of one workspace sees it: known tables alone, every column resolved, nothing hidden in reach.

Each table is replaced by the rows the branch sees (layout.visible) under the alias the person knows; those relations
also have _hm_seq and _hm_row, which no name of the person's can reach: such names are refused, stars are written out,
and a whole row as a value is refused.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property, lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

from hivemind_cli.core.errors import Forbidden, SQLError, UnknownTable
from hivemind_cli.storage.tables import Tables
from hivemind_cli.tables.catalog import TableInfo, plain
from hivemind_cli.tables.layout import Level, quoted, visible
from hivemind_cli.tables.scene import Scene
from hivemind_cli.tables.sql import params, scores
from hivemind_cli.tables.sql.dialect import People
from hivemind_cli.tables.sql.engines import suited
from hivemind_cli.tables.sql.names import cte_of, titled
from hivemind_cli.tables.sql.statement import Statement

_COLUMN = re.compile(r"olumn '(?P<quoted>[^']+)'|olumn: (?P<plain>\w+)")
"""The column in sqlglot's words about one that it cannot resolve."""


@dataclass(frozen=True)
class Reading:
    """A SELECT ready for an engine, but for its scoring calls (scores.py)."""

    planned: exp.Query
    """Shared by all who say the same."""
    values: list[Any]
    """Of $1 .. $n; `bind` drops those no longer used."""
    sources: Mapping[str, TableInfo]
    """Alias -> table, of the whole statement: no two tables share an alias. Views of the loop are not in it."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What was made of `planned`, for those who say the same again."""

    @cached_property
    def tree(self) -> exp.Query:
        """The caller's own."""
        return self.planned.copy()


@dataclass(frozen=True, slots=True)
class _Known:
    """A table of the workspace, or a view of the loop."""

    key: str
    """What it is called within a tree: nothing an engine knows."""
    physical: str
    """How SQL names it."""
    names: tuple[str, ...]
    table: TableInfo | None


@dataclass(frozen=True, slots=True)
class _Plan:
    tree: exp.Query
    values: scores.Values
    sources: Mapping[str, TableInfo]
    kept: dict[str, Any] = field(default_factory=dict)


def reading(statement: Statement, scene: Scene) -> Reading:
    """What a SELECT (or that of an EXPLAIN) says on this branch. UnknownTable, Forbidden, SQLError, WrongValue."""
    if not statement.kind.reads:
        raise Forbidden(f"{statement.kind} is no reading.", why="query() reads.", fix="Use execute() to write.")
    return read(statement.tree, statement, scene)


def read(tree: exp.Expr, statement: Statement, scene: Scene) -> Reading:
    """`reading`, of a part of a statement: the SELECT of an INSERT."""
    own_workspace(statement, scene)
    known = tuple((name, _known(name, scene)) for name in sorted(statement.reads))
    ground = _Ground(scene.engine.dialect, scene.workspace, tuple(scene.lineage), known)
    plan = _planned(Same(tree), ground, len(statement.values))
    values = plan.values.of(statement.values)
    aware = scene.engine.dialect == "postgres"
    return Reading(plan.tree, [params.utc(value, aware=aware) for value in values], plan.sources, plan.kept)


def own_workspace(statement: Statement, scene: Scene) -> None:
    """Forbidden: it names another workspace."""
    for name in statement.workspaces:
        if plain(name) != plain(scene.workspace):
            raise Forbidden(f"{name[:100]!r} is another workspace.", why=f"This statement runs in {scene.workspace!r}.")


@dataclass(frozen=True, slots=True)
class _Ground:
    dialect: str
    workspace: str
    lineage: tuple[Level, ...]
    known: tuple[tuple[str, _Known], ...]


class Same:
    """A tree, equal to itself alone: what a plan is kept by."""

    __slots__ = ("tree",)

    def __init__(self, tree: exp.Expr) -> None:
        self.tree = tree

    def __hash__(self) -> int:
        return id(self.tree)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.tree is self.tree


@lru_cache(maxsize=256)
def _planned(kept: Same, ground: _Ground, given: int) -> _Plan:
    try:
        return _plan(kept.tree.copy(), ground, given)
    except RecursionError as exc:
        raise SQLError("The statement is nested too deeply.") from exc


def _plan(tree: exp.Expr, ground: _Ground, given: int) -> _Plan:
    places = _placed(tree, ground)
    titled(tree)
    tree = _qualified(tree, {key: dict.fromkeys(known.names, "unknown") for key, known in places.items()})
    _nothing_hidden(tree, places)
    found = _apart(tree, places)
    values = scores.Values(given)
    sources = {alias: known.table for alias, known in found.items() if known.table is not None}
    scores.canonical(tree, sources, values, ground.dialect)
    for table in list(tree.find_all(exp.Table)):
        known = places.get(table.name)
        if known is not None:
            table.replace(_relation(known, table, ground, values))
    suited(tree, scores.Place(sources, values, ground.dialect))
    if not isinstance(tree, exp.Query):
        raise SQLError(f"{tree.key.upper()} is no SELECT.")
    return _Plan(tree, values, sources)


COLUMNS_MAX, WITHINS_MAX = 1600, 2000
"""Of a SELECT's result (PostgreSQL has 1664); SELECTs to be run when each WITH is written out where it is named."""


def _bounded(scopes: Sequence[Scope], schema: Mapping[str, Any]) -> None:
    """SQLError: queries of a WITH name one another so that columns, or what is to be run, double again and again."""
    columns: dict[int, int] = {}
    withins: dict[int, int] = {}
    for scope in scopes:
        with _odd():
            sources = [source for _, source in scope.selected_sources.values()]
        inner = [one.expression for one in sources if isinstance(one, Scope)]
        offered = sum(len(schema.get(_name(one), "1")) for one in sources if isinstance(one, exp.Table))
        offered += sum(columns.get(id(one), 1) for one in inner)
        parts = [one.expression for one in scope.set_operation_scopes]
        within = [*inner, *parts, *(one.expression for one in scope.subquery_scopes)]
        here = sum(offered if one.is_star else 1 for one in _projections(scope.expression))
        columns[id(scope.expression)] = columns.get(id(parts[0]), 1) if parts else here
        withins[id(scope.expression)] = 1 + sum(withins.get(id(one), 0) for one in within)
        if here > COLUMNS_MAX or withins[id(scope.expression)] > WITHINS_MAX:
            raise SQLError("The queries of this statement name one another too often.", fix="Say it in several.")


def _projections(query: exp.Expr) -> list[exp.Expr]:
    return list(query.selects) if isinstance(query, exp.Query) else []


def _qualified(tree: exp.Expr, schema: dict[str, Any]) -> exp.Expr:
    """Every column with its table, every star written out. UnknownTable."""
    with _odd():
        scopes = traverse_scope(tree)
    _bounded(scopes, schema)
    with _odd({name for columns in schema.values() for name in columns}):
        tree = qualify(tree, schema=schema, dialect=People, validate_qualify_columns=True)
        scopes = traverse_scope(tree)
    for scope in scopes:
        _ordered_by_inputs(scope, schema)
    return tree


@contextmanager
def _odd(columns: Collection[str] = ()) -> Iterator[None]:
    """sqlglot raises OptimizeError for a name it cannot resolve, and whatever else an odd tree makes it run into.

    columns   of the tables that the statement names
    """
    try:
        yield
    except RecursionError:
        raise
    except Exception as exc:
        raise _unresolved(str(exc).split("\n")[0][:300], columns) from exc


def _unresolved(said: str, columns: Collection[str]) -> UnknownTable:
    found = _COLUMN.search(said)
    name = (found["quoted"] or found["plain"])[:100] if found else ""
    if not name:
        return UnknownTable("A name cannot be resolved.", why=said)
    if name in columns:
        return UnknownTable(
            f"The column {name!r} is not known here, or in several tables.",
            why=said,
            fix=f"Say whose it is: table.{name}.",
        )
    near = get_close_matches(name, columns, 1)
    why = f"Columns are {', '.join(sorted(columns))[:300]}." if columns else ""
    return UnknownTable(f"There is no column {name!r} here.", why=why, fix=f"Did you mean {near[0]}?" if near else "")


def _ordered_by_inputs(scope: Scope, schema: Mapping[str, Any]) -> None:
    """A name within an expression of ORDER BY is a table's column, as in PostgreSQL; only then one of the result."""
    order = scope.expression.args.get("order")
    if not isinstance(scope.expression, exp.Select) or order is None:
        return
    said = {one.alias_or_name: one.unalias() for one in scope.expression.selects}
    for ordered in order.expressions:
        for column in list(ordered.this.find_all(exp.Column)):
            if column is ordered.this or column.table or column.find_ancestor(exp.Select) is not scope.expression:
                continue
            holders = [alias for alias, one in scope.sources.items() if column.name in schema.get(_name(one), ())]
            if len(holders) == 1:
                column.set("table", exp.to_identifier(holders[0], quoted=True))
            elif column.name in said:
                column.replace(exp.paren(said[column.name].copy()))


def _name(source: exp.Table | Scope) -> str:
    return source.name if isinstance(source, exp.Table) else ""


def _known(name: str, scene: Scene) -> _Known:
    view = scene.view(name)
    if view is not None:
        names = _columns_of(scene.engine, view)
        if "workspace_id" not in names:
            raise Forbidden(f"{name} is not kept by workspace.")
        return _Known(f"v_{name}", view, names, None)
    table = scene.table(name)
    return _Known(f"r_{table.number}", scene.engine.qualified(table.physical), tuple(table.names), table)


_VIEWS: WeakKeyDictionary[Tables, dict[str, tuple[str, ...]]] = WeakKeyDictionary()


def _columns_of(engine: Tables, view: str) -> tuple[str, ...]:
    """Of a view of the loop; they change with hivemind's version alone."""
    views = _VIEWS.setdefault(engine, {})
    if view not in views:
        views[view] = engine.read(f"SELECT * FROM {view} LIMIT 0").names
    return views[view]


def _placed(tree: exp.Expr, ground: _Ground) -> dict[str, _Known]:
    """Every table under a key of its own (and its alias as the person knows it), every WITH under another.

    No key is a name the engine knows: whatever a name would mean to it, it means what it was resolved to here.
    """
    known, places = dict(ground.known), {}
    for table in list(tree.find_all(exp.Table)):
        if not isinstance(table.this, exp.Identifier):
            continue
        written = table.this
        if not table.alias:
            table.set("alias", exp.TableAlias(this=written.copy()))
        cte = None if table.db else cte_of(table)
        if cte is not None:
            key = f"w_{cte}"
        else:
            place = known[plain(written.name)]
            key = place.key
            places[key] = place
        table.set("this", exp.to_identifier(key, quoted=True))
        table.set("db", None)
    for one in tree.find_all(exp.CTE):
        one.args["alias"].set("this", exp.to_identifier(f"w_{one.alias.lower()}", quoted=True))
    for column in tree.find_all(exp.Column):
        _plainer(column, places)
    return places


def _plainer(column: exp.Column, places: Mapping[str, _Known]) -> None:
    """ "workspace"."table"."column" without its first; a quoted name that is a column's but for its letters' case."""
    if column.args.get("catalog"):
        raise Forbidden("Another database cannot be named.")
    column.set("db", None)
    said = plain(column.name)
    if column.this.args.get("quoted") and said != column.name and any(said in one.names for one in places.values()):
        column.set("this", exp.to_identifier(said, quoted=True))


def _nothing_hidden(tree: exp.Expr, places: Mapping[str, _Known]) -> None:
    """Whole rows, stars that could not be written out, fields of records: what could reach more than was resolved."""
    for node in tree.walk():
        if isinstance(node, exp.TableColumn | exp.Dot):
            raise SQLError(
                f"{node.sql('postgres')[:100]} cannot be said here.", why="A row is no value.", fix="Name its columns."
            )
        if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
            select = node.find_ancestor(exp.Select)
            if select is None or any(_own_places(select, places)):
                raise SQLError("A * cannot be said here.", fix="Name the columns.")
    for scope in traverse_scope(tree):
        for column in scope.columns:
            _resolved(column, scope, places)


def _own_places(select: exp.Select, places: Mapping[str, _Known]) -> Iterator[str]:
    for source in [select.args.get("from_"), *(select.args.get("joins") or [])]:
        if source is not None:
            yield from (table.name for table in source.find_all(exp.Table) if table.name in places)


def _resolved(column: exp.Column, scope: Scope, places: Mapping[str, _Known]) -> None:
    """UnknownTable: the source has no such column."""
    if isinstance(column.this, exp.Star):
        return
    if not column.table:
        if not any(column.name in _selected(one) for one in _outwards(scope)):
            raise UnknownTable(f"There is no column {column.name[:100]!r}.")
        return
    for one in _outwards(scope):
        source = one.sources.get(column.table)
        if source is not None:
            names = _offered(source, places)
            if names is not None and column.name not in names:
                raise UnknownTable(
                    f"{column.table} has no column {column.name[:100]!r}.", why=f"It has {', '.join(names)[:300]}."
                )
            return
    raise UnknownTable(f"There is no table {column.table[:100]!r} in this SELECT.")


def _selected(scope: Scope) -> list[str]:
    return list(scope.expression.named_selects) if isinstance(scope.expression, exp.Query) else []


def _outwards(scope: Scope | None) -> Iterator[Scope]:
    while scope is not None:
        yield scope
        scope = scope.parent


def _offered(source: exp.Table | Scope, places: Mapping[str, _Known]) -> Sequence[str] | None:
    """The columns of a source; None: a function's, which its alias names."""
    if isinstance(source, exp.Table) and source.name in places:
        return places[source.name].names
    alias = (source if isinstance(source, exp.Table) else source.expression).args.get("alias")
    if alias is not None and alias.columns:
        return [one.name for one in alias.columns]
    return (_selected(source) or None) if isinstance(source, Scope) else None


def _apart(tree: exp.Expr, places: Mapping[str, _Known]) -> dict[str, _Known]:
    """Alias -> table; where two tables of different SELECTs share an alias, the second gets one of its own."""
    found: dict[str, _Known] = {}
    for scope in traverse_scope(tree):
        for alias, source in list(scope.sources.items()):
            if not isinstance(source, exp.Table) or source.name not in places:
                continue
            place, name, count = places[source.name], alias, 1
            while name in found and found[name] != place:
                count += 1
                name = f"{alias}_{count}"
            found[name] = place
            if name != alias:
                _renamed(scope, alias, name)
    return found


def _renamed(scope: Scope, alias: str, name: str) -> None:
    """The source, and the columns that are resolved to it, here and in SELECTs within."""
    source = scope.sources[alias]
    if isinstance(source, exp.Table):
        source.args["alias"].set("this", exp.to_identifier(name, quoted=True))
    for column in scope.expression.find_all(exp.Column):
        if column.table == alias and belongs(column, scope.expression, alias):
            column.set("table", exp.to_identifier(name, quoted=True))


def belongs(column: exp.Column, outer: exp.Expr, alias: str) -> bool:
    """No SELECT between the column and `outer` has that alias itself."""
    select = column.find_ancestor(exp.Select)
    while select is not None and select is not outer:
        froms = [select.args.get("from_"), *(select.args.get("joins") or [])]
        if any(one is not None and one.this.alias_or_name == alias for one in froms):
            return False
        select = select.find_ancestor(exp.Select)
    return True


def _relation(known: _Known, table: exp.Table, ground: _Ground, values: scores.Values) -> exp.Expr:
    """What stands in FROM instead of a table."""
    if known.table is not None:
        inner = _visible(known, ground.lineage)
    else:
        where = values.constant(ground.workspace).this.name
        names = ", ".join(quoted(name) for name in known.names)
        inner = _parsed(f"SELECT {names} FROM {known.physical} WHERE workspace_id = ${where}")
    made = exp.Subquery(this=inner.copy(), alias=table.args["alias"].copy())
    for part in ("joins", "laterals"):
        if table.args.get(part):
            made.set(part, [one.copy() for one in table.args[part]])
    return made


@lru_cache(maxsize=512)
def _visible(known: _Known, lineage: tuple[Level, ...]) -> exp.Expr:
    return _parsed(visible(known.physical, known.names, lineage))


def _parsed(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql, read=People)


def bind(tree: exp.Expr, values: list[Any]) -> tuple[exp.Expr, list[Any]]:
    """The tree with its parameters counted anew, in place, and the values they stand for: those still used."""
    used: dict[int, int] = {}
    for parameter in tree.find_all(exp.Parameter):
        number = int(parameter.this.name)
        parameter.set("this", exp.Literal.number(used.setdefault(number, len(used) + 1)))
    return tree, [values[number - 1] for number in used]
