"""What the two engines say differently and sqlglot does not know of: JSON, times, whole numbers.

Both are to answer alike: times are UTC without a zone in DuckDB, whole numbers divide to whole numbers.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlglot import exp
from sqlglot.expressions import DType

from hivemind_cli.core.errors import SQLError, WrongValue
from hivemind_cli.storage.tables import Kind
from hivemind_cli.tables.sql.safety import NAMED
from hivemind_cli.tables.sql.scores import Place


def suited(tree: exp.Expr, place: Place) -> exp.Expr:
    """`tree`, its names resolved, as its engine has to say it. SQLError: it cannot."""
    changes = _DUCKDB if place.dialect == "duckdb" else _POSTGRES
    for node in list(tree.walk(bfs=False))[::-1]:  # from the leaves up: what stands within is suited already
        change = changes.get(type(node))
        made = change(node, place) if change is not None else node
        if made is not node:
            if node is tree:
                return made
            node.replace(made)
    return tree


def kind_of(node: exp.Expr, place: Place) -> Kind | None:
    """Of a column of a table, what is taken out of JSON, text made of text, and a cast; None: not known."""
    if isinstance(node, exp.Column):
        return place.kind(node)
    if isinstance(node, exp.Paren):
        return kind_of(node.this, place)
    if isinstance(node, exp.JSONExtract | exp.JSONBExtract):
        return Kind.JSON
    if isinstance(node, _TEXTS):
        return Kind.TEXT
    if isinstance(node, exp.Cast):
        return _CASTS.get(node.to.this)
    return Kind.INT if _whole(node, place) else None


_TEXTS = (exp.JSONExtractScalar, exp.JSONBExtractScalar, exp.Upper, exp.Lower, exp.Trim, exp.Concat, exp.DPipe)
_CASTS = {
    DType.TEXT: Kind.TEXT,
    DType.VARCHAR: Kind.TEXT,
    DType.JSON: Kind.JSON,
    DType.JSONB: Kind.JSON,
    DType.INT: Kind.INT,
    DType.BIGINT: Kind.BIGINT,
    DType.SMALLINT: Kind.INT,
}


def _whole(node: exp.Expr, place: Place) -> bool:
    if isinstance(node, exp.Literal):
        return not node.is_string and node.this.isdigit()
    if isinstance(node, exp.Count | exp.Length | exp.RowNumber | exp.IntDiv):
        return True
    if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Mod):
        return _whole(node.this, place) and _whole(node.expression, place)
    if isinstance(node, exp.Neg | exp.Window | exp.Sum | exp.Min | exp.Max | exp.Abs):
        return isinstance(node.this, exp.Expr) and _whole(node.this, place)
    if isinstance(node, exp.Column | exp.Cast | exp.Paren):
        return kind_of(node, place) in (Kind.INT, Kind.BIGINT)
    return False


def _function(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[one.copy() for one in arguments])


def _now(_: exp.Expr, __: Place) -> exp.Expr:
    return _function("make_timestamp", _function("epoch_us", exp.Anonymous(this="now", expressions=[])))


def _today(_: exp.Expr, __: Place) -> exp.Expr:
    return exp.cast(_now(_, __), DType.DATE)


def _from_unix(node: exp.Expr, _: Place) -> exp.Expr:
    micros = exp.Mul(this=exp.paren(node.this.copy()), expression=exp.Literal.number(1_000_000))
    return _function("make_timestamp", exp.cast(micros, DType.BIGINT))


def _in_zone(node: exp.Expr, _: Place) -> exp.Expr:
    """A time, which is UTC, as clocks in a zone show it."""
    aware = exp.AtTimeZone(this=exp.paren(node.this.copy()), zone=exp.Literal.string("UTC"))
    return exp.AtTimeZone(this=exp.paren(aware), zone=node.args["zone"].copy())


def _cast(node: exp.Expr, _: Place) -> exp.Expr:
    """Times without a zone; `{1,2}` as `[1,2]`; text for a uuid."""
    assert isinstance(node, exp.Cast)
    kind, said = node.to.this, node.this
    written = said.this.strip() if isinstance(said, exp.Literal) and said.is_string else ""
    if kind is DType.TIMESTAMPTZ:
        said = exp.Literal.string(_utc(written)) if written else said
        return exp.cast(said.copy(), DType.TIMESTAMP)
    if kind is DType.VECTOR:
        return exp.cast(said.copy(), "FLOAT[]", dialect="duckdb")
    if kind is DType.ARRAY and written.startswith("{"):
        return exp.cast(exp.Literal.string(f"[{written[1:-1]}]"), node.to.copy())
    return node


def _utc(written: str) -> str:
    try:
        found = datetime.fromisoformat(written)
    except ValueError as exc:
        raise SQLError(f"{written[:100]!r} is no time.", fix="Write it as 2026-01-31 12:00:00+00.") from exc
    return (found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found).isoformat(" ")


def _divided(node: exp.Expr, place: Place) -> exp.Expr:
    if _whole(node.this, place) and _whole(node.args["expression"], place):
        return exp.IntDiv(this=node.this.copy(), expression=node.args["expression"].copy())
    return node


def _contains(node: exp.Expr, place: Place) -> exp.Expr:
    left, right = node.this, node.args["expression"]
    written = right.this.lstrip() if isinstance(right, exp.Literal) and right.is_string else ""
    if Kind.JSON in (kind_of(left, place), kind_of(right, place)) or written[:1] in ("{", "["):
        return _function("json_contains", left, exp.cast(right.copy(), DType.JSON))
    return node


def _has_key(node: exp.Expr, _: Place) -> exp.Expr:
    key = node.args["expression"]
    if not isinstance(key, exp.Literal):
        raise SQLError("The key to the right of ? is written out.")
    return _function("json_exists", node.this, exp.Literal.string(_pointer([key.this])))


def _at_path(node: exp.Expr, _: Place) -> exp.Expr:
    path = node.args["expression"]
    if not isinstance(path, exp.Literal) or not (path.this.startswith("{") and path.this.endswith("}")):
        raise SQLError("The path to the right of #> is written out: '{a,0}'.")
    pointer = exp.Literal.string(_pointer([one.strip().strip('"') for one in path.this[1:-1].split(",")]))
    name = "json_extract_string" if isinstance(node, exp.JSONBExtractScalar) else "json_extract"
    return _function(name, node.this, pointer)


def _pointer(keys: list[str]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def _json_list(node: exp.Expr, _: Place) -> exp.Expr:
    order = node.args.get("order")
    said = node.this if isinstance(node, exp.JSONArrayAgg) else node.expressions[0]
    inner = exp.Order(this=said.copy(), expressions=[one.copy() for one in order.expressions]) if order else said
    return _function("to_json", exp.ArrayAgg(this=inner.copy()))


def _named(node: exp.Expr, place: Place) -> exp.Expr:
    name = node.name.lower()
    if name == "jsonb_agg":
        return _json_list(node, place)
    if name in ("json_typeof", "jsonb_typeof"):
        return _type_of_json(node.expressions[0])
    return _function(NAMED[name], *node.expressions) if NAMED.get(name) else node


def _type_of_json(said: exp.Expr) -> exp.Expr:
    case = exp.Case(this=_function("json_type", said), default=exp.Literal.string("number"))
    for theirs, ours in (("VARCHAR", "string"), ("OBJECT", "object"), ("ARRAY", "array"), ("BOOLEAN", "boolean")):
        case = case.when(exp.Literal.string(theirs), exp.Literal.string(ours))
    case = case.when(exp.Literal.string("NULL"), exp.Literal.string("null"))
    return exp.Case(ifs=[exp.If(this=exp.Not(this=exp.Is(this=said.copy(), expression=exp.Null())), true=case)])


def _rounded(node: exp.Expr, _: Place) -> exp.Expr:
    """PostgreSQL rounds numeric alone to a number of digits."""
    if not node.args.get("decimals"):
        return node
    exact = exp.Round(this=exp.cast(node.this.copy(), DType.DECIMAL), decimals=node.args["decimals"].copy())
    return exp.cast(exact, DType.DOUBLE)


def _any_duckdb(node: exp.Expr, place: Place) -> exp.Expr:
    """= ANY($1): a list of texts is bound as JSON, a list of numbers as it is."""
    number = _list_parameter(node)
    compared = node.parent.this if node.parent is not None else None
    if not number or not isinstance(compared, exp.Expr) or kind_of(compared, place) is not Kind.TEXT:
        return node
    texts = _function("from_json", place.values.converted(number, _json_of_list), exp.Literal.string('["VARCHAR"]'))
    return type(node)(this=exp.paren(texts))


def _any_postgres(node: exp.Expr, place: Place) -> exp.Expr:
    """= ANY($1): a list is bound as text of an array, which takes the type of what it is compared with."""
    number = _list_parameter(node)
    return type(node)(this=exp.paren(place.values.converted(number, _array_of_list))) if number else node


def _list_parameter(node: exp.Expr) -> int:
    said = node.this.unnest() if isinstance(node.this, exp.Expr) else None
    return int(said.this.name) if isinstance(said, exp.Parameter) else 0


def _list(value: Any) -> list[Any]:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if not isinstance(value, list):
        raise WrongValue("ANY takes a list.", why=f"This is a {type(value).__name__}.")
    return value


def _json_of_list(value: Any) -> str:
    return json.dumps(_list(value), ensure_ascii=False)


def _array_of_list(value: Any) -> str:
    """PostgreSQL's text of an array, https://www.postgresql.org/docs/16/arrays.html#ARRAYS-IO."""
    said = ['"' + re.sub(r'(["\\])', r"\\\1", one) + '"' if isinstance(one, str) else str(one) for one in _list(value)]
    return "{" + ",".join(said) + "}"


