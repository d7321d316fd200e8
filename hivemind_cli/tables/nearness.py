"""Scoring calls of a SELECT made relations to join with: what is asked of the sidecars, and the SQL for the engine.

Every table with scoring calls gets a column more for each, joined by _hm_seq with a relation of scores:

    every    with all scores: whatever the shape of the statement, a call is a column like any other
    top      one table, highest first, LIMIT: the best scores alone, and the table's other rows never looked at
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from hivemind_cli.tables.catalog import ColumnInfo, TableInfo
from hivemind_cli.tables.fetched import Fetching
from hivemind_cli.tables.layout import SEQ
from hivemind_cli.tables.sql import bind, render
from hivemind_cli.tables.sql.rewrite import Reading
from hivemind_cli.tables.sql.safety import BM25, COSINE, HYBRID

RELATION = "hm_scores_"
"""And the number of the call: a relation of columns seq and score."""


@dataclass(frozen=True, slots=True)
class Call:
    """One scoring call."""

    name: str
    """COSINE, BM25 or HYBRID."""
    alias: str
    table: TableInfo
    vector: ColumnInfo | None
    text: ColumnInfo | None
    values: tuple[int, ...]
    """Numbers of its parameters: what is near, what is said, two weights; as many as the call has."""

    def __str__(self) -> str:
        columns = ", ".join(one.name for one in (self.vector, self.text) if one is not None)
        return f"{_SAID[self.name]}({self.alias}.{columns})"


_SAID = {COSINE: "cosine_similarity", BM25: "bm25", HYBRID: "hybrid"}


@dataclass(frozen=True, slots=True)
class Said:
    """SQL for the engine and which of the reading's values it takes, counted from 1."""

    sql: str
    used: tuple[int, ...]

    def values(self, values: Sequence[Any]) -> list[Any]:
        """Of $1 .. $n."""
        return [values[number - 1] for number in self.used]


@dataclass(frozen=True, slots=True)
class Amount:
    """A number that is written out, or a parameter."""

    constant: float = 0.0
    number: int = 0
    """Of a parameter."""

    def of(self, values: Sequence[Any]) -> Any:
        """What it is this time; anything, if it is a parameter."""
        return values[self.number - 1] if self.number else self.constant


@dataclass(frozen=True, slots=True)
class Few:
    """The best rows by their numbers: a SELECT of a table's columns and the score, ordered by the score alone."""

    names: tuple[str, ...]
    """Of the answer's columns."""
    places: tuple[int | None, ...]
    """Of each of them in a row that was fetched; None: the score."""
    rows: Fetching
    numbers: Said | None
    """Of the rows that a WHERE lets through; None: there is none."""


@dataclass(frozen=True, slots=True)
class Top:
    """The best of one call are enough."""

    call: int
    """Its place in `Plan.calls`."""
    said: Said
    limit: Amount
    offset: Amount
    narrowed: bool
    """By a WHERE: not each of the best may be among the rows."""
    few: Few | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a SELECT is answered."""

    calls: tuple[Call, ...]
    every: Said
    top: Top | None = None
    floors: tuple[tuple[int, Amount], ...] = ()
    """(place of a call, what its score must exceed or equal): rows of lower score are in no answer."""
    nearest: Top | None = None
    """The one call compares vectors, and the engine itself may have an index for that (`Tables.nearest`)."""

    @property
    def by_sidecar(self) -> bool:
        """Are there calls for it?"""
        return bool(self.calls)


def planned(reading: Reading, dialect: str) -> Plan:
    """Kept for those who say the same again."""
    if "plan" not in reading.kept:
        reading.kept["plan"] = _made(reading, dialect)
    plan: Plan = reading.kept["plan"]
    return plan


def _made(reading: Reading, dialect: str) -> Plan:
    """`reading`'s tree is changed."""
    tree = reading.tree
    found = [node for node in tree.find_all(exp.Anonymous) if node.name in _SAID]
    if not found:
        return Plan((), _said(tree, dialect))
    calls: list[Call] = []
    nodes: dict[int, list[exp.Anonymous]] = {}
    for node in found:
        call = _call(node, reading)
        if call not in calls:
            calls.append(call)
        nodes.setdefault(calls.index(call), []).append(node)
    by_sidecar = {place: of for place, of in nodes.items() if dialect == "duckdb" or calls[place].vector is None}
    top = _top(tree, calls, by_sidecar, reading)
    if top is not None and dialect == "duckdb" and len(calls) == 1:
        top = replace(top, few=_few(tree, nodes[0], reading, dialect))
    nearest = _nearest(tree, calls, nodes, reading, dialect)
    floors = _floors(tree, calls, by_sidecar)
    inner = {place for place, _ in floors}
    for place, of_call in nodes.items():
        for node in of_call:
            node.replace(_column(calls[place], place, dialect))
    every = tree.copy()
    _join(every, calls, reading, inner, dialect)
    if top is not None:
        _join(tree, calls, reading, {*inner, top.call}, dialect)
        top = replace(top, said=_said(tree, dialect))
    return Plan(tuple(calls), _said(every, dialect), top, tuple(floors), nearest)


