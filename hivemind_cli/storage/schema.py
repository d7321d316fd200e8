"""Records as columns and as JSON: one mapping, derived from the dataclasses, for every engine and the wire.

    record ◀─ from_json / to_json ─▶ plain JSON ◀─ from_values / to_values ─▶ one value a column

What an engine gives back is always `normalised(record)`: times in UTC, tuples in JSON as lists, text that no
UTF-8 can carry (lone surrogates) and numbers that JSON does not know replaced.
"""

import dataclasses
import json
import math
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from hivemind_cli.core.errors import StoreError
from hivemind_cli.core.records import RECORD_TYPES, Record

R = TypeVar("R", bound=Record)
Plain = Any
"""str, int, float, bool, None, or lists and str-keyed dicts of these."""

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1


class ColumnType(Enum):
    """What an engine must be able to keep."""

    TEXT = "text"
    INTEGER = "integer"  # 64 bits, signed
    DOUBLE = "double"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"  # UTC, without a zone, microseconds
    JSON = "json"  # as text


@dataclass(frozen=True, slots=True)
class _Codec:
    """How values of one annotation become plain JSON and come back."""

    type: ColumnType
    encode: Callable[[Any], Plain]
    decode: Callable[[Plain], Any]
    nullable: bool = False
    plain: bool = False
    """What an engine gives back is the value as it is."""


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a record."""

    name: str
    codec: _Codec
    required: bool

    @property
    def type(self) -> ColumnType:
        return self.codec.type

    @property
    def nullable(self) -> bool:
        return self.codec.nullable

    def value(self, field: Any) -> Any:
        """What an engine stores for `field`: str, int, float, bool, naive UTC datetime or None."""
        return _writer(self.codec)(field)


@dataclass(frozen=True, slots=True)
class Table:
    """One record type: its name in an engine, and its columns in the dataclass's order."""

    kind: type[Record]
    name: str
    """snake_case of the dataclass: `skill_revision`."""
    columns: Mapping[str, Column]
    writers: tuple[tuple[str, Callable[[Any], Any]], ...]
    """Field -> what makes of it the value that an engine stores, in order."""
    readers: tuple[tuple[str, Callable[[Any], Any] | None], ...]
    """Field -> what makes it of such a value again; None: it is the value."""

    def column(self, name: str) -> Column:
        """StoreError for a field the record does not have, or that no engine compares."""
        column = self.columns.get(name)
        if column is None:
            raise StoreError(
                f"{self.kind.__name__} has no field {name!r}.", why=f"Its fields are {', '.join(self.columns)}."
            )
        if column.type is ColumnType.JSON:
            raise StoreError(f"{self.kind.__name__}.{name} cannot be compared.", why="It is kept as JSON.")
        return column


def table_of(kind: type[Any]) -> Table:
    """The mapping of a record type; StoreError for anything else."""
    return table_named(kind.__name__)


def table_named(kind_name: str) -> Table:
    """The mapping of `kind_name`, a record's class name."""
    table = _tables().get(kind_name)
    if table is None:
        raise StoreError(f"{kind_name!r} is no record type.", why=f"They are {', '.join(_tables())}.")
    return table


def to_json(record: Record) -> dict[str, Plain]:
    """`record` as a JSON object. StoreError for a value that no engine could keep."""
    try:
        return {
            name: column.codec.encode(getattr(record, name)) for name, column in table_of(type(record)).columns.items()
        }
    except (TypeError, ValueError, OverflowError, AttributeError, RecursionError) as exc:
        raise _unfit(type(record).__name__, exc) from exc


def from_json(kind_name: str, value: Mapping[str, Plain]) -> Record:
    """The record of class `kind_name` that `value` describes.

    Unknown keys are ignored and missing ones take their default, so that versions next to each other can talk.
    """
    table = table_named(kind_name)
    try:
        fields = {
            name: table.columns[name].codec.decode(plain) for name, plain in value.items() if name in table.columns
        }
        return table.kind(**fields)
    except (TypeError, ValueError, OverflowError, AttributeError, KeyError, RecursionError) as exc:
        raise _unfit(kind_name, exc) from exc


def to_values(record: Record) -> tuple[Any, ...]:
    """One value a column, in the table's order."""
    try:
        return tuple([write(getattr(record, name)) for name, write in table_of(type(record)).writers])
    except (TypeError, ValueError, OverflowError, AttributeError, RecursionError) as exc:
        raise _unfit(type(record).__name__, exc) from exc


def from_values(kind: type[R], values: tuple[Any, ...]) -> R:
    """The record whose `to_values` are `values`."""
    readers = table_of(kind).readers
    return kind(**{name: read(value) if read else value for (name, read), value in zip(readers, values, strict=True)})


def normalised(record: R) -> R:
    """`record` as any engine gives it back."""
    return from_json(type(record).__name__, to_json(record))  # type: ignore[return-value]


def comparable(record: R) -> R:
    """`record` itself if its texts are as an engine gives them back, else `normalised(record)`."""
    texts = [getattr(record, name) for name in _text_names(type(record).__name__)]
    return record if all(isinstance(one, str) and one.isascii() for one in texts) else normalised(record)


def accepted(kind: type[Any], name: str, wanted: Any) -> list[Any]:
    """The stored values that `find(kind, name=wanted)` accepts: one, or those of a list, tuple or set."""
    column = table_of(kind).column(name)
    several = isinstance(wanted, (list, tuple, set, frozenset))
    found = [_comparable(column, value) for value in (wanted if several else [wanted])]
    return list(dict.fromkeys(found))


def naive_utc(moment: datetime) -> datetime:
    """`moment` in UTC without its zone. StoreError if it has none: nobody could say when that was."""
    if moment.tzinfo is UTC:
        return moment.replace(tzinfo=None)
    if moment.tzinfo is None:
        raise StoreError(f"{moment.isoformat()} has no time zone.", fix="Pass aware datetimes.")
    return moment.astimezone(UTC).replace(tzinfo=None)


