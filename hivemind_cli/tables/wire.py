"""Values, columns and results of agents' tables as JSON, between the daemon and everyone else. Knows no verb.

a value      itself; {"$time": ISO 8601}, {"$f32": base64}, {"$f64": base64} (a list of floats), and
             {"$json": ...} for an object that would look like one of these
a column     a list of values; {"$f32" | "$f64": base64 [rows * dim], "dim"} for vectors of one length
columns      {"inline": {name: column}}, or {"file": name, "inline": ...}: see tables/handed.py
a result     {"names", "types": [[kind, dim]], "rows": n, "columns": [column]}, each as its type says
a shape      a dataclass as an object of its fields
"""

import binascii
import dataclasses
import json
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from hivemind_cli.core.errors import WrongValue
from hivemind_cli.storage.tables import Kind, Result, Type
from hivemind_cli.tables import handed

Json = Any
"""What `json.dumps` takes without a hook."""
S = TypeVar("S")

INLINE_BYTES_MAX = 4 * 1024 * 1024
"""Columns beyond this are handed over in a file: a line of the socket stays small."""
VALUES_BYTES_MAX = 32 * 1024 * 1024
"""Of all parameters of one statement; half of what one line of the socket may hold."""
PAGE_ROWS = 10_000
PAGE_BYTES = 4 * 1024 * 1024
"""A page of a result ends after about so much."""
NESTING_MAX = 200
"""Levels of lists and objects in one JSON value."""
_AS_THEY_ARE = frozenset({str, int, float, bool, NoneType})
_PACKED_MIN = 8
"""A list of fewer floats is as short in plain JSON."""


def values_to_json(values: Sequence[Any] | Mapping[str, Any] | None) -> Json:
    """The parameters of one statement, by position or by name. WrongValue."""
    if values is None:
        return None
    if isinstance(values, Mapping):
        sent: Json = {str(name): value_to_json(value) for name, value in values.items()}
        size = sum(map(_size, sent.values()))
    elif isinstance(values, (str, bytes)) or not isinstance(values, Sequence):
        raise WrongValue(
            f"Parameters are a list or a dict, not {type(values).__name__}.", fix="Write [value], also for one."
        )
    else:
        sent = [value_to_json(value) for value in values]
        size = sum(map(_size, sent))
    if size > VALUES_BYTES_MAX:
        raise WrongValue(
            f"The parameters have {size:,} bytes.",
            why=f"One statement takes {VALUES_BYTES_MAX:,} at most.",
            fix="Send fewer rows in one statement, or `ingest` them.",
        )
    return sent


def values_from_json(sent: Json) -> list[Any] | dict[str, Any] | None:
    """What `values_to_json` described. WrongValue where it is nothing of the kind."""
    if isinstance(sent, dict):
        return {name: value_from_json(value) for name, value in sent.items()}
    if sent is None or isinstance(sent, list):
        return None if sent is None else [value_from_json(value) for value in sent]
    raise _senseless("parameters")


def value_to_json(value: Any) -> Json:
    """One value of a person, as Python, numpy, Arrow or pandas say it. WrongValue: no kind of column holds such."""
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, (list, tuple)):
        return _list_to_json(value)
    if isinstance(value, Mapping):
        plain = _plain(value, 0)
        return {"$json": plain} if _looks_tagged(plain) else plain
    if isinstance(value, datetime):
        return None if value != value else {"$time": value.isoformat()}  # pandas' NaT is a datetime unlike itself
    if _is_array(value):
        return _array_to_json(value)
    return _plain(value, 0)


def value_from_json(sent: Json) -> Any:
    """What `value_to_json` described: a datetime as it was, aware or not; a float32 array; else plain Python."""
    if type(sent) is not dict or len(sent) != 1:
        return sent
    ((tag, inner),) = sent.items()
    try:
        if tag == "$time":
            return datetime.fromisoformat(inner)
        if tag == "$f64":
            return array("d", binascii.a2b_base64(inner)).tolist()
        if tag == "$f32":
            import numpy as np

            return np.frombuffer(binascii.a2b_base64(inner), dtype="<f4")
    except (ValueError, TypeError) as exc:
        raise _senseless("a value") from exc
    return inner if tag == "$json" else sent


