"""Nearness in SQL, in one spelling whatever the person wrote.

    hm_cosine(column, value)                  cosine_similarity(..), vector <#> value; 1 - it: vector <=> value
    hm_bm25(column, value)                    bm25(..), text <#> value
    hm_hybrid(vector_column, text_column, vector, text, vector_weight, text_weight)
                                              hybrid(..), (vector, text) <#> deeplake_hybrid_record(..)

Columns stand as alias.column of a source that is a table; values as parameters, converted; weights as parameters.
Highest first where ORDER BY names no direction, NULL last.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from hivemind_cli.core.errors import SQLError, WrongValue
from hivemind_cli.storage.tables import Kind
from hivemind_cli.tables.catalog import TableInfo
from hivemind_cli.tables.sql import params
from hivemind_cli.tables.sql.dialect import DISTANCE, NEARNESS, NULLS_SAID
from hivemind_cli.tables.sql.safety import BM25, COSINE, HYBRID, RECORD, SCORES

Convert = Callable[[Any], Any]


@dataclass(slots=True)
class Values:
    """The values a tree's parameters stand for: those the person gave, then those made of them or of literals."""

    given: int
    made: list[tuple[int, Any, Convert | None]] = field(default_factory=list)
    """For each further one: (number of a given one or 0, else the constant, how it is converted)."""

    def converted(self, number: int, convert: Convert) -> exp.Parameter:
        """A parameter for one of the given, converted."""
        if number > self.given:
            _, constant, _ = self.made[number - self.given - 1]
            return self.constant(convert(constant))
        return self._add((number, None, convert))

    def constant(self, value: Any) -> exp.Parameter:
        """A parameter for a value."""
        return self._add((0, value, None))

    def _add(self, one: tuple[int, Any, Convert | None]) -> exp.Parameter:
        if one not in self.made:
            self.made.append(one)
        return exp.Parameter(this=exp.Literal.number(self.given + self.made.index(one) + 1))

    def of(self, given: tuple[Any, ...]) -> list[Any]:
        """All of them, for what a person gave this time. WrongValue."""
        values = list(given)
        for number, constant, convert in self.made:
            values.append(convert(given[number - 1]) if number and convert else constant)
        return values


def canonical(tree: exp.Expr, sources: Mapping[str, TableInfo], values: Values, dialect: str) -> None:
    """Every scoring call in `tree` (names resolved already) in its one spelling, in place. SQLError."""
    calls = [node for node in tree.find_all(exp.Anonymous) if node.name.lower() in (*SCORES, RECORD)]
    for node in reversed(calls):
        name = SCORES.get(node.name.lower(), "")
        if name:
            made = _MAKERS[name](node.expressions, Place(sources, values, dialect))
            node.replace(made)
    if any(node.name.lower() == RECORD for node in tree.find_all(exp.Anonymous)):
        raise SQLError(f"{RECORD} stands to the right of <#> alone.")
    for kind in tree.find_all(exp.DataType):
        if kind.is_type(exp.DType.USERDEFINED):
            raise SQLError(f"{RECORD} stands beside <#> alone.")
    for ordered in tree.find_all(exp.Ordered):
        _nearest_first(ordered)


@dataclass(frozen=True, slots=True)
class Place:
    """A tree's tables, values and engine."""

    sources: Mapping[str, TableInfo]
    values: Values
    dialect: str

    def kind(self, node: exp.Expr) -> Kind | None:
        """Of a column of a table; None: it is something else."""
        if not isinstance(node, exp.Column) or node.table not in self.sources:
            return None
        return self.sources[node.table].column(node.name).type.kind


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _cosine(arguments: list[exp.Expr], place: Place) -> exp.Expr:
    left, right = _two("cosine_similarity", arguments)
    if place.kind(left) is not Kind.VECTOR and place.kind(right) is Kind.VECTOR:
        left, right = right, left
    if place.kind(left) not in (Kind.VECTOR, None) or isinstance(left, exp.Parameter | exp.Literal | exp.Array):
        raise SQLError("cosine_similarity compares a vector column with a value.")
    if place.kind(left) is None or not _constant(right):
        return _by_engine(left, right, place)
    return _call(COSINE, left, _value(right, place.values, params.vector))


def _by_engine(left: exp.Expr, right: exp.Expr, place: Place) -> exp.Expr:
    """Two vectors of which neither is a table's column beside a value: what the engine itself computes."""
    if _constant(right):
        right = _value(right, place.values, _vector_alone)
    if place.dialect == "duckdb":
        both = [exp.cast(one.copy(), "FLOAT[]") for one in (left, right)]
        return exp.Anonymous(this="list_cosine_similarity", expressions=both)
    distance = exp.Anonymous(this="cosine_distance", expressions=[exp.cast(one, "VECTOR") for one in (left, right)])
    return exp.paren(exp.Sub(this=exp.Literal.number(1), expression=distance))


def _bm25(arguments: list[exp.Expr], place: Place) -> exp.Expr:
    left, right = _two("bm25", arguments)
    if place.kind(left) is not Kind.TEXT and place.kind(right) is Kind.TEXT:
        left, right = right, left
    if place.kind(left) is not Kind.TEXT or not _constant(right):
        raise SQLError("bm25 compares a text column of a table with a text.", why=_WHERE)
    return _call(BM25, left, _value(right, place.values, _text))