def _nearest(
    tree: exp.Query,
    calls: Sequence[Call],
    nodes: dict[int, list[exp.Anonymous]],
    reading: Reading,
    dialect: str,
) -> Top | None:
    """`tree` as if its one call's best scores came from elsewhere; None: it is of another shape."""
    vector = calls[0].vector if len(calls) == 1 and calls[0].name == COSINE else None
    if dialect == "duckdb" or vector is None or not vector.type.dim:
        return None
    top = _top(tree, calls, nodes, reading)
    if top is None:
        return None
    copied = tree.copy()
    for node in [one for one in copied.find_all(exp.Anonymous) if one.name in _SAID]:
        node.replace(exp.column("hm_score_1", table=calls[0].alias))
    _join(copied, calls, reading, {0}, "duckdb")
    return replace(top, said=_said(copied, dialect))


def _call(node: exp.Anonymous, reading: Reading) -> Call:
    columns = [one for one in node.expressions if isinstance(one, exp.Column)]
    values = tuple(int(one.this.name) for one in node.expressions if isinstance(one, exp.Parameter))
    alias = columns[0].table
    table = reading.sources[alias]
    infos = [table.column(one.name) for one in columns]
    vector = infos[0] if node.name in (COSINE, HYBRID) else None
    text = infos[-1] if node.name in (BM25, HYBRID) else None
    return Call(node.name, alias, table, vector, text, values)


def _said(tree: exp.Expr, dialect: str) -> Said:
    used: list[Any] = []
    numbers = [int(one.this.name) for one in tree.find_all(exp.Parameter)]
    tree, used = bind(tree, list(range(1, max(numbers, default=0) + 1)))
    return Said(render(tree, dialect), tuple(used))


# -- joins


def _column(call: Call, place: int, dialect: str) -> exp.Expr:
    """What stands instead of a call."""
    score = exp.column(f"hm_score_{place + 1}", table=call.alias)
    if dialect == "duckdb" or call.vector is None:
        return score
    near = exp.cast(_parameter(call.values[0]), "VECTOR")
    distance = exp.Anonymous(this="cosine_distance", expressions=[exp.column(call.vector.name, table=call.alias), near])
    cosine: exp.Expr = exp.Nullif(
        this=exp.Sub(this=exp.Literal.number(1), expression=distance),
        expression=exp.cast(exp.Literal.string("NaN"), "DOUBLE"),
    )
    known = exp.column(call.vector.name, table=call.alias).is_(exp.null())
    zero = exp.Case(ifs=[exp.If(this=exp.not_(known), true=exp.Literal.number(0))])
    cosine = exp.func("COALESCE", cosine, zero)
    if call.name == COSINE:
        return exp.paren(cosine)
    weights = [exp.cast(_parameter(number), "DOUBLE") for number in call.values[2:]]
    near_part = exp.Mul(this=weights[0], expression=exp.func("COALESCE", cosine, exp.Literal.number(0)))
    return exp.paren(exp.Add(this=near_part, expression=exp.Mul(this=weights[1], expression=score)))


