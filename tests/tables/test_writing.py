"""Rows in: what is taken, what is refused, and what a branch sees of it."""

from typing import Any

import numpy as np
import pytest

from hivemind_cli.core.errors import DuplicateKey, UnknownTable, WrongValue
from hivemind_cli.storage.tables import Kind, Tables, Type
from hivemind_cli.tables.catalog import Catalog, ColumnInfo, TableInfo
from hivemind_cli.tables.layout import ON_MAIN, ROW, Level, Lineage, quoted, visible
from hivemind_cli.tables.writing import Columns, checked, insert, supersede

COLUMNS = (
    ColumnInfo("task", Type(Kind.TEXT)),
    ColumnInfo("meta", Type(Kind.JSON)),
    ColumnInfo("place", Type(Kind.VECTOR)),
    ColumnInfo("tries", Type(Kind.INT)),
    ColumnInfo("score", Type(Kind.DOUBLE)),
    ColumnInfo("done", Type(Kind.BOOLEAN)),
    ColumnInfo("at", Type(Kind.TIMESTAMP), default="now()"),
)


def made(engine: Tables, *columns: ColumnInfo, key: tuple[str, ...] = ()) -> TableInfo:
    return engine.write(lambda tx: Catalog(engine).create(tx, "ws", "notes", columns or COLUMNS, key))


def put(engine: Tables, table: TableInfo, columns: Columns, branch: int = 0, lineage: Lineage = ON_MAIN) -> int:
    return engine.write(lambda tx: insert(tx, engine, table, branch, lineage, columns))


def seen(engine: Tables, table: TableInfo, *names: str, lineage: Lineage = ON_MAIN) -> list[tuple[Any, ...]]:
    inner = visible(engine.qualified(table.physical), table.names, lineage)
    return engine.read(f"SELECT {', '.join(map(quoted, names))} FROM ({inner}) AS v ORDER BY 1").rows


def change(
    engine: Tables, table: TableInfo, where: str, changed: dict[str, str] | None, branch: int, lineage: Lineage
) -> int:
    inner = visible(engine.qualified(table.physical), table.names, lineage)
    rows = f"SELECT {ROW} FROM ({inner}) AS w WHERE {where}"
    return engine.write(lambda tx: supersede(tx, engine, table, branch, lineage, rows, [], changed))


def test_values_come_back_as_their_columns_hold_them(engine: Tables) -> None:
    table = made(engine)
    put(
        engine,
        table,
        {
            "task": ["a", None],
            "meta": [{"deep": ["é", None]}, '{"as": "text"}'],
            "place": [None, "{1,2.5}"],
            "tries": [None, 3],
            "score": [0.5, None],
            "done": [True, None],
        },
    )
    rows = seen(engine, table, "task", "meta", "tries", "score", "done")
    assert rows[0] == ("a", {"deep": ["é", None]}, None, 0.5, True)
    assert rows[1] == (None, {"as": "text"}, 3, None, None)
    places = [value for (value,) in seen(engine, table, "place") if value is not None]
    assert [place.tolist() for place in places] == [[1.0, 2.5]]
    assert all(at.tzinfo for (at,) in seen(engine, table, "at"))


