"""Rows with vectors are read as arrays: they must be the same rows."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hivemind_cli.storage.tables import Kind, Tables, Type
from tests.tables_engines import duckdb_engine

__all__ = ["duckdb_engine"]

COLUMNS = {
    "a": (Type(Kind.BIGINT), st.integers(-(2**63), 2**63 - 1)),
    "b": (Type(Kind.INT), st.integers(-(2**31), 2**31 - 1)),
    "c": (Type(Kind.REAL), st.floats(width=32, allow_nan=False, allow_infinity=False)),
    "d": (Type(Kind.DOUBLE), st.floats(allow_nan=False, allow_infinity=False)),
    "e": (Type(Kind.BOOLEAN), st.booleans()),
    "f": (Type(Kind.TEXT), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
    "g": (Type(Kind.JSON), st.dictionaries(st.text("abc"), st.none() | st.integers(0, 9) | st.text("xyzü"))),
    "h": (Type(Kind.TIMESTAMP), st.datetimes(datetime(1600, 1, 1), datetime(2900, 1, 1), timezones=st.just(UTC))),
    "i": (Type(Kind.VECTOR), st.lists(st.floats(-9, 9, width=32), min_size=1, max_size=4)),
}
Rows = list[tuple[Any, ...]]


def said(rows: Rows) -> Rows:
    """With vectors as lists."""
    return [tuple(value.tolist() if isinstance(value, np.ndarray) else value for value in row) for row in rows]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*(st.none() | values for _, values in COLUMNS.values())), max_size=6))
def test_rows_with_vectors_are_read_as_they_were_written(duckdb_engine: Tables, rows: Rows) -> None:
    engine, table = duckdb_engine, duckdb_engine.qualified("t")
    types = [type for type, _ in COLUMNS.values()]
    columns = ", ".join(f"{name} {engine.type_sql(type)}" for name, (type, _) in COLUMNS.items())
    engine.write(lambda tx: tx.run(f"CREATE OR REPLACE TABLE {table} (n BIGINT, {columns})"))
    if rows:
        said_columns = dict(zip(COLUMNS, zip(types, zip(*rows, strict=True), strict=True), strict=True))
        numbered = {"n": (Type(Kind.BIGINT), range(len(rows))), **said_columns}
        engine.write(lambda tx: tx.insert(table, numbered))
    sql = f"SELECT {', '.join(COLUMNS)} FROM {table} ORDER BY n"
    found = engine.read(sql)
    assert said(found.rows) == said(rows)
    assert [one.kind for one in found.types] == [type.kind for type in types]
    vectors = [row[-1] for row in found.rows if row[-1] is not None]
    assert all(isinstance(one, np.ndarray) and one.dtype == np.float32 for one in vectors)
    with engine.stream(sql) as parts:
        assert said([row for part in parts for row in part.rows]) == said(rows)
