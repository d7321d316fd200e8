"""Values, columns, results and shapes come out of the wire as they went in."""

import json
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.core.errors import WrongValue
from hivemind_cli.storage.tables import Kind, Result, Type
from hivemind_cli.tables import handed, wire

NOW = datetime(2026, 11, 21, 23, 59, 1, 123456, tzinfo=UTC)


def crossed(value: Any) -> Any:
    return wire.value_from_json(json.loads(json.dumps(wire.value_to_json(value))))


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=5) | st.just("$f32"), inner),
    max_leaves=20,
)


@given(plain | st.datetimes(timezones=st.none() | st.just(UTC)))
def test_a_value_crosses_as_itself(value: Any) -> None:
    assert crossed(value) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.array([1, 2]), [1, 2]),
        ([np.float32(0.5), {"a": np.int8(1)}], [0.5, {"a": 1}]),
        (np.datetime64("2026-11-21T10:00:00.5"), datetime(2026, 11, 21, 10, 0, 0, 500000)),
        (Decimal("1.5"), 1.5),
        (Decimal(3), 3),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Kind.TEXT, "text"),
        ({2: NOW, None: (1, 2), True: 0}, {"2": "2026-11-21T23:59:01.123456+00:00", "null": [1, 2], "true": 0}),
        ("\ud800", "\ud800"),
        (datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))), datetime(2025, 12, 31, 22, tzinfo=UTC)),
    ],
)
def test_what_others_say_a_value_with_crosses_as_pythons_own(value: Any, expected: Any) -> None:
    came = crossed(value)
    assert came == expected
    assert type(came) is type(expected)


def test_a_nan_crosses_for_the_column_to_refuse() -> None:
    assert math.isnan(crossed(math.nan))
    assert np.isnan(crossed(np.array([0.0, math.nan], dtype=np.float32))).tolist() == [False, True]


def test_a_float32_array_stays_one() -> None:
    sent = np.array([0.1, -2, 3e38], dtype=np.float32)
    came = crossed(sent)
    assert came.dtype == np.float32
    assert came.tolist() == sent.tolist()


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def endless() -> Any:
    value: dict[str, Any] = {}
    value["self"] = value
    return value


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object(), [object()], {(1, 2): 3}, nested(300), endless()])
def test_what_no_column_holds_is_refused(value: Any) -> None:
    with pytest.raises(WrongValue):
        wire.value_to_json(value)


@pytest.mark.parametrize("values", [[1, "a", None], (NOW,), {"q": [0.5] * 9, "k": 5}, None, []])
def test_parameters_cross_by_position_and_by_name(values: Any) -> None:
    came = wire.values_from_json(json.loads(json.dumps(wire.values_to_json(values))))
    assert came == (list(values) if isinstance(values, tuple) else values)


@pytest.mark.parametrize("values", ["text", b"x", 7, {1, 2}])
def test_parameters_that_are_no_list_are_refused(values: Any) -> None:
    with pytest.raises(WrongValue):
        wire.values_to_json(values)


def test_parameters_too_big_for_a_line_are_refused_before_they_are_sent() -> None:
    with pytest.raises(WrongValue, match="bytes"):
        wire.values_to_json(["x" * (wire.VALUES_BYTES_MAX + 1)])


COLUMNS: dict[str, Any] = {
    "text": ["a", None, "ü\x00"],
    "json": [{"$time": "x"}, [1.0, 2.0], None],
    "when": [NOW, None, NOW],
    "listed": [[0.1] * 10, [0.2] * 10, [0.3] * 10],
    "ragged": [[0.1] * 10, None, [0.3] * 9],
    "single": np.arange(12, dtype=np.float32).reshape(3, 4),
    "double": np.arange(12, dtype=np.float64).reshape(3, 4),
    "rows": [np.ones(9, dtype=np.float32)] * 3,
    "ints": np.array([1, 2, 3]),
    "tuple": (1.5, 2, True),
}


def assert_columns(came: Mapping[str, Any]) -> None:
    assert list(came) == list(COLUMNS)
    for name, column in COLUMNS.items():
        plain_came, plain_sent = ([np.asarray(v).tolist() if hasattr(v, "dtype") else v for v in c]
                                  for c in (came[name], column))  # fmt: skip
        assert plain_came == plain_sent, name
    assert came["single"].dtype == came["rows"].dtype == np.float32
    assert came["double"].dtype == came["listed"].dtype == np.float64


def test_columns_cross_in_the_line() -> None:
    assert_columns(wire.columns_from_json(json.loads(json.dumps(wire.columns_to_json(COLUMNS)))))


