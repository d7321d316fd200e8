"""Values on their way into DuckDB and out of it."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hivemind_cli.storage.schema import naive_utc
from hivemind_cli.storage.tables import Kind, Type

SQL_TYPES = {
    Kind.TEXT: "VARCHAR",
    Kind.JSON: "JSON",
    Kind.VECTOR: "FLOAT[]",
    Kind.INT: "INTEGER",
    Kind.BIGINT: "BIGINT",
    Kind.REAL: "FLOAT",
    Kind.DOUBLE: "DOUBLE",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.TIMESTAMP: "TIMESTAMP",
}
_NUMPY = {
    Kind.INT: np.int32,
    Kind.BIGINT: np.int64,
    Kind.REAL: np.float32,
    Kind.DOUBLE: np.float64,
    Kind.BOOLEAN: np.bool_,
}
_ARRAYED = frozenset({"BIGINT", "INTEGER", "FLOAT", "DOUBLE", "BOOLEAN", "VARCHAR", "JSON", "TIMESTAMP", "FLOAT[]"})
"""DuckDB's types that say the same as arrays and as rows (a HUGEINT would lose digits)."""
_ZONED = "TIMESTAMP WITH TIME ZONE"
_KINDS = {
    "BIGINT": Kind.BIGINT,
    "HUGEINT": Kind.BIGINT,
    "UHUGEINT": Kind.BIGINT,
    "UBIGINT": Kind.BIGINT,
    "INTEGER": Kind.INT,
    "UINTEGER": Kind.BIGINT,
    "SMALLINT": Kind.INT,
    "USMALLINT": Kind.INT,
    "TINYINT": Kind.INT,
    "UTINYINT": Kind.INT,
    "FLOAT": Kind.REAL,
    "DOUBLE": Kind.DOUBLE,
    "BOOLEAN": Kind.BOOLEAN,
    "VARCHAR": Kind.TEXT,
    "JSON": Kind.JSON,
    "TIMESTAMP": Kind.TIMESTAMP,
    _ZONED: Kind.TIMESTAMP,
    "FLOAT[]": Kind.VECTOR,
}


def bound(value: Any) -> Any:
    """A value as DuckDB binds it."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        numbers = all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in value)
        return list(value) if value and numbers else json.dumps(list(value), ensure_ascii=False)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return naive_utc(value) if isinstance(value, datetime) else value


def stored(type: Type, value: Any) -> Any:
    """One value of a column as DuckDB binds it: JSON may be text, or a number, too."""
    if type.kind is Kind.JSON and value is not None:
        return json.dumps(value, ensure_ascii=False)
    return bound(value)


def array(type: Type, values: "Sequence[Any] | NDArray[Any]") -> NDArray[Any]:
    """A column as DuckDB scans it."""
    if type.kind in _NUMPY:
        return _numbers(values, _NUMPY[type.kind])
    if type.kind is Kind.TIMESTAMP:
        naive = [np.datetime64("NaT") if value is None else _time(value) for value in values]
        return np.array(naive, "datetime64[us]")
    found = np.empty(len(values), object)
    if type.kind is Kind.VECTOR:
        empty = np.zeros(0, np.float32)  # told from a vector by its length: DuckDB guesses a column by its first values
        for number, value in enumerate(values):
            found[number] = empty if value is None else np.asarray(value, np.float32)
    elif type.kind is Kind.JSON:
        found[:] = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    else:
        found[:] = list(values)
    return found


def _time(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError(f"{str(value)[:50]!r} is no time")
    return naive_utc(value)


def _numbers(values: "Sequence[Any] | NDArray[Any]", as_type: Any) -> NDArray[Any]:
    if isinstance(values, np.ndarray):
        return values.astype(as_type, copy=False)
    missing = [value is None for value in values]
    if not any(missing):
        return np.asarray(values, as_type)
    filled: NDArray[Any] = np.array([0 if value is None else value for value in values], as_type)
    return np.ma.MaskedArray(filled, mask=missing)


def selected(type: Type, name: str) -> str:
    """SQL of the column that `array` made."""
    if type.kind is Kind.VECTOR:
        return f"CASE WHEN len({name}) = 0 THEN NULL ELSE {name}::FLOAT[] END"
    return f"{name}::{SQL_TYPES[type.kind]}"


@dataclass(frozen=True, slots=True)
class Kinds:
    """What a statement's columns are."""

    names: tuple[str, ...]
    said: tuple[str, ...]
    """As DuckDB says it."""
    types: tuple[Type, ...]

    @classmethod
    def of(cls, description: Sequence[Sequence[Any]] | None) -> "Kinds":
        """Of a cursor's description."""
        names = tuple(str(one[0]) for one in description or ())
        said = tuple(str(one[1]) for one in description or ())
        return cls(names, said, tuple(Type(_kind(one)) for one in said))

    @property
    def zoned(self) -> bool:
        """Are there times with a zone among them?"""
        return _ZONED in self.said

    def unzoned(self, sql: str) -> str:
        """The same statement, its times in UTC."""
        places = [f"c{number}" for number in range(len(self.names))]
        chosen = [
            f"CAST({place} AS TIMESTAMP)" if said == _ZONED else place
            for place, said in zip(places, self.said, strict=True)
        ]
        named = [
            f'{one} AS "{name}"'
            for one, name in zip(chosen, (name.replace('"', '""') for name in self.names), strict=True)
        ]
        return f"SELECT {', '.join(named)} FROM ({sql}) AS hm_zoned({', '.join(places)})"

    @property
    def quicker_as_arrays(self) -> bool:
        """Are there vectors among them, which take 20 times as long as rows, and nothing that arrays say otherwise?"""
        return "FLOAT[]" in self.said and _ARRAYED.issuperset(self.said) and len(set(self.names)) == len(self.names)

    def rows_of_arrays(self, found: Mapping[str, NDArray[Any]]) -> list[tuple[Any, ...]]:
        """The same as `rows`, of a result fetched as arrays; NULL is masked there."""
        columns = []
        for name, type, said in zip(self.names, self.types, self.said, strict=True):
            convert = None if type.kind is Kind.VECTOR else _converter(type.kind, said)
            values = found[name].tolist()
            columns.append(
                values if convert is None else [None if value is None else convert(value) for value in values]
            )
        return list(zip(*columns, strict=True))

    def rows(self, found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Values as `Kind` says."""
        converters = [_converter(type.kind, said) for type, said in zip(self.types, self.said, strict=True)]
        if not any(converters):
            return found
        return [
            tuple(
                value if convert is None or value is None else convert(value)
                for value, convert in zip(row, converters, strict=True)
            )
            for row in found
        ]


def _kind(said: str) -> Kind:
    if said in _KINDS:
        return _KINDS[said]
    if said.startswith("DECIMAL"):
        return Kind.DOUBLE
    if said.startswith(("STRUCT", "MAP")) or re.search(r"\[\d*\]$", said):
        return Kind.JSON
    return Kind.TEXT


def _converter(kind: Kind, said: str) -> Callable[[Any], Any] | None:
    if kind is Kind.VECTOR:
        return _vector
    if kind is Kind.JSON:
        return _parsed if said == "JSON" else _plain
    if kind is Kind.TIMESTAMP:
        return _aware
    if said.startswith("DECIMAL"):
        return float
    return str if kind is Kind.TEXT and said != "VARCHAR" else None


def _vector(value: Any) -> NDArray[np.float32]:
    return np.array(value, np.float32)


def _aware(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC)


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    """A list or struct as JSON can say it."""
    return json.loads(json.dumps(value, default=str))
