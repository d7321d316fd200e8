"""Values on their way into PostgreSQL and out of it, in its binary format.

Source: PostgreSQL 16, chapter 55 (protocol) and src/backend/utils/adt; pgvector 0.8, src/vector.c.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection
from psycopg.adapt import Buffer, Dumper, Loader
from psycopg.pq import Format
from psycopg.pq.abc import PGresult
from psycopg.types.json import Jsonb, set_json_dumps
from psycopg.types.numeric import Float4, Float8, Int4, Int8

from hivemind_cli.core.errors import WrongValue
from hivemind_cli.storage.tables import Kind, Type

DIM_MAX = 16_000
"""pgvector's limit of a column."""
_BIGINTS, _DOUBLES = 1016, 1022
_NUMERIC, _TIMESTAMP, _TIMESTAMPTZ = 1700, 1114, 1184
_KINDS = {
    16: Kind.BOOLEAN,
    21: Kind.INT,
    23: Kind.INT,
    20: Kind.BIGINT,
    700: Kind.REAL,
    701: Kind.DOUBLE,
    _NUMERIC: Kind.DOUBLE,
    19: Kind.TEXT,
    25: Kind.TEXT,
    1042: Kind.TEXT,
    1043: Kind.TEXT,
    114: Kind.JSON,
    3802: Kind.JSON,
    _TIMESTAMP: Kind.TIMESTAMP,
    _TIMESTAMPTZ: Kind.TIMESTAMP,
    **dict.fromkeys((1000, 1005, 1007, _BIGINTS, 1009, 1015, 1021, _DOUBLES), Kind.JSON),
}
"""What comes in which type, by oid (pg_type.dat); lists are JSON."""
_OIDS = {
    Kind.TEXT: 25,
    Kind.JSON: 3802,
    Kind.INT: 23,
    Kind.BIGINT: 20,
    Kind.REAL: 700,
    Kind.DOUBLE: 701,
    Kind.BOOLEAN: 16,
    Kind.TIMESTAMP: _TIMESTAMPTZ,
}
SQL_TYPES = {
    Kind.TEXT: "text",
    Kind.JSON: "jsonb",
    Kind.VECTOR: "vector",
    Kind.INT: "integer",
    Kind.BIGINT: "bigint",
    Kind.REAL: "real",
    Kind.DOUBLE: "double precision",
    Kind.BOOLEAN: "boolean",
    Kind.TIMESTAMP: "timestamptz",
}
_NUMPY: dict[Kind, Any] = {
    Kind.INT: np.int32,
    Kind.BIGINT: np.int64,
    Kind.REAL: np.float32,
    Kind.DOUBLE: np.float64,
    Kind.BOOLEAN: np.bool_,
}
_WRAPPERS: dict[Kind, Any] = {Kind.INT: Int4, Kind.BIGINT: Int8, Kind.REAL: Float4, Kind.DOUBLE: Float8}
_LIMITS = {Kind.INT: 2**31, Kind.BIGINT: 2**63}
_REAL_MAX = float(np.finfo(np.float32).max)


class _Bytes(bytes):
    """Ready as PostgreSQL takes it."""


class VectorBytes(_Bytes):
    """One vector."""


class BigintsBytes(_Bytes):
    """bigint[]"""


class DoublesBytes(_Bytes):
    """double precision[]"""