def test_big_columns_cross_in_a_file_that_nobody_else_reads_and_that_is_gone_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "INLINE_BYTES_MAX", 100)
    sent = json.loads(json.dumps(wire.columns_to_json(COLUMNS, tmp_path / "handed")))
    (path,) = (tmp_path / "handed").iterdir()
    assert sent == {"file": path.name}
    assert path.stat().st_mode & 0o777 == 0o600
    assert_columns(wire.columns_from_json(sent, tmp_path / "handed"))
    assert not list((tmp_path / "handed").iterdir())
    with pytest.raises(WrongValue):
        wire.columns_from_json(sent, tmp_path / "handed")


@pytest.mark.parametrize("sent", [{"file": "../secret"}, {"file": "/etc/passwd"}, {"file": "0-1.rows"}, {}, 7, None])
def test_columns_that_make_no_sense_are_refused_and_nothing_is_touched(sent: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("kept")
    (tmp_path / "handed").mkdir()
    with pytest.raises(WrongValue):
        wire.columns_from_json(sent, tmp_path / "handed")
    assert (tmp_path / "secret").read_text() == "kept"


def test_a_file_nobody_came_for_is_swept(tmp_path: Path) -> None:
    name = handed.write(tmp_path, {"a": [1]}, [])
    written_s = (tmp_path / name).stat().st_mtime
    assert handed.sweep(tmp_path, written_s + 60) == 0
    assert handed.sweep(tmp_path, written_s + handed.KEPT_S + 60) == 1
    assert not (tmp_path / name).exists()


RESULT = Result(
    ("task", "score", "seen", "extra", "embedding", "mixed"),
    (Type(Kind.TEXT), Type(Kind.DOUBLE), Type(Kind.TIMESTAMP), Type(Kind.JSON), Type(Kind.VECTOR, 2),
     Type(Kind.VECTOR)),
    [
        ("a", 0.5, NOW, {"$f32": 1}, np.array([1, 2], np.float32), None),
        (None, None, None, None, np.array([3, 4], np.float32), np.array([5], np.float32)),
    ],
)  # fmt: skip


def same_rows(left: Sequence[Sequence[Any]], right: Sequence[Sequence[Any]]) -> bool:
    def said(rows: Sequence[Sequence[Any]]) -> Any:
        return [[value.tolist() if hasattr(value, "tolist") else value for value in row] for row in rows]

    return bool(said(left) == said(right))


def test_a_result_crosses_with_its_types() -> None:
    came = wire.result_from_json(json.loads(json.dumps(wire.result_to_json(RESULT))))
    assert (came.names, came.types) == (RESULT.names, RESULT.types)
    assert same_rows(came.rows, RESULT.rows)
    assert came.rows[0][4].dtype == np.float32


@pytest.mark.parametrize("rows", [[], [(1, "a")]])
def test_an_empty_result_and_a_short_one_cross(rows: list[tuple[Any, ...]]) -> None:
    sent = Result(("n", "t"), (Type(Kind.INT), Type(Kind.TEXT)), rows)
    assert wire.result_from_json(json.loads(json.dumps(wire.result_to_json(sent)))) == sent


def test_pages_hold_all_rows_and_none_is_too_big() -> None:
    rows = [(number, "x" * 1000) for number in range(25_000)]
    parts = list(wire.pages(Result(("n", "t"), (Type(Kind.INT), Type(Kind.TEXT)), rows)))
    assert [row for part in parts for row in part.rows] == rows
    assert all(len(part.rows) <= wire.PAGE_ROWS for part in parts)
    assert all(len(json.dumps(wire.result_to_json(part))) < 2 * wire.PAGE_BYTES for part in parts)
    assert len(list(wire.pages(Result(("n",), (Type(Kind.INT),), [])))) == 1


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Inner:
    seq: int
    when: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outer:
    name: str
    inner: Inner
    many: tuple[Inner, ...]
    listed: list[Inner]
    maybe: Inner | None
    colour: Colour
    state: Any
    meta: Mapping[str, Any] = field(default_factory=dict)
    pair: tuple[str, int] = ("", 0)


def test_a_shape_crosses_as_its_dataclass() -> None:
    sent = Outer(
        "x", Inner(1, NOW), (Inner(2),), [Inner(3)], None, Colour.RED, {"$time": "no"}, {"a": [1, {"b": NOW}]}, ("y", 2)
    )
    said = json.loads(json.dumps(wire.shape_to_json(sent)))
    assert wire.shape_from_json(Outer, said | {"newer": 1}) == sent


@pytest.mark.parametrize("said", [{}, [], None, {"seq": 1, "when": {"$time": "yesterday"}}])
def test_what_is_no_such_shape_is_refused(said: Any) -> None:
    with pytest.raises(WrongValue):
        wire.shape_from_json(Inner, said)
