"""Rows as people keep them become columns, and come back as Arrow tables and DataFrames."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from hivemind_cli.core.errors import WrongValue
from hivemind_cli.memory import types
from hivemind_cli.memory.rows import Cursor, Rows
from hivemind_cli.memory.tabular import columns_of
from hivemind_cli.storage.tables import Kind, Result, Type

NOW = datetime(2026, 11, 22, 1, 2, 3, 456789, tzinfo=UTC)


def plain(data: Any) -> dict[str, Any]:
    return {name: column if isinstance(column, list) else np.asarray(column).tolist()
            for name, column in columns_of(data).items()}  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        {"a": [1, 2], "b": ["x", None]},
        {"a": np.array([1, 2]), "b": ("x", None)},
        {"a": pd.Series([1, 2]), "b": pa.array(["x", None])},
        {"a": (n for n in (1, 2)), "b": ["x", None]},
        [{"a": 1, "b": "x"}, {"a": 2}],
        ({"a": n, "b": b} for n, b in ((1, "x"), (2, None))),
        pa.table({"a": [1, 2], "b": ["x", None]}),
        pa.record_batch({"a": [1, 2], "b": ["x", None]}),
        pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
        pd.DataFrame({"a": [1, 2], "b": ["x", pd.NA]}, index=[7, 7]),
    ],
)
def test_rows_in_any_shape_are_the_same_columns(data: Any) -> None:
    assert plain(data) == {"a": [1, 2], "b": ["x", None]}


def test_a_column_that_comes_late_or_not_at_all_is_none_elsewhere() -> None:
    assert plain([{"a": 1}, {"b": 2}, {}]) == {"a": [1, None, None], "b": [None, 2, None]}


def test_vectors_of_an_arrow_table_are_one_array() -> None:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array([1, 2, 3, 4], pa.float32()), 2)
    column: Any = columns_of(pa.table({"e": vectors}).slice(1))["e"]
    assert isinstance(column, np.ndarray)
    assert column.dtype == np.float32
    assert column.tolist() == [[3, 4]]
    gaps = pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2))
    assert plain(pa.table({"e": gaps})) == {"e": [[1, 2], None]}


def test_times_numbers_and_gaps_of_others_are_pythons() -> None:
    table = pa.table(
        {
            "ns": pa.array([1, None], pa.timestamp("ns", "UTC")),
            "d": [Decimal("1.5"), None],
            "s": [{"k": [1]}, None],
            "c": pa.array(["x", "x"]).dictionary_encode(),
        }
    )
    assert plain(table) == {
        "ns": [datetime(1970, 1, 1, tzinfo=UTC), None],
        "d": [Decimal("1.5"), None],
        "s": [{"k": [1]}, None],
        "c": ["x", "x"],
    }
    frame = pd.DataFrame(
        {
            "f": [1.5, float("nan")],
            "i": pd.array([1, None], "Int64"),
            "t": pd.to_datetime(pd.Series([NOW, None])),
            "v": [np.ones(2), [1.0]],
        }
    )
    found = columns_of(frame)
    assert found["f"] == [1.5, None]
    assert found["i"] == [1, None]
    assert found["t"] == [NOW, None]
    assert [len(one) for one in found["v"]] == [2, 1]


@pytest.mark.parametrize(
    "data",
    [
        {},
        [],
        {"a": 1},
        {"a": "text"},
        {"a": {"k": 1}},
        {"a": [1], "b": [1, 2]},
        {"": [1]},
        {3: [1]},
        {"a": np.zeros((2, 2, 2))},
        [1],
        ["text"],
        "text",
        7,
        None,
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pa.table([[1], [2]], names=["a", "a"]),
    ],
    ids=str,
)
def test_what_holds_no_rows_is_refused(data: Any) -> None:
    with pytest.raises(WrongValue):
        columns_of(data)


RESULT = Result(
    ("t", "i", "n", "d", "b", "w", "j", "v"),
    (Type(Kind.TEXT), Type(Kind.BIGINT), Type(Kind.INT), Type(Kind.DOUBLE), Type(Kind.BOOLEAN), Type(Kind.TIMESTAMP),
     Type(Kind.JSON), Type(Kind.VECTOR, 2)),
    [("ü", 2**53 + 1, 1, 0.5, True, NOW, {"k": [1]}, np.array([1, 2], np.float32)), (None,) * 8],
)  # fmt: skip


def test_rows_become_an_arrow_table_with_their_types() -> None:
    table = Rows(RESULT).arrow()
    assert [str(field.type) for field in table.schema] == [
        "string", "int64", "int32", "double", "bool", "timestamp[us, tz=UTC]", "string",
        "fixed_size_list<item: float>[2]",
    ]  # fmt: skip
    assert table.to_pylist()[0] == {
        "t": "ü", "i": 2**53 + 1, "n": 1, "d": 0.5, "b": True, "w": NOW, "j": '{"k": [1]}', "v": [1.0, 2.0],
    }  # fmt: skip
    assert set(table.to_pylist()[1].values()) == {None}
    empty = Rows(Result(RESULT.names, RESULT.types, [])).arrow()
    assert (empty.num_rows, empty.schema) == (0, table.schema)


def test_rows_become_a_data_frame_and_whole_numbers_stay_whole() -> None:
    frame = Rows(RESULT).frame()
    assert list(frame.columns) == list(RESULT.names)
    assert frame["i"][0] == 2**53 + 1
    assert frame["w"][0] == pd.Timestamp(NOW)
    assert frame["v"][0].tolist() == [1, 2]
    assert frame.iloc[1].isna().all()
    assert list(Rows(Result(RESULT.names, RESULT.types, [])).frame().columns) == list(RESULT.names)


def test_a_cursor_gives_each_row_once() -> None:
    cursor = Cursor(Rows(Result(("n",), (Type(Kind.INT),), [(1,), (2,), (3,), (4,)])))
    assert cursor.rowcount == 4
    assert cursor.fetchone() == {"n": 1}
    assert cursor.fetchmany(2) == [{"n": 2}, {"n": 3}]
    assert list(cursor) == [{"n": 4}]
    assert cursor.fetchone() is None
    assert cursor.fetchall() == []
    assert Cursor(Rows(Result(("count",), (Type(Kind.BIGINT),), [(7,)]))).rowcount == 7


@pytest.mark.parametrize(
    ("said", "type"),
    [
        ("text", types.Text()),
        ("Vector(384)", types.Embedding(384)),
        ("vector", types.Vector()),
        ("jsonb", types.Json()),
        ("int64", types.Int64()),
        ("int", types.Int32()),
        ("real", types.Float32()),
        ("double", types.Float64()),
        ("boolean", types.Bool()),
        ("timestamp", types.Timestamp()),
        (types.Text(), types.Text()),
    ],
)
def test_a_type_is_known_by_its_name(said: Any, type: Type) -> None:
    assert types.type_of(said) == type


@pytest.mark.parametrize("said", ["texts", "text(3)", "vector(x)", "", 7, None])
def test_no_other_type_is(said: Any) -> None:
    with pytest.raises(WrongValue):
        types.type_of(said)
