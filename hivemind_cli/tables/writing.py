"""Rows in: checked against their columns, given their numbers, and the versions they replace ended.

Everything happens inside one Transaction: whoever raises here undoes it.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hivemind_cli.core.errors import DuplicateKey, WrongValue
from hivemind_cli.storage.tables import Kind, Tables, Transaction, Type
from hivemind_cli.tables.catalog import Catalog, ColumnInfo, TableInfo, plain
from hivemind_cli.tables.inference import settled
from hivemind_cli.tables.layout import (
    BRANCH,
    DELETED,
    MAIN_NUMBER,
    ROW,
    SEQ,
    UNTIL,
    Lineage,
    quoted,
    visible,
)

VALUE_BYTES_MAX = 16 * 1024 * 1024
"""Of one text or JSON value."""
DIM_MAX = 16_000
"""Of a vector: as pgvector."""
MANY = 2000
"""Rows from which on keys are counted: PostgreSQL joined each with each on a branch, 10,000 rows in 10 s (measured)."""
SERIAL = "serial"
NOW = "now()"

Columns = Mapping[str, "Sequence[Any] | NDArray[Any]"]
Typed = dict[str, tuple[Type, Sequence[Any]]]


def insert(tx: Transaction, engine: Tables, table: TableInfo, branch: int, lineage: Lineage, columns: Columns) -> int:
    """Add rows to a table as `branch` sees it; how many. DuplicateKey, WrongValue, UnknownTable (a column)."""
    if any(column.untyped or str(column.type) == Kind.VECTOR for column in table.columns):  # not settled, as we know it
        table = _settled(tx, engine, Catalog(engine).again(tx, table), columns)
    typed = checked(table, columns)
    count = len(next(iter(typed.values()))[1]) if typed else 0
    if not count:
        return 0
    table = _completed(tx, engine, table, typed)
    first = tx.numbers(count)
    numbers = range(first, first + count)
    for column in table.columns:
        if column.name not in typed and column.default:
            typed[column.name] = (column.type, _default(column, count, tx))
    big = Type(Kind.BIGINT)
    hidden: Typed = {SEQ: (big, numbers), ROW: (big, numbers), BRANCH: (big, [branch] * count)}
    tx.insert(engine.qualified(table.physical), {**typed, **hidden})
    check_key(tx, engine, table, lineage, first, many=count >= MANY)
    return count


def supersede(
    tx: Transaction,
    engine: Tables,
    table: TableInfo,
    branch: int,
    lineage: Lineage,
    rows_sql: str,
    values: Sequence[Any],
    changed: Mapping[str, str] | None,
) -> int:
    """Change or delete rows that `branch` sees; how many.

    rows_sql    SELECT of their _hm_row
    values      of $1, $2 ... in `rows_sql` and `changed`
    changed     column -> SQL over the row's columns, each as it was before; None: the rows are deleted
    """
    physical = engine.qualified(table.physical)
    before = tx.numbers(1)
    ours = f"{BRANCH} = {branch} AND {UNTIL} IS NULL"
    if changed is None and branch == MAIN_NUMBER:
        ended = f"UPDATE {physical} SET {UNTIL} = {before} WHERE {ours} AND {ROW} IN ({rows_sql}) RETURNING {ROW}"
        return len(tx.run(ended, values))
    new = {name: quoted(name) for name in table.names} | _stale(table, changed or {})
    hidden = {
        SEQ: engine.next_number,
        ROW: ROW,
        BRANCH: str(branch),
        UNTIL: "CAST(NULL AS BIGINT)",
        DELETED: "TRUE" if changed is None else "FALSE",
    }
    names = ", ".join([*(quoted(name) for name in new), *hidden])
    tx.run(
        f"INSERT INTO {physical} ({names}) SELECT {', '.join([*new.values(), *hidden.values()])}"
        f" FROM ({visible(physical, table.names, lineage)}) AS hm_v WHERE {ROW} IN ({rows_sql})",
        values,
    )
    written = f"SELECT {ROW} FROM {physical} WHERE {BRANCH} = {branch} AND {SEQ} > {before}"
    tx.run(f"UPDATE {physical} SET {UNTIL} = {before} WHERE {ours} AND {SEQ} < {before} AND {ROW} IN ({written})")
    count = int(tx.run(f"SELECT count(*) FROM ({written}) AS hm_w")[0][0])
    if changed and any(plain(name) in table.key for name in changed):
        check_key(tx, engine, table, lineage, before)
        if branch != MAIN_NUMBER:  # a merge looks for the old keys on the branch itself
            gone = {**hidden, UNTIL: str(before), DELETED: "TRUE"}
            tx.run(
                f"INSERT INTO {physical} ({names}) SELECT {', '.join([*map(quoted, new), *gone.values()])}"
                f" FROM ({visible(physical, table.names, lineage[1:])}) AS hm_v WHERE {ROW} IN ({written})"
            )
    return count


def _stale(table: TableInfo, changed: Mapping[str, str]) -> dict[str, str]:
    """The changes, and NULL for each vector that was made of a text that changes and is not given anew."""
    said = {plain(name): expression for name, expression in changed.items()}
    return {column.name: "NULL" for column in table.columns if column.embeds in said} | said


def check_key(
    tx: Transaction, engine: Tables, table: TableInfo, lineage: Lineage, first: int, *, many: bool = False
) -> None:
    """DuplicateKey: a row written since number `first` has the primary key of another one, or a NULL in it."""
    if not table.key:
        return
    physical = engine.qualified(table.physical)
    seen = visible(physical, table.key, lineage)
    new = f"SELECT * FROM ({seen}) AS hm_s WHERE {SEQ} >= {first}"
    same = " AND ".join(f"hm_n.{quoted(name)} = hm_o.{quoted(name)}" for name in table.key)
    missing = " OR ".join(f"hm_n.{quoted(name)} IS NULL" for name in table.key)
    names = ", ".join(f"hm_n.{quoted(name)}" for name in table.key)
    joined = (
        f"SELECT {names} FROM ({new}) AS hm_n JOIN ({seen}) AS hm_o ON {same} WHERE hm_n.{ROW} <> hm_o.{ROW} LIMIT 1"
    )
    counted = (
        f"SELECT {names} FROM ({seen}) AS hm_n WHERE NOT ({missing}) GROUP BY {names}"
        f" HAVING count(*) > 1 AND max({SEQ}) >= {first} LIMIT 1"
    )
    found = tx.run(counted if many else joined)
    if found:
        said = ", ".join(f"{name} = {value!r}"[:200] for name, value in zip(table.key, found[0], strict=True))
        raise DuplicateKey(
            f"{table.name} has a row with {said} already.",
            why=f"Its primary key is {', '.join(table.key)}.",
            fix="Use another key, UPDATE the row, or say ON CONFLICT.",
        )
    if tx.run(f"SELECT 1 FROM ({new}) AS hm_n WHERE {missing} LIMIT 1"):
        raise WrongValue(f"A value of {table.name}'s primary key ({', '.join(table.key)}) is missing.")


def checked(table: TableInfo, columns: Columns) -> Typed:
    """Column -> (type, its values as `Kind` says them). WrongValue, UnknownTable: no such column."""
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise WrongValue("All columns need the same number of values.", why=f"{said}.")
    typed: Typed = {}
    for name, values in columns.items():
        column = table.column(name)
        if column.name in typed:
            raise WrongValue(f"The column {column.name} is given twice.", why="`-` and `_` are alike in names.")
        typed[column.name] = _column(table.name, column, values)
    for column in table.columns:
        if column.not_null and not column.default and column.name not in typed:
            raise WrongValue(f"{table.name}.{column.name} needs a value.", why="It is declared NOT NULL.")
    return typed


def one(table: str, column: ColumnInfo, value: Any) -> Any:
    """One value as its column holds it; None stays. WrongValue."""
    if value is None:
        if column.not_null:
            raise WrongValue(f"{table}.{column.name} needs a value.", why="It is declared NOT NULL.")
        return None
    if isinstance(value, np.generic):
        value = value.item()
    try:
        found = _CONVERT[column.type.kind](value)
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        said = f"{type(value).__name__} {str(value)[:60]!r}"
        raise WrongValue(
            f"{table}.{column.name} is {column.type}: it does not hold {said}.", why=f"{exc}." if str(exc) else ""
        ) from exc
    if column.type.kind is Kind.VECTOR:
        _check_dim(table, column, len(found))
    return found


def _column(table: str, column: ColumnInfo, values: "Sequence[Any] | NDArray[Any]") -> tuple[Type, Sequence[Any]]:
    kind = column.type
    if isinstance(values, np.ndarray) and values.ndim == 2 and kind.kind is Kind.VECTOR:
        if not np.issubdtype(values.dtype, np.number) or not bool(np.isfinite(values).all()):
            raise WrongValue(
                f"{table}.{column.name} holds finite numbers.", why="A value is NaN, infinite or no number."
            )
        _check_dim(table, column, values.shape[1])
        return Type(Kind.VECTOR, values.shape[1]), np.ascontiguousarray(values, np.float32)  # type: ignore[return-value]
    if isinstance(values, np.ndarray) and values.ndim == 2:
        values = values.tolist()
    found = [one(table, column, value) for value in values]
    if kind.kind is Kind.VECTOR:
        dims = {len(value) for value in found if value is not None}
        if len(dims) > 1:
            raise WrongValue(f"{table}.{column.name} holds vectors of one length.", why=f"These have {sorted(dims)}.")
        kind = Type(Kind.VECTOR, dims.pop() if dims else kind.dim)
    return kind, found


def _check_dim(table: str, column: ColumnInfo, dim: int) -> None:
    if column.type.dim and dim != column.type.dim:
        raise WrongValue(
            f"{table}.{column.name} holds vectors of {column.type.dim} numbers, and this one has {dim}.",
            fix="Embed with the model that made the others.",
        )
    if not 0 < dim <= DIM_MAX:
        raise WrongValue(f"A vector has 1 to {DIM_MAX:,} numbers, and this one {dim:,}.")


def _settled(tx: Transaction, engine: Tables, table: TableInfo, columns: Columns) -> TableInfo:
    """Columns that never held a value have the type of their first one."""
    found = tuple(settled(table.columns, columns))
    return table if found == table.columns else Catalog(engine).change(tx, table, found)


def _completed(tx: Transaction, engine: Tables, table: TableInfo, typed: Typed) -> TableInfo:
    """The dimension of a vector column is that of its first vector."""
    columns = tuple(
        replace(column, type=typed[column.name][0])
        if column.type.kind is Kind.VECTOR and not column.type.dim and column.name in typed
        else column
        for column in table.columns
    )
    return table if columns == table.columns else Catalog(engine).change(tx, table, columns)


def _default(column: ColumnInfo, count: int, tx: Transaction) -> Sequence[Any]:
    if column.default == SERIAL:
        first = tx.numbers(count)
        return range(first, first + count)
    if column.default == NOW:
        return [datetime.now(UTC)] * count
    ((value,),) = tx.run(f"SELECT {column.default}")
    return [one("", column, value)] * count


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text is a str")
    if "\0" in value:
        raise ValueError("text cannot hold NUL characters")
    if len(value) > VALUE_BYTES_MAX or len(value.encode()) > VALUE_BYTES_MAX:
        raise ValueError(f"a value has {VALUE_BYTES_MAX:,} bytes at most")
    return value


def _json(value: Any) -> Any:
    """A str is JSON text."""
    if isinstance(value, str):
        if len(value) > VALUE_BYTES_MAX:
            raise ValueError(f"a value has {VALUE_BYTES_MAX:,} bytes at most")
        value = json.loads(value, parse_constant=_no_constant)
    said = json.dumps(value, allow_nan=False, ensure_ascii=False)
    if len(said.encode()) > VALUE_BYTES_MAX:
        raise ValueError(f"a value has {VALUE_BYTES_MAX:,} bytes at most")
    if re.search(r"(?<!\\)(\\\\)*\\u0000", said):
        raise ValueError("text cannot hold NUL characters")
    return json.loads(said)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def vector(value: Any) -> NDArray[np.float32]:
    """A vector somebody gave: numbers, an array, or `{1,2}` or `[1,2]` as text. TypeError, ValueError."""
    if isinstance(value, str):
        inner = re.fullmatch(r"\s*(?:\{(.*)\}|\[(.*)\])\s*", value, re.S)
        if inner is None:
            raise ValueError("a vector as text is {1,2,3} or [1,2,3]")
        value = [float(number) for number in (inner[1] or inner[2] or "").split(",")]
    if isinstance(value, (bytes, dict)) or not hasattr(value, "__len__"):
        raise TypeError("a vector is a list of numbers")
    if not isinstance(value, np.ndarray) and any(isinstance(number, (str, bool)) for number in value):
        raise TypeError("a vector is a list of numbers")
    found = np.asarray(value, np.float32)
    if found.ndim != 1:
        raise ValueError("a vector has one dimension")
    if not bool(np.isfinite(found).all()):
        raise ValueError("a vector's numbers are finite")
    return found


def _whole(bits: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or int(value) != value:
            raise TypeError("a whole number is expected")
        if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
            raise ValueError(f"it does not fit into {bits} bits")
        return int(value)

    return convert


def _real(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("a number is expected")
    if not math.isfinite(value):
        raise ValueError("NaN and infinity are no values here: use NULL")
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false is expected")
    return value


def _timestamp(value: Any) -> datetime:
    """Without a zone it is UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        raise TypeError("a datetime, or one as ISO 8601 text, is expected")
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


_CONVERT: dict[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _text,
    Kind.JSON: _json,
    Kind.VECTOR: vector,
    Kind.INT: _whole(32),
    Kind.BIGINT: _whole(64),
    Kind.REAL: _real,
    Kind.DOUBLE: _real,
    Kind.BOOLEAN: _boolean,
    Kind.TIMESTAMP: _timestamp,
}