def text(value: str) -> str:
    """`value` as UTF-8 can carry it: surrogate pairs are joined, lone surrogates become U+FFFD."""
    if value.isascii():
        return str(value)
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return str(value)


def _comparable(column: Column, wanted: Any) -> Any:
    if wanted is None:
        return None
    if not isinstance(wanted, _COMPARABLE[column.type]):
        raise StoreError(f"{column.name!r} cannot be compared with {wanted!r}.", why=f"It is {column.type.value}.")
    if isinstance(wanted, str):
        return text(wanted)
    return naive_utc(wanted) if isinstance(wanted, datetime) else wanted


def _unfit(kind_name: str, exc: Exception) -> StoreError:
    return StoreError(f"This {kind_name} cannot be stored.", why=f"{type(exc).__name__}: {exc}.")


@cache
def _tables() -> dict[str, Table]:
    return {kind.__name__: _table(kind) for kind in RECORD_TYPES}


def _table(kind: type[Record]) -> Table:
    hints = get_type_hints(kind)
    columns = {
        field.name: Column(
            field.name,
            _codec(hints[field.name]),
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
    }
    return Table(
        kind,
        re.sub(r"(?<=[a-zA-Z])(?=[A-Z][a-z])", "_", kind.__name__).lower(),
        columns,
        tuple((name, _writer(column.codec)) for name, column in columns.items()),
        tuple((name, _reader(column.codec)) for name, column in columns.items()),
    )


@cache
def _text_names(kind_name: str) -> tuple[str, ...]:
    """Fields whose texts tell one record from another: short ones, which are compared."""
    columns = table_named(kind_name).columns
    return tuple(name for name, column in columns.items() if column.type is ColumnType.TEXT and not column.nullable)


def _writer(codec: _Codec) -> Callable[[Any], Any]:
    """Makes what an engine stores: str, int, float, bool, naive UTC datetime or None."""
    if codec.type is ColumnType.JSON:
        return lambda field: _JSON.encode(codec.encode(field))
    return naive_utc if codec.type is ColumnType.TIMESTAMP and not codec.nullable else codec.encode


def _reader(codec: _Codec) -> Callable[[Any], Any] | None:
    """Undoes `_writer`; None: nothing is to be done."""
    if codec.type is ColumnType.TIMESTAMP:
        return _aware
    if codec.type is ColumnType.JSON:
        return json.loads if codec.plain else lambda value: codec.decode(json.loads(value))
    return None if codec.plain else codec.decode


def _aware(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC)


def _codec(annotation: Any) -> _Codec:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        (inner,) = (_codec(arg) for arg in args if arg is not types.NoneType)
        return _optional(inner)
    if origin is tuple:
        return _sequence(_codec(args[0]))
    if origin is not None and issubclass(origin, Mapping):
        return _Codec(ColumnType.JSON, _json_object, _json_object, plain=True)
    if dataclasses.is_dataclass(annotation):
        return _nested(annotation)
    if issubclass(annotation, StrEnum):
        return _Codec(ColumnType.TEXT, lambda value: annotation(value).value, annotation)
    return _PLAIN[annotation]


def _optional(inner: _Codec) -> _Codec:
    return _Codec(
        inner.type,
        lambda value: None if value is None else inner.encode(value),
        lambda plain: None if plain is None else inner.decode(plain),
        nullable=True,
    )


def _sequence(inner: _Codec) -> _Codec:
    return _Codec(
        ColumnType.JSON,
        lambda values: [inner.encode(value) for value in values],
        lambda plain: tuple(inner.decode(value) for value in plain),
    )


def _nested(kind: Any) -> _Codec:
    codecs = {name: _codec(hint) for name, hint in get_type_hints(kind).items()}
    return _Codec(
        ColumnType.JSON,
        lambda value: {name: codec.encode(getattr(value, name)) for name, codec in codecs.items()},
        lambda plain: kind(**{name: codecs[name].decode(field) for name, field in plain.items() if name in codecs}),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return text(value)


def _integer(value: Any) -> int:
    if not isinstance(value, int) or not INTEGER_MIN <= value <= INTEGER_MAX:
        raise ValueError(f"{value!r} is no 64-bit integer")
    return int(value)


def _number(value: Any) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no finite number")
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _moment(value: datetime) -> str:
    return naive_utc(value).isoformat() + "Z"


def _parsed_moment(value: str) -> datetime:
    return naive_utc(datetime.fromisoformat(value)).replace(tzinfo=UTC)


def _json_object(value: Mapping[str, Any]) -> dict[str, Plain]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r} is no JSON object")
    return {_text(key): _json_value(inner) for key, inner in value.items()}


def _json_value(value: Any) -> Plain:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [_json_value(inner) for inner in value]
    return _json_object(value)


_COMPARABLE: dict[ColumnType, tuple[type, ...]] = {
    ColumnType.TEXT: (str,),
    ColumnType.INTEGER: (int,),
    ColumnType.DOUBLE: (int, float),
    ColumnType.BOOLEAN: (bool,),
    ColumnType.TIMESTAMP: (datetime,),
}
_PLAIN: dict[Any, _Codec] = {
    str: _Codec(ColumnType.TEXT, _text, _text, plain=True),
    int: _Codec(ColumnType.INTEGER, _integer, _integer, plain=True),
    float: _Codec(ColumnType.DOUBLE, _number, _number, plain=True),
    bool: _Codec(ColumnType.BOOLEAN, _boolean, _boolean, plain=True),
    datetime: _Codec(ColumnType.TIMESTAMP, _moment, _parsed_moment),
}