def test_many_rows_go_in_as_arrays_and_come_back_the_same(engine: Tables) -> None:
    table = made(engine)
    places = np.arange(600, dtype=np.float32).reshape(200, 3)
    assert put(engine, table, {"task": [f"t{n:03}" for n in range(200)], "place": places}) == 200
    rows = seen(engine, table, "task", "place")
    assert rows[7][0] == "t007" and rows[7][1].tolist() == [21.0, 22.0, 23.0]


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"task": [1]}, "text"),
        ({"task": ["a\0b"]}, "NUL"),
        ({"task": ["\ud800"]}, "surrogates"),
        ({"task": ["x" * (16 * 1024 * 1024 + 1)]}, "bytes"),
        ({"meta": ["{broken"]}, "meta"),
        ({"meta": [{"n": float("nan")}]}, "meta"),
        ({"meta": [{"a": "\0"}]}, "NUL"),
        ({"place": [[1.0, float("nan")]]}, "finite"),
        ({"place": [[1.0], [1.0, 2.0]]}, "one length"),
        ({"place": [np.zeros((2, 2))]}, "dimension"),
        ({"place": np.array([[np.inf, 0.0]])}, "finite"),
        ({"tries": [2**31]}, "32 bits"),
        ({"tries": [1.5]}, "whole"),
        ({"score": [float("inf")]}, "NULL"),
        ({"done": [1]}, "true or false"),
        ({"at": ["yesterday"]}, "at"),
        ({"task": ["a"], "score": []}, "same number"),
        ({"task": ["a"], "TASK": ["b"]}, "twice"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(columns: Columns, word: str) -> None:
    with pytest.raises(WrongValue) as refused:
        checked(TableInfo("ws", "notes", 1, COLUMNS), columns)
    assert word in str(refused.value)


def test_text_that_only_looks_like_an_escaped_nul_is_text() -> None:
    typed = checked(TableInfo("ws", "notes", 1, COLUMNS), {"meta": [{"a": "\\u0000"}]})
    assert typed["meta"][1] == [{"a": "\\u0000"}]


def test_an_unknown_column_is_named(engine: Tables) -> None:
    table = made(engine)
    with pytest.raises(UnknownTable, match="no column 'tsk'"):
        put(engine, table, {"tsk": ["a"]})


def test_the_first_vector_settles_the_dimension(engine: Tables) -> None:
    table = made(engine)
    put(engine, table, {"place": [[1, 2, 3]]})
    table = Catalog(engine).get("ws", "notes")
    assert table.column("place").type.dim == 3
    with pytest.raises(WrongValue, match="vectors of 3 numbers"):
        put(engine, table, {"place": [[1, 2]]})


def test_a_primary_key_is_kept(engine: Tables) -> None:
    table = made(engine, ColumnInfo("name", Type(Kind.TEXT)), ColumnInfo("n", Type(Kind.INT)), key=("name",))
    put(engine, table, {"name": ["a", "b"]})
    for names in (["a"], ["c", "c"]):
        with pytest.raises(DuplicateKey):
            put(engine, table, {"name": names})
    with pytest.raises(WrongValue, match="missing"):
        put(engine, table, {"n": [1]})
    assert seen(engine, table, "name") == [("a",), ("b",)]


def test_a_branch_changes_and_deletes_what_it_inherited_and_main_stays(engine: Tables) -> None:
    table = made(engine, ColumnInfo("name", Type(Kind.TEXT)), ColumnInfo("n", Type(Kind.INT)))
    put(engine, table, {"name": ["a", "b", "c"], "n": [1, 2, 3]})
    fork = engine.write(lambda tx: tx.numbers(1))
    branch: Lineage = (Level(7), Level(0, fork))
    put(engine, table, {"name": ["late"], "n": [9]})
    put(engine, table, {"name": ["own"], "n": [4]}, 7, branch)
    assert change(engine, table, "name = 'a'", {"n": "n + 10"}, 7, branch) == 1
    assert change(engine, table, "name IN ('b', 'own')", None, 7, branch) == 2
    assert change(engine, table, "name = 'c'", {"n": "30"}, 0, ON_MAIN) == 1
    assert seen(engine, table, "name", "n", lineage=branch) == [("a", 11), ("c", 3)]
    assert seen(engine, table, "name", "n") == [("a", 1), ("b", 2), ("c", 30), ("late", 9)]
    assert change(engine, table, "name = 'a'", {"n": "n + 1"}, 7, branch) == 1
    assert seen(engine, table, "name", "n", lineage=branch) == [("a", 12), ("c", 3)]
    assert change(engine, table, "TRUE", None, 0, ON_MAIN) == 4
    assert seen(engine, table, "name", lineage=branch) == [("a",), ("c",)]
    assert seen(engine, table, "name") == []


def test_two_first_writers_who_disagree_about_a_dimension_do_not_both_get_in(engine: Tables) -> None:
    table = made(engine)
    put(engine, table, {"place": [[1, 2, 3]]})
    with pytest.raises(WrongValue, match="vectors of 3 numbers"):
        put(engine, table, {"place": [[1, 2]]})  # what it knows of the table is older


def test_a_column_of_nothing_but_none_has_no_type_until_a_value_gives_it_one(engine: Tables) -> None:
    table = made(engine, ColumnInfo("name", Type(Kind.TEXT)), ColumnInfo("n", Type(Kind.TEXT), untyped=True))
    put(engine, table, {"name": ["a"], "n": [None]})
    put(engine, table, {"name": ["b"], "n": [1.5]})
    assert seen(engine, Catalog(engine).get("ws", "notes"), "name", "n") == [("a", None), ("b", 1.5)]


def test_an_engine_that_is_the_only_writer_knows_which_tables_a_commit_touched(engine: Tables) -> None:
    catalog = Catalog(engine)
    column = ColumnInfo("a", Type(Kind.INT))
    one = engine.write(lambda tx: catalog.create(tx, "ws", "one", [column]))
    other = engine.write(lambda tx: catalog.create(tx, "ws", "other", [column]))
    before = [engine.changes(table.physical) for table in (one, other)]
    put(engine, one, {"a": [1]})
    if engine.commits is None:
        assert before == [None, None]
        return
    changed = engine.changes(one.physical)
    assert before[0] is not None and changed is not None and changed > before[0]
    assert engine.changes(other.physical) == before[1]
    change(engine, one, "a = 1", None, 0, ON_MAIN)
    assert (engine.changes(one.physical) or 0) > changed
    assert catalog.find("ws", "one") == one
    engine.write(lambda tx: catalog.change(tx, one, [*one.columns, ColumnInfo("b", Type(Kind.TEXT))]))
    found = catalog.find("ws", "one")
    assert found is not None and found.names == ["a", "b"]