def _parameter(number: int) -> exp.Parameter:
    return exp.Parameter(this=exp.Literal.number(number))


def _join(tree: exp.Expr, calls: Sequence[Call], reading: Reading, inner: set[int], dialect: str) -> None:
    """Every relation of a table with calls gets their scores; rows without one go, for those in `inner`."""
    joined = {call.alias for call in calls if dialect == "duckdb" or call.text is not None}
    for relation in [one for one in tree.find_all(exp.Subquery) if one.alias in joined and _is_table(one, reading)]:
        own = exp.Subquery(this=relation.this, alias=exp.TableAlias(this=exp.to_identifier("hm_rows")))
        select = exp.select("hm_rows.*").from_(own)
        for place, call in enumerate(calls):
            if call.alias != relation.alias or (dialect != "duckdb" and call.text is None):
                continue
            name = f"{RELATION}{place + 1}"
            score: exp.Expr = exp.column("score", table=name)
            if call.text is not None:
                score = exp.func("COALESCE", score, exp.Literal.number(0))
            on = exp.EQ(this=exp.column(SEQ, table="hm_rows"), expression=exp.column("seq", table=name))
            select = select.join(exp.to_table(name), on=on, join_type="inner" if place in inner else "left")
            select = select.select(exp.alias_(score, f"hm_score_{place + 1}"))
        relation.set("this", select)


def _is_table(relation: exp.Subquery, reading: Reading) -> bool:
    """What stands for a table in FROM, not a subquery the person wrote under the same alias."""
    return relation.alias in reading.sources and SEQ in _selected(relation.this)


def _selected(query: exp.Expr) -> list[str]:
    return list(query.named_selects) if isinstance(query, exp.Query) else []


# -- shapes


def _top(tree: exp.Query, calls: Sequence[Call], nodes: dict[int, list[exp.Anonymous]], reading: Reading) -> Top | None:
    """Of a SELECT of one table, ordered by a call first, highest first, with a LIMIT."""
    if not isinstance(tree, exp.Select) or not _plain(tree, reading):
        return None
    order, limit, offset = tree.args.get("order"), tree.args.get("limit"), tree.args.get("offset")
    if order is None or limit is None or isinstance(limit, exp.Fetch):
        return None
    first = order.expressions[0]
    score = _ordered_by(first, tree)
    if not first.args.get("desc") or first.args.get("nulls_first"):
        return None
    place = next((at for at, of_call in nodes.items() if any(one is score for one in of_call)), None)
    amounts = _amount(limit.expression), _amount(offset.expression) if offset is not None else Amount()
    alias = tree.args["from_"].this.alias
    if place is None or calls[place].alias != alias or amounts[0] is None or amounts[1] is None:
        return None
    everywhere = [node for node in tree.find_all(exp.Anonymous) if node.name in _SAID]
    inside = all(node.find_ancestor(exp.Select) is tree for node in everywhere)
    if not inside:
        return None
    return Top(place, Said("", ()), amounts[0], amounts[1], tree.args.get("where") is not None)


_OF_FEW = {"expressions", "from_", "where", "order", "limit", "offset"}


def _few(tree: exp.Query, calls: Sequence[exp.Anonymous], reading: Reading, dialect: str) -> Few | None:
    """Of a SELECT that `_top` knows; None: it says more than that."""
    where, order = tree.args.get("where"), tree.args["order"]
    if {name for name, said in tree.args.items() if said} - _OF_FEW or len(order.expressions) != 1:
        return None
    if where is not None and any(node.name in _SAID for node in where.find_all(exp.Anonymous)):
        return None
    source = tree.args["from_"].this
    table = reading.sources[source.alias]
    chosen: list[str] = []
    places: list[int | None] = []
    for one in tree.selects:
        value = one.unalias()
        if any(value is call for call in calls):
            places.append(None)
        elif isinstance(value, exp.Column) and value.table == source.alias and value.name in table.names:
            chosen += [value.name] if value.name not in chosen else []
            places.append(chosen.index(value.name))
        else:
            return None
    numbers = None
    if where is not None:
        seen = exp.select(exp.column(SEQ, table=source.alias)).from_(source.copy()).where(where.this.copy())
        numbers = _said(seen, dialect)
    names = tuple(one.alias_or_name for one in tree.selects)
    rows = Fetching.of(table, render(source.this, dialect), chosen, _looked_up(source.this, dialect))
    return Few(names, tuple(places), rows, numbers)