def columns_to_json(columns: Mapping[str, Any], folder: Path | None = None) -> Json:
    """Columns of equal length: lists, tuples or numpy arrays (float [rows, dim] for vectors). WrongValue.

    Above INLINE_BYTES_MAX they are written into `folder`, where there is one, for the daemon to take.
    """
    blobs: list[bytes] = []

    def keep(data: bytes) -> Json:
        blobs.append(data)
        return len(blobs) - 1

    sent = {str(name): _column_to_json(column, keep) for name, column in columns.items()}
    size = sum(map(len, blobs)) + sum(_column_size(column) for column in sent.values())
    if folder is not None and size > INLINE_BYTES_MAX:
        return {"file": handed.write(folder, sent, blobs)}
    if size > VALUES_BYTES_MAX:
        raise WrongValue(f"The rows have {size:,} bytes, and a line takes {VALUES_BYTES_MAX:,} at most.")
    for column in sent.values():
        if isinstance(column, dict):
            tag = "$f32" if "$f32" in column else "$f64"
            column[tag] = _base64(blobs[column[tag]])
    return {"inline": sent}


def columns_from_json(sent: Json, folder: Path | None = None) -> dict[str, Any]:
    """What `columns_to_json` described: a list a column, or a float array [rows, dim]. Takes the file away. WrongValue.

    A column of lists of floats comes as float64 [rows, dim]: vectors, or, in a JSON column, lists (`tolist`).
    """
    try:
        if "file" in sent:
            if folder is None:
                raise _senseless("columns")
            header, blob = handed.take(folder, str(sent["file"]))
            return {name: _column_from_json(column, blob) for name, column in header.items()}
        return {name: _column_from_json(column, binascii.a2b_base64) for name, column in sent["inline"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise _senseless("columns") from exc


def type_to_json(type: Type) -> Json:
    """[kind, dim]"""
    return [type.kind.value, type.dim]


def type_from_json(sent: Json) -> Type:
    """WrongValue for a kind there is not."""
    try:
        kind, dim = sent
        return Type(Kind(kind), int(dim))
    except (TypeError, ValueError) as exc:
        raise _senseless("a type") from exc


def result_to_json(result: Result) -> Json:
    """Rows with their names and types, a column each."""
    columns = list(zip(*result.rows, strict=True)) if result.rows else [() for _ in result.names]
    return {
        "names": list(result.names),
        "types": [type_to_json(type) for type in result.types],
        "rows": len(result.rows),
        "columns": [_typed_to_json(type.kind, column) for type, column in zip(result.types, columns, strict=True)],
    }


def result_from_json(sent: Json) -> Result:
    """What `result_to_json` described. WrongValue where it is nothing of the kind."""
    try:
        types = tuple(type_from_json(type) for type in sent["types"])
        columns = [_typed_from_json(type.kind, column) for type, column in zip(types, sent["columns"], strict=True)]
        rows = list(zip(*columns, strict=True)) if columns else [() for _ in range(int(sent["rows"]))]
        return Result(tuple(sent["names"]), types, rows)
    except (KeyError, TypeError, ValueError) as exc:
        raise _senseless("a result") from exc


def pages(result: Result) -> Iterator[Result]:
    """The result in parts of PAGE_ROWS rows or about PAGE_BYTES; at least one part."""
    start, size = 0, 0
    for number, row in enumerate(result.rows):
        size += sum(_size(value) for value in row)
        if size > PAGE_BYTES or number + 1 - start >= PAGE_ROWS:
            yield Result(result.names, result.types, result.rows[start : number + 1])
            start, size = number + 1, 0
    if start < len(result.rows) or not result.rows:
        yield Result(result.names, result.types, result.rows[start:])


def shape_to_json(value: Any) -> Json:
    """A dataclass, or lists and dicts of them: each an object of its fields."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: shape_to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)) and set(map(type, value)) != {float}:
        return [shape_to_json(one) for one in value]
    if isinstance(value, Mapping):
        inner = {str(name): shape_to_json(one) for name, one in value.items()}
        return {"$json": inner} if _looks_tagged(inner) else inner
    return value_to_json(value)


def shape_from_json(kind: type[S], sent: Json) -> S:
    """The dataclass `kind` that `shape_to_json` described, without fields this version does not know. WrongValue."""
    try:
        made: S = _shaped(kind, sent)
        return made
    except (TypeError, ValueError, KeyError, AttributeError) as exc:
        raise _senseless(kind.__name__) from exc


def _shaped(kind: Any, sent: Json) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        return kind(**{name: _shaped(hints[name], value) for name, value in sent.items() if name in hints})
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        chosen = [one for one in inner if one is not NoneType]
        return None if sent is None else _shaped(chosen[0] if len(chosen) == 1 else Any, sent)
    if origin is tuple and isinstance(sent, list):
        return tuple(_shaped(inner[0] if inner[-1] is ... else one, value) for one, value in _paired(inner, sent))
    if isinstance(origin, type) and issubclass(origin, Sequence) and isinstance(sent, list):
        return [_shaped(inner[0], value) for value in sent]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {name: _shaped(inner[1], value) for name, value in value_from_json(sent).items()}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(sent)
    if kind in (Any, object) and isinstance(sent, list):
        return [_shaped(Any, value) for value in sent]
    found = value_from_json(sent)
    if isinstance(found, dict):
        return {name: _shaped(Any, value) for name, value in found.items()}
    return tuple(found) if origin is tuple else found


def _paired(inner: tuple[Any, ...], sent: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip([inner[0]] * len(sent) if inner[-1] is ... else inner, sent, strict=True)


@cache
def _hints(kind: type[Any]) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _list_to_json(value: Sequence[Any]) -> Json:
    if len(value) >= _PACKED_MIN and set(map(type, value)) == {float}:
        return {"$f64": _base64(array("d", value).tobytes())}
    return _plain(value, 0)


def _array_to_json(value: Any) -> Json:
    """A numpy array or scalar."""
    if value.ndim == 1 and value.dtype.kind == "f":
        if value.dtype.itemsize <= 4:
            return {"$f32": _base64(value.astype("<f4").tobytes())}
        return {"$f64": _base64(value.astype("<f8").tobytes())}
    return value_to_json(_of_array(value))


def _of_array(value: Any) -> Any:
    """A numpy array or scalar as plain Python; times are UTC where numpy says no zone."""
    if value.dtype.kind == "M":
        value = value.astype("datetime64[us]")
    return value.tolist()


def _plain(value: Any, depth: int) -> Json:
    """Inside JSON: what JSON has no word for is said as text or number, as one would expect. WrongValue."""
    if type(value) in _AS_THEY_ARE:
        return value
    if depth > NESTING_MAX:
        raise WrongValue(f"A JSON value is nested more than {NESTING_MAX} levels deep, or holds itself.")
    if isinstance(value, (list, tuple)):
        return [_plain(one, depth + 1) for one in value]
    if isinstance(value, Mapping):
        return {_key(name): _plain(one, depth + 1) for name, one in value.items()}
    if isinstance(value, Enum):
        return _plain(value.value, depth + 1)
    if isinstance(value, (str, int, float)):
        return _base_of(value)
    if isinstance(value, date):  # a datetime is one
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if _is_array(value):
        return _plain(_of_array(value), depth + 1)
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    raise WrongValue(
        f"A value of type {type(value).__name__} has no place in a table.",
        why="Values are text, numbers, true and false, times, vectors, and JSON (dict and list).",
        fix="Say it as one of these; bytes as base64 text.",
    )


def _base_of(value: str | int | float) -> Json:
    """Of a subclass of a plain type, the plain value."""
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    return value


def _key(name: Any) -> str:
    """As `json.dumps` says the key of an object."""
    if isinstance(name, str):
        return str(name)
    if name is None or isinstance(name, (int, float)):
        return json.dumps(name)
    raise WrongValue(f"The key of a JSON object is text, not {type(name).__name__}.")


def _column_to_json(column: Any, keep: Callable[[bytes], Json]) -> Json:
    if _is_array(column):
        if column.ndim == 2 and column.dtype.kind == "f":
            return _matrix_to_json(column, keep)
        return [value_to_json(value) for value in (column if column.ndim > 1 else _of_array(column))]
    first: Any = next(iter(column), None)
    if _is_array(first) and first.ndim == 1 and first.dtype.kind == "f" and _alike(column, first):
        import numpy as np

        return _matrix_to_json(np.stack(column), keep)
    if isinstance(first, (list, tuple)) and len(first) >= _PACKED_MIN and _floats(column, len(first)):
        return {"$f64": keep(b"".join(array("d", row).tobytes() for row in column)), "dim": len(first)}
    return [value if type(value) in _AS_THEY_ARE else value_to_json(value) for value in column]


def _matrix_to_json(matrix: Any, keep: Callable[[bytes], Json]) -> Json:
    narrow = matrix.dtype.itemsize <= 4
    data = matrix.astype("<f4" if narrow else "<f8").tobytes()
    return {"$f32" if narrow else "$f64": keep(data), "dim": int(matrix.shape[1])}


def _alike(column: Sequence[Any], first: Any) -> bool:
    return all(_is_array(one) and one.shape == first.shape and one.dtype == first.dtype for one in column)


def _floats(column: Sequence[Any], dim: int) -> bool:
    """Is it lists of `dim` floats, all of them?"""
    return all(isinstance(row, (list, tuple)) and len(row) == dim and set(map(type, row)) == {float} for row in column)


def _column_from_json(sent: Json, blob: Callable[[Any], bytes | memoryview]) -> Any:
    if isinstance(sent, list):
        return [value if type(value) is not dict else value_from_json(value) for value in sent]
    import numpy as np

    tag, kind = ("$f32", "<f4") if "$f32" in sent else ("$f64", "<f8")
    return np.frombuffer(blob(sent[tag]), dtype=kind).reshape(-1, int(sent["dim"]))


def _typed_to_json(kind: Kind, column: Sequence[Any]) -> Json:
    """A result's column: its type says how to read it."""
    if kind is Kind.VECTOR:
        return _vectors_to_json(column)
    if kind is Kind.TIMESTAMP:
        return [None if value is None else value.isoformat() for value in column]
    return column


def _vectors_to_json(column: Sequence[Any]) -> Json:
    import numpy as np

    dims = {-1 if value is None else len(value) for value in column}
    if len(dims) == 1 and min(dims) > 0:
        return {"$f32": _base64(np.asarray(column, dtype="<f4").tobytes()), "dim": dims.pop()}
    return [None if value is None else _base64(np.asarray(value, dtype="<f4").tobytes()) for value in column]


def _typed_from_json(kind: Kind, sent: Json) -> Sequence[Any]:
    if kind is Kind.TIMESTAMP:
        return [None if value is None else datetime.fromisoformat(value) for value in sent]
    if kind is not Kind.VECTOR:
        return list(sent)
    import numpy as np

    if isinstance(sent, dict):
        data = np.frombuffer(binascii.a2b_base64(sent["$f32"]), dtype="<f4")
        return list(data.reshape(-1, int(sent["dim"])))
    return [None if value is None else np.frombuffer(binascii.a2b_base64(value), dtype="<f4") for value in sent]


def _is_array(value: Any) -> bool:
    """A numpy array or scalar, asked without importing numpy."""
    return hasattr(value, "dtype") and hasattr(value, "ndim") and hasattr(value, "tolist")


def _looks_tagged(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith("$")


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _column_size(column: Json) -> int:
    return sum(map(_size, column)) if isinstance(column, list) else 0


def _size(value: Any) -> int:
    """Bytes of a value on the wire, roughly."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return sum(len(name) + 4 + _size(one) for name, one in value.items()) + 2
    if isinstance(value, (list, tuple)):
        return sum(map(_size, value)) + 2
    return getattr(value, "nbytes", 8)


def _senseless(what: str) -> WrongValue:
    return WrongValue(f"The request holds no {what} that can be read.", fix="Is it sent by hivemind of this version?")
