"""Cells of an INSERT and values of an UPDATE: what is written out or bound needs no engine to be known."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlglot import exp

from hivemind_cli.core.errors import SQLError, WrongValue
from hivemind_cli.storage.tables import Kind
from hivemind_cli.tables.catalog import ColumnInfo


class Default:
    """DEFAULT: whatever the column's is."""


@dataclass(slots=True)
class Expression:
    """To be computed by the engine."""

    node: exp.Expr
    value: Any = None


Cell = Any
"""A value, Default or Expression."""


def cell(node: exp.Expr, values: Sequence[Any]) -> Cell:
    """A parameter's or a literal's value, casts left aside (the column says what it is); else an Expression."""
    said = node
    while isinstance(said, exp.Paren) or (isinstance(said, exp.Cast) and _plain_cast(said)):
        said = said.this
    if isinstance(said, exp.Parameter):
        return values[int(said.this.name) - 1]
    if is_default(said):
        return Default()
    found = _written(said)
    return Expression(node) if found is _NOTHING else found


def is_default(node: exp.Expr) -> bool:
    """The word DEFAULT."""
    return isinstance(node, exp.Var | exp.Column) and node.name.upper() == "DEFAULT" and not node.args.get("table")


_NOTHING = object()


def _plain_cast(node: exp.Cast) -> bool:
    """Of something written out or bound: `$5::jsonb`, `'2020-01-01'::date`."""
    return isinstance(node.this, exp.Parameter | exp.Literal | exp.Array | exp.Null | exp.Cast | exp.Paren | exp.Neg)


def _written(node: exp.Expr) -> Any:
    if isinstance(node, exp.Null):
        return None
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Neg):
        number = _written(node.this)
        return -number if isinstance(number, int | float) and not isinstance(number, bool) else _NOTHING
    if isinstance(node, exp.Literal):
        return node.this if node.is_string else _number(node.this)
    if isinstance(node, exp.Array):
        found = [_written(one) for one in node.expressions]
        return _NOTHING if any(one is _NOTHING for one in found) else found
    return _NOTHING


def _number(written: str) -> int | float:
    try:
        return int(written)
    except ValueError:
        pass
    try:
        return float(written)
    except ValueError as exc:
        raise SQLError(f"{written[:50]} is no number.") from exc


def column_value(column: ColumnInfo, value: Any) -> Any:
    """A value as SQL assigns it to a column: text of a number is that number, and a number in a text column its text.

    WrongValue is left to `writing.checked`, but for numbers beyond 64 bits.
    """
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() and abs(value) < 2**63 else float(value)
    kind = column.type.kind
    if value is None or column.untyped:
        return value
    if kind is Kind.TEXT:
        return _text(value)
    if isinstance(value, str):
        return _of_text(kind, value)
    if kind in (Kind.INT, Kind.BIGINT) and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _of_text(kind: Kind, value: str) -> Any:
    said = value.strip()
    try:
        if kind in (Kind.INT, Kind.BIGINT):
            return int(said)
        if kind in (Kind.REAL, Kind.DOUBLE):
            return float(said)
    except ValueError as exc:
        raise WrongValue(f"{value[:100]!r} is no {kind}.") from exc
    if kind is Kind.BOOLEAN and said.lower() in _BOOLEANS:
        return _BOOLEANS[said.lower()]
    return value


_BOOLEANS = {"true": True, "t": True, "yes": True, "1": True, "false": False, "f": False, "no": False, "0": False}
