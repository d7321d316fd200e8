"""What storage/tables.py promises, held against every engine."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hivemind_cli.core.errors import HivemindError, StoreError, TablesError
from hivemind_cli.storage.tables import Kind, Result, Tables, Transaction, Type

TEXT, BIGINT, JSON, VECTOR = Type(Kind.TEXT), Type(Kind.BIGINT), Type(Kind.JSON), Type(Kind.VECTOR)
NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, UTC)
ONE_OF_EACH: dict[Kind, Any] = {
    Kind.TEXT: 'Zoë\'s "naïve" 数据 🐝 \\ ; -- $1',
    Kind.JSON: {"tools": ["rg", None, 1.5, True], "ключ": {"deep": "é\n"}},
    Kind.VECTOR: [0.25, -1.5, 3.0],
    Kind.INT: -(2**31),
    Kind.BIGINT: 2**63 - 1,
    Kind.REAL: 0.25,
    Kind.DOUBLE: 0.1,
    Kind.BOOLEAN: True,
    Kind.TIMESTAMP: NOON,
}
DEADLINE_S = 60


def create(engine: Tables, name: str, **columns: Type) -> str:
    """A new table; how SQL names it."""
    physical = engine.qualified(name)
    said = ", ".join(f'"{column}" {engine.type_sql(type)}' for column, type in columns.items())
    engine.write(lambda tx: tx.run(f"CREATE TABLE {physical} ({said})"))
    return physical


def insert(engine: Tables, table: str, **columns: tuple[Type, Any]) -> None:
    engine.write(lambda tx: tx.insert(table, columns))


def plain(result: Result) -> list[tuple[Any, ...]]:
    return [tuple(v.tolist() if isinstance(v, np.ndarray) else v for v in row) for row in result.rows]


@pytest.mark.parametrize("rows", [1, 300])
def test_every_kind_comes_back_as_it_went_in(engine: Tables, rows: int) -> None:
    names = {str(kind): Type(kind) for kind in ONE_OF_EACH}
    table = create(engine, "t", n=BIGINT, **names)
    columns: dict[str, tuple[Type, Sequence[Any]]] = {"n": (BIGINT, range(2 * rows))}
    for kind, value in ONE_OF_EACH.items():
        columns[str(kind)] = (Type(kind), [value, None] * rows)
    engine.write(lambda tx: tx.insert(table, columns))

    found = engine.read(f"SELECT {', '.join(names)} FROM {table} ORDER BY n")

    assert found.names == tuple(names)
    assert [type.kind for type in found.types] == list(ONE_OF_EACH)
    assert plain(found) == [tuple(ONE_OF_EACH.values()), (None,) * len(names)] * rows
    moment = found.dicts()[0]["timestamp"]
    assert moment.tzinfo is UTC
    assert found.dicts()[0]["vector"].dtype == np.float32


def test_columns_may_be_arrays(engine: Tables) -> None:
    table = create(engine, "t", n=BIGINT, i=Type(Kind.INT), d=Type(Kind.DOUBLE), v=Type(Kind.VECTOR, 4))
    vectors = np.random.default_rng(7).random((500, 4), np.float32)
    numbers = np.arange(500)
    insert(
        engine,
        table,
        n=(BIGINT, numbers),
        i=(Type(Kind.INT), numbers.astype(np.int32)),
        d=(Type(Kind.DOUBLE), numbers / 3),
        v=(Type(Kind.VECTOR, 4), vectors),
    )
    found = engine.read(f"SELECT n, i, d, v FROM {table} ORDER BY n")
    assert [row[:3] for row in found.rows] == [(n, n, n / 3) for n in range(500)]
    assert np.array_equal(np.stack([row[3] for row in found.rows]), vectors)


def test_json_is_whatever_json_can_say(engine: Tables) -> None:
    said = [{}, [], "text", "", 0, -1.5, False, [[1], {"a": None}], {"n": 2**53}, '{"not": "parsed"}']
    table = create(engine, "t", n=BIGINT, j=JSON)
    for start in (0, 3):  # a few rows, then more
        rows = said[start : start + 3] if start == 0 else said[3:]
        insert(engine, table, n=(BIGINT, range(start, start + len(rows))), j=(JSON, rows))
    assert [row[0] for row in engine.read(f"SELECT j FROM {table} ORDER BY n").rows] == said


def test_values_are_bound_never_read_as_sql(engine: Tables) -> None:
    table = create(engine, "t", a=TEXT, j=JSON, v=VECTOR, n=BIGINT)
    evil = f"'; DROP TABLE {table}; --"
    into = f"INSERT INTO {table} (a, j, v, n) VALUES ($1, $2, $3, $4) RETURNING a, n"
    given = engine.write(lambda tx: tx.run(into, [evil, {"k": [evil]}, [1.0, 2.0], 5]))
    assert given == [(evil, 5)]
    found = engine.read(f"SELECT a, j, v FROM {table} WHERE a = $2 AND a = $2 AND n < $1", [6, evil])
    assert plain(found) == [(evil, {"k": [evil]}, [1.0, 2.0])]
    assert engine.read(f"SELECT a FROM {table} WHERE a = $1", ["' OR '1'='1"]).rows == []


def test_what_sql_works_out_has_its_type(engine: Tables) -> None:
    table = create(engine, "t", n=Type(Kind.INT), a=TEXT)
    insert(engine, table, n=(Type(Kind.INT), [1, 2, 4]), a=(TEXT, ["a", "b", None]))
    found = engine.read(
        f"SELECT count(*) AS rows, avg(n) AS mean, sum(n) AS total, max(a) AS last, CAST($1 AS DATE) AS day,"
        f" 1.5 AS exact, count(*) > 2 AS many FROM {table}",
        ["2026-11-22"],
    )
    assert found.rows == [(3, pytest.approx(7 / 3), 7, "b", "2026-11-22", 1.5, True)]
    kinds = [type.kind for type in found.types]
    assert kinds == [Kind.BIGINT, Kind.DOUBLE, Kind.BIGINT, Kind.TEXT, Kind.TEXT, Kind.DOUBLE, Kind.BOOLEAN]
    assert engine.read(f"SELECT a FROM {table} WHERE n > 100") == Result(("a",), (TEXT,), [])


def test_many_rows_as_arrays(engine: Tables) -> None:
    table = create(engine, "t", n=BIGINT, d=Type(Kind.DOUBLE), a=TEXT, v=VECTOR)
    insert(
        engine,
        table,
        n=(BIGINT, [1, 2, 3]),
        d=(Type(Kind.DOUBLE), [0.5, None, 1.5]),
        a=(TEXT, ["é", None, ""]),
        v=(VECTOR, [[1, 2], [3, 4], None]),
    )
    found = engine.arrays(f"SELECT n, d, a, v FROM {table} WHERE n < $1 ORDER BY n", [9])
    assert found["n"].tolist() == [1, 2, 3] and found["n"].dtype == np.int64
    assert np.ma.getmaskarray(found["d"]).tolist() == [False, True, False]
    assert found["d"][[0, 2]].tolist() == [0.5, 1.5]
    assert [found["a"][0], found["a"][2]] == ["é", ""] and np.ma.getmaskarray(found["a"]).tolist()[1]
    assert [np.asarray(one).tolist() for one in found["v"][:2]] == [[1, 2], [3, 4]]
    assert len(engine.arrays(f"SELECT n FROM {table} WHERE n > 9")["n"]) == 0


def test_relations_stand_beside_the_tables(engine: Tables) -> None:
    table = create(engine, "t", n=BIGINT, a=TEXT)
    insert(engine, table, n=(BIGINT, [1, 2, 3]), a=(TEXT, ["a", "b", "c"]))
    hits = {"hits": {"id": np.array([3, 1, 9]), "score": np.array([0.5, 0.25, 1.0])}}
    joined = f"SELECT t.a, h.score FROM {table} t JOIN hits h ON h.id = t.n WHERE h.score < $1 ORDER BY h.score"
    assert engine.read(joined, [0.9], relations=hits).rows == [("a", 0.25), ("c", 0.5)]
    inside = f"WITH low AS (SELECT id FROM hits WHERE score < $1) SELECT a FROM {table} WHERE n IN (SELECT id FROM low)"
    assert engine.read(inside, [0.3], relations=hits).rows == [("a",)]
    two = {**hits, "more": {"id": np.array([2])}}
    assert engine.read("SELECT id FROM hits UNION ALL SELECT id FROM more ORDER BY 1", relations=two).rows == [
        (1,),
        (2,),
        (3,),
        (9,),
    ]
    none = {"hits": {"id": np.zeros(0, np.int64), "score": np.zeros(0)}}
    assert engine.read(joined, [0.9], relations=none).rows == []
    with engine.stream(joined, [0.9], relations=hits) as batches:
        assert [row for batch in batches for row in batch.rows] == [("a", 0.25), ("c", 0.5)]
    assert engine.read(f"EXPLAIN {joined}", [0.9], relations=hits).rows
    with pytest.raises(TablesError):
        engine.read("SELECT * FROM hits")  # gone with the read it was made for


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM {t}",
        "INSERT INTO {t} VALUES (2)",
        "UPDATE {t} SET n = 2",
        "DROP TABLE {t}",
        "CREATE TABLE made (n BIGINT)",
        "SELECT 1; DELETE FROM {t}",
        "SELECT 1; COMMIT; DELETE FROM {t}",
        "SELECT {next}",
        "WITH gone AS (DELETE FROM {t} RETURNING n) SELECT * FROM gone",
    ],
)
def test_reads_cannot_write(engine: Tables, statement: str) -> None:
    table = create(engine, "t", n=BIGINT)
    insert(engine, table, n=(BIGINT, [1]))
    said = statement.format(t=table, next=engine.next_number)
    with pytest.raises(HivemindError):
        engine.read(said)
    with pytest.raises(HivemindError), engine.stream(said) as batches:
        list(batches)
    assert engine.read(f"SELECT n FROM {table}").rows == [(1,)]
    assert engine.write(lambda tx: tx.numbers(1)) == 1


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("SELEC 1", []),
        ("", []),
        ("SELECT 1 FROM nothing_of_that_name", []),
        ("SELECT nothing FROM {t}", []),
        ("SELECT n FROM {t} WHERE n = $1", []),
        ("SELECT CAST($1 AS BIGINT)", ["twelve"]),
        ("SELECT no_function_of_ours(n) FROM {t}", []),
        ("SELECT CAST(a AS BIGINT) FROM {t}", []),
    ],
)
def test_statements_that_will_not_do(engine: Tables, statement: str, values: list[Any]) -> None:
    table = create(engine, "t", n=BIGINT, a=TEXT)
    insert(engine, table, n=(BIGINT, [1]), a=(TEXT, ["twelve"]))
    with pytest.raises(TablesError):
        engine.read(statement.format(t=table), values)

    def work(tx: Transaction) -> None:
        tx.insert(table, {"n": (BIGINT, [2])})
        tx.run(statement.format(t=table), values)

    with pytest.raises(TablesError):
        engine.write(work)
    assert engine.read(f"SELECT n FROM {table}").rows == [(1,)]


@pytest.mark.parametrize(
    ("type", "value"),
    [
        (Type(Kind.INT), 2**31),
        (Type(Kind.BIGINT), 2**63),
        (Type(Kind.INT), "one"),
        (Type(Kind.DOUBLE), "much"),
        (Type(Kind.TEXT), "half \ud800"),
        (Type(Kind.VECTOR), ["a", "b"]),
        (Type(Kind.TIMESTAMP), "now"),
        (Type(Kind.JSON), {"what": object()}),
    ],
)
@pytest.mark.parametrize("rows", [1, 200])
def test_values_that_do_not_fit(engine: Tables, type: Type, value: Any, rows: int) -> None:
    table = create(engine, "t", n=BIGINT, x=type)
    with pytest.raises(TablesError):
        insert(engine, table, n=(BIGINT, range(rows)), x=(type, [None] * (rows - 1) + [value]))
    assert engine.read(f"SELECT count(*) FROM {table}").rows == [(0,)]
    insert(engine, table, n=(BIGINT, [1]), x=(type, [None]))
    assert engine.read(f"SELECT n, x FROM {table}").rows == [(1, None)]


def test_a_write_is_whole_or_nothing(engine: Tables) -> None:
    table = create(engine, "t", n=BIGINT)

    class Own(Exception):
        pass

    def work(tx: Transaction) -> None:
        tx.insert(table, {"n": (BIGINT, range(200))})
        tx.run(f"CREATE TABLE {engine.qualified('u')} (n BIGINT)")
        assert tx.run(f"SELECT count(*) FROM {table}") == [(200,)]
        raise Own

    with pytest.raises(Own):
        engine.write(work)
    assert engine.read(f"SELECT count(*) FROM {table}").rows == [(0,)]
    create(engine, "u", n=BIGINT)  # it is not there
    assert engine.write(lambda tx: tx.run(f"DELETE FROM {table}")) in ([], [(0,)])
    assert engine.write(lambda tx: "the result") == "the result"


def test_numbers_only_grow_and_are_given_once(engine: Tables) -> None:
    table = create(engine, "t", n=BIGINT, a=TEXT)
    first = engine.write(lambda tx: tx.numbers(1))
    many, next_one = engine.write(lambda tx: (tx.numbers(1000), tx.numbers(1)))
    assert many > first
    assert next_one >= many + 1000

    def undone(tx: Transaction) -> None:
        taken.append(tx.numbers(10))
        raise KeyError

    taken: list[int] = []
    with pytest.raises(KeyError):
        engine.write(undone)
    assert engine.write(lambda tx: tx.numbers(1)) > next_one

    def several(tx: Transaction) -> None:
        tx.run(f"INSERT INTO {table} SELECT {engine.next_number}, a FROM (VALUES ('a'), ('b')) AS v(a)")

    before = engine.write(lambda tx: tx.numbers(1))
    engine.write(several)
    numbers = [row[0] for row in engine.read(f"SELECT n FROM {table} ORDER BY n").rows]
    assert len(set(numbers)) == 2 and min(numbers) > before
    assert engine.write(lambda tx: tx.numbers(1)) > max(numbers)


def test_writers_are_in_line_and_readers_see_their_numbers_in_order(engine: Tables) -> None:
    """Whoever has read up to a number never finds a smaller one later: what indexes rest on."""
    table = create(engine, "t", n=BIGINT, who=BIGINT)
    writers, each = 8, 12
    seen: list[list[int]] = []
    done = threading.Event()

    def reader() -> None:
        while not done.is_set():
            seen.append([row[0] for row in engine.read(f"SELECT n FROM {table} ORDER BY n").rows])

    def writer(who: int) -> list[int]:
        mine = []
        for turn in range(each):

            def work(tx: Transaction, turn: int = turn) -> int:
                first = tx.numbers(2)
                tx.insert(table, {"n": (BIGINT, [first, first + 1]), "who": (BIGINT, [who, who])})
                if turn % 4 == 3:
                    raise KeyError(who)  # takes nobody with it who shares its commit
                return first

            try:
                mine.append(engine.write(work))
            except KeyError as exc:
                assert exc.args == (who,)
        return mine

    watching = threading.Thread(target=reader)
    watching.start()
    try:
        with ThreadPoolExecutor(writers) as pool:
            results = [found for mine in pool.map(writer, range(writers)) for found in mine]
    finally:
        done.set()
        watching.join(DEADLINE_S)
    stored = [row[0] for row in engine.read(f"SELECT n FROM {table} ORDER BY n").rows]
    assert stored == sorted([*results, *(first + 1 for first in results)])
    assert len(set(stored)) == len(stored) == writers * each * 3 // 4 * 2
    for earlier, later in pairwise(seen):
        assert later[: len(earlier)] == earlier


def test_readers_do_not_wait_for_a_writer(engine: Tables) -> None:
    table = create(engine, "t", n=BIGINT)
    inside, read = threading.Event(), threading.Event()

    def work(tx: Transaction) -> None:
        tx.insert(table, {"n": (BIGINT, [1])})
        inside.set()
        assert read.wait(DEADLINE_S)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(engine.write, work)
        assert inside.wait(DEADLINE_S)
        assert engine.read(f"SELECT n FROM {table}").rows == []
        with engine.stream(f"SELECT n FROM {table}") as batches:
            assert list(batches) == []
        read.set()
        writing.result(DEADLINE_S)
    assert engine.read(f"SELECT n FROM {table}").rows == [(1,)]


def test_a_stream_gives_batches_of_one_moment(engine: Tables) -> None:
    table = create(engine, "t", n=BIGINT, v=VECTOR)
    insert(engine, table, n=(BIGINT, range(250)), v=(VECTOR, [[n, 1] for n in range(250)]))
    with engine.stream(f"SELECT n, v FROM {table} WHERE n >= $1 ORDER BY n", [0], batch_rows=100) as batches:
        first = next(batches)
        insert(engine, table, n=(BIGINT, range(250, 500)), v=(VECTOR, [None] * 250))
        rest = list(batches)
    assert first.names == ("n", "v") and [type.kind for type in first.types] == [Kind.BIGINT, Kind.VECTOR]
    rows = [row for batch in (first, *rest) for row in plain(batch)]
    assert rows == [(n, [n, 1]) for n in range(250)]
    assert all(len(batch.rows) <= 2048 for batch in rest)


def test_a_stream_may_be_left_and_may_fail_late(engine: Tables) -> None:
    table = create(engine, "t", a=TEXT, n=BIGINT)
    insert(engine, table, a=(TEXT, [*["1"] * 30_000, "none"]), n=(BIGINT, range(30_001)))
    for _ in range(40):  # more than there are connections
        with engine.stream(f"SELECT n FROM {table}", batch_rows=10) as batches:
            next(batches)

    class Own(Exception):
        pass

    with pytest.raises(Own), engine.stream(f"SELECT n FROM {table}") as batches:
        raise Own
    with (
        pytest.raises(TablesError),
        engine.stream(f"SELECT CAST(a AS BIGINT) FROM {table}", batch_rows=1000) as batches,
    ):
        for _ in batches:
            pass
    assert engine.read(f"SELECT count(*) FROM {table}").rows == [(30_001,)]


def test_a_stream_needs_little_memory(engine: Tables) -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("memory is measured by /proc")
    table = create(engine, "t", n=BIGINT, a=TEXT)
    insert(engine, table, n=(BIGINT, range(1000)), a=(TEXT, [f"{n:0500}" for n in range(1000)]))
    many = f"SELECT t.n + u.n AS n, t.a FROM {table} t CROSS JOIN {table} u WHERE u.n < $1"
    with engine.stream(many, [10], batch_rows=1000) as batches:  # what the first one needs is not the stream's
        list(batches)
    before, rows, highest = _memory_mb(), 0, 0.0
    with engine.stream(many, [200], batch_rows=1000) as batches:
        for batch in batches:
            rows += len(batch.rows)
            highest = max(highest, _memory_mb())
    assert rows == 200_000
    assert highest - before < 60, "200,000 rows of 500 characters are 100 MB, and more as Python has them"


def _memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def test_many_threads_at_once(engine: Tables) -> None:
    table = create(engine, "t", who=BIGINT, n=BIGINT)

    def both(who: int) -> int:
        insert(engine, table, who=(BIGINT, [who] * 5), n=(BIGINT, range(5)))
        mine = engine.read(f"SELECT count(*) FROM {table} WHERE who = $1", [who]).rows[0][0]
        with engine.stream(f"SELECT n FROM {table} WHERE who = $1", [who], batch_rows=2) as batches:
            return int(mine) + sum(len(batch.rows) for batch in batches)

    with ThreadPoolExecutor(40) as pool:  # each sees its own writes
        assert list(pool.map(both, range(80))) == [10] * 80
    assert engine.read(f"SELECT count(*), count(DISTINCT who) FROM {table}").rows == [(400, 80)]


def test_columns_are_added_while_others_read(engine: Tables) -> None:
    table = create(engine, "t", n=BIGINT)
    insert(engine, table, n=(BIGINT, [1]))
    for _ in range(8):  # often enough to be prepared
        assert engine.read(f"SELECT * FROM {table}").rows == [(1,)]
    engine.write(lambda tx: tx.run(f"ALTER TABLE {table} ADD COLUMN a {engine.type_sql(TEXT)}"))
    assert engine.read(f"SELECT * FROM {table}").rows == [(1, None)]
    engine.write(lambda tx: tx.run(f"DROP TABLE {table}"))
    with pytest.raises(TablesError):
        engine.read(f"SELECT * FROM {table}")


@pytest.mark.thorough
def test_a_hundred_megabytes_are_a_value_like_any_other(engine: Tables) -> None:
    table = create(engine, "t", a=TEXT)
    large = "0123456789" * 10_000_000
    insert(engine, table, a=(TEXT, [large]))
    assert engine.read(f"SELECT length(a) FROM {table}").rows == [(100_000_000,)]
    assert engine.read(f"SELECT a FROM {table}").rows[0][0] == large


def test_commits_are_counted_or_said_not_to_be(engine: Tables) -> None:
    table = create(engine, "t", n=BIGINT)
    before = engine.commits
    insert(engine, table, n=(BIGINT, [1]))
    after = engine.commits
    assert (before is None and after is None) or (before is not None and after is not None and after > before)


def test_a_closed_engine_says_so(engine: Tables, request: pytest.FixtureRequest) -> None:
    engine.close()
    engine.close()
    if engine.dialect == "duckdb":
        return  # closed with its store: tests/storage/test_duckdb.py
    started = time.monotonic()
    with pytest.raises(StoreError, match="closed"):
        engine.read("SELECT 1")
    with pytest.raises(StoreError, match="closed"):
        engine.write(lambda tx: tx.numbers(1))
    assert time.monotonic() - started < DEADLINE_S