def _hybrid(arguments: list[exp.Expr], place: Place) -> exp.Expr:
    if len(arguments) not in (4, 6):
        raise SQLError("hybrid takes a vector column, a text column, a vector, a text and two weights.")
    vector, text, near, words, *weights = (_bare(one) for one in arguments)
    if place.kind(vector) is Kind.TEXT and place.kind(text) is Kind.VECTOR:
        vector, text = text, vector
    if place.kind(vector) is not Kind.VECTOR or place.kind(text) is not Kind.TEXT:
        raise SQLError("hybrid needs a vector column and a text column of one table.", why=_WHERE)
    if vector.args["table"].name != text.args["table"].name:
        raise SQLError("hybrid needs both columns from one table.")
    if not all(_constant(one) for one in (near, words, *weights)):
        raise SQLError("hybrid compares with values, not with columns.")
    near_value, words_value = _value(near, place.values, params.vector), _value(words, place.values, _text)
    said = [_value(one, place.values, _weight) for one in weights] or [place.values.constant(0.5)] * 2
    return _call(HYBRID, vector, text, near_value, words_value, *(one.copy() for one in said))


def _nearness(arguments: list[exp.Expr], place: Place) -> exp.Expr:
    left, right = _two("<#>", arguments)
    if isinstance(left, exp.Anonymous):
        left, right = right, left
    if isinstance(right, exp.Anonymous) and right.name.lower() == RECORD:
        if not isinstance(left, exp.Tuple) or len(left.expressions) != 2:
            raise SQLError(f"Beside {RECORD} stands (vector column, text column).")
        return _hybrid([*left.expressions, *right.expressions], place)
    if Kind.TEXT in (place.kind(left), place.kind(right)):
        return _bm25([left, right], place)
    return _cosine([left, right], place)


def _distance(arguments: list[exp.Expr], place: Place) -> exp.Expr:
    return exp.paren(exp.Sub(this=exp.Literal.number(1), expression=_cosine(arguments, place)))


_MAKERS: dict[str, Callable[[list[exp.Expr], Place], exp.Expr]] = {
    COSINE: _cosine,
    BM25: _bm25,
    HYBRID: _hybrid,
    NEARNESS: _nearness,
    DISTANCE: _distance,
}
_WHERE = "The column must be of a table that this SELECT itself names in FROM."


def _two(name: str, arguments: list[exp.Expr]) -> tuple[exp.Expr, exp.Expr]:
    if len(arguments) != 2:
        raise SQLError(f"{name} takes a column and a value.")
    return _bare(arguments[0]), _bare(arguments[1])


def _bare(node: exp.Expr) -> exp.Expr:
    """Without parentheses and casts: what it is compared as is known from the column."""
    while isinstance(node, exp.Paren | exp.Cast):
        node = node.this
    return node


def _constant(node: exp.Expr) -> bool:
    if isinstance(node, exp.Array):
        return all(_constant(_bare(one)) for one in node.expressions)
    if isinstance(node, exp.Neg):
        return isinstance(node.this, exp.Literal)
    return isinstance(node, exp.Parameter | exp.Literal | exp.Null)


def _value(node: exp.Expr, values: Values, convert: Convert) -> exp.Parameter:
    if isinstance(node, exp.Parameter):
        return values.converted(int(node.this.name), convert)
    return values.constant(convert(_literal(node)))


def _literal(node: exp.Expr) -> Any:
    if isinstance(node, exp.Array):
        return tuple(_literal(_bare(one)) for one in node.expressions)
    if isinstance(node, exp.Null):
        return None
    if isinstance(node, exp.Neg):
        return -_literal(node.this)
    if isinstance(node, exp.Literal):
        return node.this if node.is_string else float(node.this)
    raise SQLError("A vector's numbers are written out, or bound as a parameter.")


def _vector_alone(value: Any) -> Any:
    said = params.vector(value)
    if isinstance(said, str):
        raise WrongValue("A text cannot be compared with this vector.", why=_WHERE)
    return said


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise WrongValue(f"bm25 searches for a text; this is a {type(value).__name__}.")
    return value


def _weight(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise WrongValue("A weight is a number from 0 on.", why=f"This is {str(value)[:50]!r}.")
    return float(value)


def is_score(node: exp.Expr | None) -> bool:
    """A scoring call in its one spelling."""
    return isinstance(node, exp.Anonymous) and node.name in (COSINE, BM25, HYBRID, "list_cosine_similarity")


def _nearest_first(ordered: exp.Ordered) -> None:
    """ORDER BY a score: highest first unless a direction was written, NULL last unless that was."""
    score = _meant(ordered)
    if isinstance(ordered.this, exp.Paren) and isinstance(score, exp.Sub) and not ordered.args.get("desc"):
        ordered.set("this", score.expression)  # nearest by distance is highest by cosine
        ordered.set("desc", True)
    elif is_score(score):
        if ordered.args.get("desc") is None:
            ordered.set("desc", True)
    else:
        return
    if not ordered.meta.get(NULLS_SAID):
        ordered.set("nulls_first", False)


def _meant(ordered: exp.Ordered) -> exp.Expr | None:
    """What is ordered by, an alias followed to what it names; of a distance, its subtraction."""
    node: exp.Expr = ordered.this
    query = ordered.find_ancestor(exp.Query)
    if isinstance(node, exp.Column) and not node.table and query is not None:
        node = next((one.unalias() for one in query.selects if one.alias_or_name == node.name), node)
    if isinstance(node, exp.Paren) and isinstance(node.this, exp.Sub) and is_score(node.this.expression):
        return node.this if node.this.this == exp.Literal.number(1) else None
    return node
