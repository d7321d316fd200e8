"""Types of columns from the values somebody ingests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hivemind_cli.core.errors import WrongValue
from hivemind_cli.storage.tables import Kind, Type
from hivemind_cli.tables.catalog import ColumnInfo, plain


def columns_of(columns: Mapping[str, Any], types: Mapping[str, Type], embed: Mapping[str, str]) -> list[ColumnInfo]:
    """What a new table's columns are: as `types` says, else by their values; `plain` names. WrongValue: nothing fits.

    A column of nothing but None has no type yet: its first value gives it one.
    """
    said = {plain(name): type for name, type in types.items()}
    made = {plain(name): plain(text) for name, text in embed.items()}
    found = []
    for name, values in columns.items():
        known = said.pop(plain(name), None) or type_of(name, values)
        found.append(
            ColumnInfo(plain(name), known or Type(Kind.TEXT), untyped=known is None, embeds=made.get(plain(name), ""))
        )
    found += [ColumnInfo(name, type, embeds=made.get(name, "")) for name, type in said.items()]
    names = {column.name for column in found}
    found += [ColumnInfo(name, Type(Kind.VECTOR), embeds=text) for name, text in made.items() if name not in names]
    return embeddable(found)


def embeddable(columns: list[ColumnInfo]) -> list[ColumnInfo]:
    """The same columns. WrongValue: a new one is to be made of a text that is not there, or is no vector column."""
    texts = {column.name for column in columns if column.type.kind is Kind.TEXT}
    for column in columns:
        if column.model or not column.embeds:
            continue
        if column.embeds not in texts or column.type.kind is not Kind.VECTOR:
            raise WrongValue(
                f"{column.name} cannot be made of {column.embeds}.",
                why=f"`embed` is vector column -> text column; of text: {', '.join(sorted(texts)) or 'none'}.",
                fix='Write embed={"embedding": "task"}.',
            )
    return columns


def settled(table_columns: Iterable[ColumnInfo], columns: Mapping[str, Any]) -> list[ColumnInfo]:
    """The same columns; those without a type have one where values are given now."""
    given = {plain(name): values for name, values in columns.items()}
    found = []
    for column in table_columns:
        type = type_of(column.name, given[column.name]) if column.untyped and column.name in given else None
        found.append(replace(column, type=type, untyped=False) if type else column)
    return found


def type_of(name: str, values: "Sequence[Any] | NDArray[Any]") -> Type | None:
    """None: no value says. WrongValue: they have no type in common."""
    if isinstance(values, np.ndarray) and values.ndim == 2:
        return Type(Kind.VECTOR, values.shape[1])
    kinds = {_kind(value) for value in values if value is not None}
    if kinds <= {Kind.BIGINT, Kind.DOUBLE} and kinds:
        return Type(Kind.DOUBLE if Kind.DOUBLE in kinds else Kind.BIGINT)
    if kinds == {Kind.JSON, Kind.VECTOR}:
        if not all(map(_numbers, values)):
            return Type(Kind.JSON)
        kinds = {Kind.VECTOR}  # [1, 0] beside [0.5, 0.5]
    if len(kinds) > 1:
        said = ", ".join(sorted(kinds))
        fix = "Give one kind of value, or name the type: types={...}."
        raise WrongValue(f"The values of {name} have no type in common.", why=f"They are {said}.", fix=fix)
    if kinds == {Kind.VECTOR}:
        dims = {len(value) for value in values if value is not None}
        return Type(Kind.VECTOR, dims.pop()) if len(dims) == 1 else Type(Kind.JSON)
    return Type(kinds.pop()) if kinds else None


def _kind(value: Any) -> Kind:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return Kind.BOOLEAN
    if isinstance(value, int):
        return Kind.BIGINT
    if isinstance(value, float):
        return Kind.DOUBLE
    if isinstance(value, str):
        return Kind.TEXT
    if isinstance(value, datetime):
        return Kind.TIMESTAMP
    if isinstance(value, np.ndarray):
        return Kind.VECTOR
    if isinstance(value, (list, tuple)):
        return Kind.VECTOR if any(map(_real, value)) and _numbers(value) else Kind.JSON
    if isinstance(value, dict):
        return Kind.JSON
    raise WrongValue(f"A value of type {type(value).__name__} has no place in a table.", why=f"{str(value)[:60]!r}.")


def _real(value: Any) -> bool:
    """Whole numbers alone could be ids: a list of them is JSON."""
    return isinstance(value, (float, np.floating))


def _numbers(value: Any) -> bool:
    """None, or what could be a vector."""
    if value is None or isinstance(value, np.ndarray):
        return True
    return isinstance(value, (list, tuple)) and bool(value) and all(map(_number, value))


def _number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