TEXT_CHARS_MAX = 1_000_000
"""How often `repeat` repeats, how long `lpad` makes a text: an engine does not count that memory, nor can it be broken
off meanwhile (measured: lpad to 1e9 characters took 40 s, and more memory than the engine is given)."""


def _repeated(node: exp.Expr, _: Place) -> exp.Expr:
    return exp.Repeat(this=node.this.copy(), times=_at_most(node.args["times"]))


def _padded(node: exp.Expr, _: Place) -> exp.Expr:
    made = node.copy()
    made.set("expression", _at_most(node.args["expression"]))
    return made


def _at_most(count: exp.Expr) -> exp.Expr:
    return exp.Least(this=count.copy(), expressions=[exp.Literal.number(TEXT_CHARS_MAX)])


_Change = Callable[[exp.Expr, Place], exp.Expr]
_DUCKDB: dict[type[exp.Expr], _Change] = {
    exp.CurrentTimestamp: _now,
    exp.Localtimestamp: _now,
    exp.CurrentDate: _today,
    exp.UnixToTime: _from_unix,
    exp.AtTimeZone: _in_zone,
    exp.Cast: _cast,
    exp.Div: _divided,
    exp.ArrayContainsAll: _contains,
    exp.JSONBContainsTopKey: _has_key,
    exp.JSONBExtract: _at_path,
    exp.JSONBExtractScalar: _at_path,
    exp.JSONArrayAgg: _json_list,
    exp.Anonymous: _named,
    exp.Any: _any_duckdb,
    exp.All: _any_duckdb,
}
_POSTGRES: dict[type[exp.Expr], _Change] = {exp.Round: _rounded, exp.Any: _any_postgres, exp.All: _any_postgres}
for _engine in (_DUCKDB, _POSTGRES):
    _engine |= {exp.Repeat: _repeated, exp.Pad: _padded}