def _looked_up(seen: exp.Expr, dialect: str) -> tuple[str, str] | None:
    """Table and condition of what a branch sees; None: more than one look is needed."""
    if not isinstance(seen, exp.Select) or len(list(seen.find_all(exp.Table))) != 1:
        return None
    return render(seen.args["from_"].this, dialect), render(seen.args["where"].this, dialect)


_NOT_PLAIN = ("with_", "joins", "laterals", "group", "having", "windows", "distinct")


def _plain(tree: exp.Select, reading: Reading) -> bool:
    """One table, each row of it standing for itself."""
    if any(tree.args.get(name) for name in _NOT_PLAIN) or tree.args.get("from_") is None:
        return False
    source = tree.args["from_"].this
    if not isinstance(source, exp.Subquery) or not _is_table(source, reading) or source.args.get("joins"):
        return False
    return not any(
        isinstance(node, exp.AggFunc | exp.Window) and node.find_ancestor(exp.Select) is tree
        for node in tree.find_all(exp.AggFunc, exp.Window)
    )


def _ordered_by(ordered: exp.Ordered, tree: exp.Select) -> exp.Expr:
    """The expression behind an alias."""
    node: exp.Expr = ordered.this
    if isinstance(node, exp.Column) and not node.table:
        return next((one.unalias() for one in tree.selects if one.alias_or_name == node.name), node)
    return node


def _amount(node: exp.Expr | None) -> Amount | None:
    if isinstance(node, exp.Parameter):
        return Amount(number=int(node.this.name))
    if isinstance(node, exp.Literal) and not node.is_string:
        return Amount(float(node.this))
    return None


def _floors(tree: exp.Query, calls: Sequence[Call], nodes: dict[int, list[exp.Anonymous]]) -> list[tuple[int, Amount]]:
    """`WHERE call > value`, where the call's table stands in the FROM of the same SELECT, and only there."""
    floors = []
    for place, of_call in nodes.items():
        for node in of_call:
            amount = _least(node, zero_counts=calls[place].text is not None)
            if amount is not None and _once(tree, node):
                floors.append((place, amount))
                break
    return floors


def _least(node: exp.Anonymous, *, zero_counts: bool) -> Amount | None:
    """What a row's score must exceed, or equal; None: rows without a score may stay, which is 0 where that counts."""
    parent = node.parent
    if isinstance(parent, exp.GT | exp.GTE) and parent.this is node:
        amount = _amount(parent.expression)
    elif isinstance(parent, exp.LT | exp.LTE) and parent.expression is node:
        amount = _amount(parent.this)
    else:
        return None
    if amount is None or not _always_holds(parent):
        return None
    strict = isinstance(parent, exp.GT | exp.LT)
    if zero_counts and (amount.number or not (amount.constant > 0 or strict)):
        return None
    return amount


def _always_holds(condition: exp.Expr) -> bool:
    """One of the conditions of a WHERE that must all hold."""
    node = condition.parent
    while isinstance(node, exp.And | exp.Paren):
        node = node.parent
    return isinstance(node, exp.Where)


def _once(tree: exp.Query, node: exp.Anonymous) -> bool:
    """The call's table stands in the FROM of its own SELECT, and nowhere else under that alias."""
    alias = next(one.table for one in node.expressions if isinstance(one, exp.Column))
    select = node.find_ancestor(exp.Select)
    places = [one for one in tree.find_all(exp.Subquery) if one.alias == alias]
    return len(places) == 1 and places[0].find_ancestor(exp.Select) is select
