"""Rows as others keep them: lists, dicts, Arrow tables, DataFrames. The one file that knows pyarrow and pandas."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hivemind_cli.core.errors import ConfigError, WrongValue
from hivemind_cli.storage.tables import Kind, Type

if TYPE_CHECKING:
    import pandas
    import pyarrow

Columns = dict[str, Sequence[Any]]
"""Column -> one value a row, or a numpy array [rows] or [rows, dim]. All of one length."""


def columns_of(data: Any) -> Columns:
    """Rows said as a dict of columns, as dicts, as an Arrow table or what can be one, or as a DataFrame. WrongValue."""
    if isinstance(data, Mapping):
        columns = {name: _column(name, values) for name, values in data.items()}
    elif type(data).__module__.partition(".")[0] == "pandas":
        columns = _of_frame(data)
    elif hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__"):
        columns = _of_arrow(data)
    elif isinstance(data, Iterable) and not isinstance(data, (str, bytes)):
        columns = _of_rows(data)
    else:
        raise WrongValue(
            f"{type(data).__name__} holds no rows.",
            fix="Give a dict of lists, a list of dicts, an Arrow table or a DataFrame.",
        )
    _check(columns)
    return columns


def to_arrow(names: Sequence[str], types: Sequence[Type], rows: Sequence[Mapping[str, Any]]) -> "pyarrow.Table":
    """As `Rows.arrow`."""
    pa = _pyarrow()
    arrays = []
    for name, type in zip(names, types, strict=True):
        values: list[Any] = [row[name] for row in rows]
        kind: Any = _arrow_type(pa, type, values)
        if type.kind is Kind.JSON:
            values = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
        elif type.kind is Kind.VECTOR:
            values = [None if value is None else value.tolist() for value in values]
        arrays.append(pa.array(values, kind))
    return pa.Table.from_arrays(arrays, names=list(names))


def to_frame(names: Sequence[str], types: Sequence[Type], rows: Sequence[Mapping[str, Any]]) -> "pandas.DataFrame":
    """As `Rows.frame`."""
    try:
        import pandas as pd
    except ImportError as exc:
        raise _missing("pandas", "A DataFrame") from exc
    plain = {Kind.TEXT: "object", Kind.JSON: "object", Kind.VECTOR: "object", Kind.TIMESTAMP: "datetime64[us, UTC]"}
    with_gaps = {Kind.INT: "Int32", Kind.BIGINT: "Int64", Kind.BOOLEAN: "boolean"}
    columns = {}
    for name, type in zip(names, types, strict=True):
        values = [row[name] for row in rows]
        kind = plain.get(type.kind) or (with_gaps.get(type.kind) if None in values else None)
        columns[name] = pd.Series(values, dtype=kind)
    return pd.DataFrame(columns, columns=list(names))


def _arrow_type(pa: Any, type: Type, values: Sequence[Any]) -> Any:
    if type.kind is Kind.VECTOR:
        dims = {len(value) for value in values if value is not None} | ({type.dim} if type.dim else set())
        return pa.list_(pa.float32(), dims.pop()) if len(dims) == 1 else pa.list_(pa.float32())
    return {
        Kind.TEXT: pa.string(),
        Kind.JSON: pa.string(),
        Kind.INT: pa.int32(),
        Kind.BIGINT: pa.int64(),
        Kind.REAL: pa.float32(),
        Kind.DOUBLE: pa.float64(),
        Kind.BOOLEAN: pa.bool_(),
        Kind.TIMESTAMP: pa.timestamp("us", "UTC"),
    }[type.kind]


def _column(name: Any, values: Any) -> Sequence[Any]:
    """One column of a dict of columns."""
    if hasattr(values, "ndim") and hasattr(values, "dtype"):
        if values.ndim not in (1, 2):
            raise WrongValue(f"The column {name!r} is an array of {values.ndim} dimensions, not one value a row.")
        return _of_series(values) if hasattr(values, "isna") else values
    if hasattr(values, "to_pylist"):
        return _of_array(values)
    if isinstance(values, (Mapping, str, bytes)) or not isinstance(values, Iterable):
        raise WrongValue(
            f"The column {name!r} is {type(values).__name__}, not a list of one value a row.",
            fix=f'Write {{"{name}": [value]}}, also for one row.',
        )
    return values if isinstance(values, (list, tuple)) else list(values)


def _of_rows(rows: Iterable[Any]) -> Columns:
    """A row that does not name a column has None there."""
    columns: dict[str, list[Any]] = {}
    count = 0
    for row in rows:
        if not isinstance(row, Mapping):
            raise WrongValue(f"Row {count + 1} is {type(row).__name__}, not a dict of column -> value.")
        for name, value in row.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = []
            if len(column) < count:
                column.extend([None] * (count - len(column)))
            column.append(value)
        count += 1
    for column in columns.values():
        column.extend([None] * (count - len(column)))
    return dict(columns)


def _of_frame(frame: Any) -> Columns:
    """The columns of a DataFrame; its index is none of them, and what pandas calls missing is None."""
    if not hasattr(frame, "columns"):
        raise WrongValue(f"{type(frame).__name__} has no columns.", fix="Give a DataFrame.")
    if len(set(frame.columns)) < len(frame.columns):
        raise WrongValue("Two columns of the DataFrame have one name.")
    return {name: _of_series(frame[name]) for name in frame.columns}


def _of_series(series: Any) -> Sequence[Any]:
    values: list[Any] = series.tolist()
    gaps = series.isna()
    if not bool(gaps.any()):
        return values
    return [None if missing else value for value, missing in zip(values, gaps.tolist(), strict=True)]


def _of_arrow(data: Any) -> Columns:
    pa = _pyarrow()
    try:
        table = data if isinstance(data, pa.Table) else pa.table(data)
    except (pa.ArrowException, TypeError, ValueError) as exc:
        raise WrongValue(f"{type(data).__name__} cannot be read as an Arrow table.", why=f"{exc}.") from exc
    if len(set(table.column_names)) < len(table.column_names):
        raise WrongValue("Two columns of the table have one name.")
    return {name: _of_array(table.column(name)) for name in table.column_names}


def _of_array(array: Any) -> Sequence[Any]:
    """An Arrow array: vectors of one length as [rows, dim], anything else as Python says it."""
    pa = _pyarrow()
    whole = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if isinstance(whole, pa.ChunkedArray):  # of no chunks
        return []
    kind = whole.type
    if pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type) and not whole.null_count:
        flat = whole.flatten()
        if not flat.null_count:
            return flat.to_numpy(zero_copy_only=False).reshape(len(whole), kind.list_size)  # type: ignore[no-any-return]
    if pa.types.is_timestamp(kind):
        whole = whole.cast(pa.timestamp("us", kind.tz), safe=False)
    return whole.to_pylist()  # type: ignore[no-any-return]


def _check(columns: Mapping[Any, Sequence[Any]]) -> None:
    if not columns:
        raise WrongValue("There are no columns.", fix='Give at least one: {"task": ["..."]}.')
    for name in columns:
        if not isinstance(name, str) or not name:
            raise WrongValue(f"{name!r} is no name of a column.", why="A name is text.")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise WrongValue("All columns need the same number of values.", why=f"{said}.")


def _pyarrow() -> Any:
    try:
        import pyarrow as pa
    except ImportError as exc:
        raise _missing("pyarrow", "An Arrow table") from exc
    return pa


def _missing(package: str, what: str) -> ConfigError:
    return ConfigError(f"{what} needs the package {package}, which is not installed.", fix=f"pip install {package}")