class _AsIs(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer:
        return bytes(obj)


class _VectorLoader(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> NDArray[np.float32]:
        return np.frombuffer(data, ">f4", offset=4).astype(np.float32)


def adapt(connection: Connection[Any], vector_oid: int) -> None:
    """Teach a connection our types."""
    for oid, kind in ((vector_oid, VectorBytes), (_BIGINTS, BigintsBytes), (_DOUBLES, DoublesBytes)):
        connection.adapters.register_dumper(kind, type("_Dumper", (_AsIs,), {"oid": oid}))
    connection.adapters.register_loader(vector_oid, _VectorLoader)
    set_json_dumps(partial(json.dumps, ensure_ascii=False, allow_nan=False), connection)


def bound(value: Any) -> Any:
    """A value as psycopg binds it. Lists and dicts go as text of no type: a vector or JSON, as the column wants it."""
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f" and value.ndim == 1:
            return VectorBytes(vectors([value])[0] or b"")
        return json.dumps(value.tolist(), ensure_ascii=False)
    return value.item() if isinstance(value, np.generic) else value


def column(type: Type, values: "Sequence[Any] | NDArray[Any]") -> Sequence[Any]:
    """A column's values as COPY and `oid` want them. WrongValue, TypeError, ValueError."""
    if type.kind is Kind.VECTOR:
        return vectors(values)
    plain: Sequence[Any] = values.tolist() if isinstance(values, np.ndarray) else values
    if type.kind in _LIMITS:
        return [_integer(value, _LIMITS[type.kind]) for value in plain]
    if type.kind in (Kind.REAL, Kind.DOUBLE):
        return [_float(value, type.kind) for value in plain]
    if type.kind is Kind.TIMESTAMP:
        return [_aware(value) for value in plain]
    if type.kind is Kind.BOOLEAN:
        return [None if value is None else _boolean(value) for value in plain]
    return plain


def typed(type: Type, value: Any) -> Any:
    """One of `column`'s values as a parameter of an INSERT, always of the same type."""
    if value is None:
        return None
    if type.kind is Kind.VECTOR:
        return VectorBytes(value)
    if type.kind is Kind.JSON:
        return Jsonb(value)
    return _WRAPPERS[type.kind](value) if type.kind in _WRAPPERS else value


def oid(type: Type, vector_oid: int) -> int:
    """How COPY is told a column's type."""
    return vector_oid if type.kind is Kind.VECTOR else _OIDS[type.kind]


def vectors(values: "Sequence[Any] | NDArray[Any]") -> list[bytes | None]:
    """Each as pgvector's binary format: int16 dim, int16 0, float32 [dim], all big-endian. WrongValue."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiu" and values.ndim == 2:
        return list(_packed(values))
    lengths = {-1 if value is None else len(value) for value in values}
    if len(lengths) == 1 and -1 not in lengths:
        return list(_packed(np.asarray(values, np.float32)))
    return [None if value is None else _packed(np.asarray([value], np.float32))[0] for value in values]


def _packed(found: NDArray[Any]) -> list[bytes]:
    if found.ndim != 2 or not 0 < found.shape[1] <= DIM_MAX:
        raise WrongValue(
            "This is no vector that PostgreSQL can hold.", why=f"pgvector takes 1 to {DIM_MAX} numbers, in one list."
        )
    rows, dim = found.shape
    whole = np.zeros(rows, dtype=[("dim", ">i2"), ("unused", ">i2"), ("numbers", ">f4", (dim,))])
    whole["dim"] = dim
    whole["numbers"] = found
    data, size = whole.tobytes(), whole.itemsize
    return [data[start : start + size] for start in range(0, len(data), size)]


def array(numbers: NDArray[Any]) -> tuple[_Bytes, str]:
    """A column of a relation as one parameter, and its SQL type: int64 or float64 [n]."""
    whole = numbers.dtype.kind in "iub"
    element_oid, made, said = (20, BigintsBytes, "bigint[]") if whole else (701, DoublesBytes, "double precision[]")
    found = np.empty(len(numbers), dtype=[("size", ">i4"), ("value", ">i8" if whole else ">f8")])
    found["size"] = 8
    found["value"] = numbers
    dimensions = [1, 0, element_oid, len(numbers), 1] if len(numbers) else [0, 0, element_oid]
    return made(np.array(dimensions, ">i4").tobytes() + found.tobytes()), said


def types_of(result: PGresult, vector_oid: int) -> tuple[Type, ...] | None:
    """The columns' types; None if there is one that no Kind covers."""
    found = []
    for number in range(result.nfields):
        type_oid = result.ftype(number)
        if type_oid == vector_oid:
            found.append(Type(Kind.VECTOR, max(result.fmod(number), 0)))
        elif type_oid in _KINDS:
            found.append(Type(_KINDS[type_oid]))
        else:
            return None
    return tuple(found)


def types_as_text(result: PGresult, vector_oid: int) -> tuple[Type, ...]:
    """The same where the rows come as text: what no Kind covers is text."""
    found = [result.ftype(number) for number in range(result.nfields)]
    return tuple(Type(Kind.VECTOR if one == vector_oid else _KINDS.get(one, Kind.TEXT)) for one in found)


def converted(result: PGresult, types: Sequence[Type], rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Values as `Kind` says."""
    converters = [_converter(result.ftype(number), type.kind) for number, type in enumerate(types)]
    if not any(converters):
        return rows
    return [
        tuple(
            value if convert is None or value is None else convert(value)
            for value, convert in zip(row, converters, strict=True)
        )
        for row in rows
    ]


def numpy_column(type: Type, values: Sequence[Any]) -> NDArray[Any]:
    """One column as numpy has it: numbers as such, times in UTC without a zone, the rest as objects; NULL is masked."""
    missing = np.array([value is None for value in values], np.bool_)
    if type.kind is Kind.TIMESTAMP:
        found = np.array([None if one is None else one.replace(tzinfo=None) for one in values], "datetime64[us]")
    elif type.kind in _NUMPY:
        found = np.array([0 if value is None else value for value in values], _NUMPY[type.kind])
    else:
        found = np.empty(len(values), object)
        for number, value in enumerate(values):
            found[number] = value
    return np.ma.MaskedArray(found, mask=missing) if missing.any() else found


def _converter(type_oid: int, kind: Kind) -> Callable[[Any], Any] | None:
    if type_oid in (_TIMESTAMP, _TIMESTAMPTZ):
        return _in_utc
    if type_oid == _NUMERIC:
        return float
    if kind is Kind.VECTOR:
        return _parsed_vector
    return _as_text if kind is Kind.TEXT and type_oid not in _KINDS else None


def _in_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC)  # the session's zone is UTC


def _parsed_vector(value: Any) -> NDArray[np.float32]:
    return np.array(json.loads(value), np.float32) if isinstance(value, str) else value


def _as_text(value: Any) -> str:
    return str(value)


def _integer(value: Any, limit: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise WrongValue(f"{str(value)[:50]!r} is no whole number.")
    if not -limit <= value < limit:
        raise WrongValue(f"{str(value)[:50]} is too large for its column.")
    return int(value)


def _float(value: Any, kind: Kind) -> float | None:
    if value is None:
        return None
    if isinstance(value, (str, bool)):
        raise WrongValue(f"{str(value)[:50]!r} is no number.")
    found = float(value)
    if kind is Kind.REAL and _REAL_MAX < abs(found) < float("inf"):
        raise WrongValue(f"{found} is too large for its column.")
    return found


def _aware(value: Any) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise WrongValue(f"{str(value)[:50]!r} is no time.")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _boolean(value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise WrongValue(f"{str(value)[:50]!r} is neither true nor false.")
    return bool(value)


def _plain(value: Any) -> Any:
    """numpy's values inside lists and dicts."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in JSON")
