"""The SDK against a real daemon: what is written is read, by whomever, and what will not do is refused."""

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from hivemind_cli import memory
from hivemind_cli.core.errors import (
    BranchError,
    DuplicateKey,
    Forbidden,
    MergeConflict,
    StoreError,
    UnknownTable,
    WrongValue,
)
from hivemind_cli.memory import types
from hivemind_cli.tables import wire

NOW = datetime(2026, 11, 22, 1, 2, 3, 456789, tzinfo=UTC)


def test_what_is_ingested_is_queried_with_its_types(db: memory.Database) -> None:
    rows: dict[str, list[Any]] = {
        "task": ["fix the build", "OOM ü"],
        "embedding": [[0.6, 0.8], [1.0, 0.0]],
        "meta": [{"a": [1, None]}, None],
        "tries": [1, None],
        "score": [0.5, 1],
        "done": [True, False],
        "seen": [NOW, None],
    }
    assert db.ingest("notes", rows) == 2
    first, second = db.query("SELECT * FROM notes ORDER BY score")
    assert {**first, "embedding": first["embedding"].tolist()} == {
        **{name: column[0] for name, column in rows.items()},
        "embedding": np.array([0.6, 0.8], np.float32).tolist(),
    }
    assert second["meta"] is second["tries"] is second["seen"] is None
    assert first["embedding"].dtype == np.float32


@pytest.mark.parametrize("params", [[[0.9, 0.1], 1], {"q": [0.9, 0.1], "k": 1}, ["{0.9,0.1}", 1]])
def test_parameters_are_bound_in_any_of_three_ways(db: memory.Database, params: Any) -> None:
    db.ingest("notes", {"task": ["a", "b"], "e": [[0.0, 1.0], [1.0, 0.0]]})
    spelled = [("$1", "$2"), ("%s", "%s")] if isinstance(params, list) else [(":q", ":k"), ("%(q)s", "%(k)s")]
    for vector, limit in spelled:
        sql = f"SELECT task FROM notes ORDER BY cosine_similarity(e, {vector}) LIMIT {limit}"
        assert db.query(sql, params) == [{"task": "b"}]


def test_a_query_sees_its_own_writes_each_time(db: memory.Database) -> None:
    for number, word in enumerate(("zebra", "yak", "heron", "otter", "lynx", "ibex")):
        db.append("notes", {"text": f"a note of one {word}", "n": number})
        best = db.query("SELECT n FROM notes ORDER BY bm25(text, $1) DESC LIMIT 1", [word])
        assert best == [{"n": number}]


def test_statements_write_and_say_how_many(db: memory.Database) -> None:
    assert db.execute("CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY, state JSONB)").rowcount == 0
    assert db.execute("INSERT INTO t (id, state) VALUES (%s, %s), (2, NULL)", [1, {"k": [1]}]).rowcount == 2
    assert db.execute("UPDATE t SET state = $1 WHERE id = 2", [[1, 2]]).rowcount == 1
    cursor = db.execute("SELECT * FROM t ORDER BY id")
    assert cursor.fetchone() == {"id": 1, "state": {"k": [1]}}
    assert cursor.fetchall() == [{"id": 2, "state": [1, 2]}]
    with pytest.raises(DuplicateKey):
        db.execute("INSERT INTO t (id) VALUES (1)")
    assert db.execute("DELETE FROM t").rowcount == 2


def test_arrow_tables_and_data_frames_go_in_and_come_out(db: memory.Database) -> None:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(range(4), pa.float32()), 2)
    db.ingest("a", pa.table({"t": ["x", None], "e": vectors}))
    db.ingest("a", pd.DataFrame({"t": ["z"], "e": [np.array([4, 5], np.float32)]}))
    table = db.query("SELECT t, e FROM a").arrow()
    assert sorted(map(str, table.to_pylist())) == sorted(
        map(str, [{"t": "x", "e": [0.0, 1.0]}, {"t": None, "e": [2.0, 3.0]}, {"t": "z", "e": [4.0, 5.0]}])
    )
    assert sorted(db.query("SELECT t FROM a WHERE t IS NOT NULL").frame()["t"]) == ["x", "z"]


def test_a_big_batch_is_handed_over_in_a_file_and_read_in_pages_and_streams(
    db: memory.Database, daemon_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "INLINE_BYTES_MAX", 100_000)
    count = 3 * wire.PAGE_ROWS
    vectors = np.random.default_rng(7).standard_normal((count, 8), dtype=np.float32)
    assert db.ingest("big", {"n": np.arange(count), "e": vectors, "t": ["x" * 40] * count}) == count
    assert not list((daemon_home / "run" / "handed").iterdir())
    rows = db.query("SELECT n, e FROM big ORDER BY n")
    assert [row["n"] for row in rows] == list(range(count))
    assert np.array_equal(np.stack([row["e"] for row in rows]), vectors)
    with db.stream("SELECT n FROM big", batch_rows=7000) as stream:
        sizes = [len(batch) for batch in stream.batches()]
    assert sum(sizes) == count
    assert max(sizes) <= 7000
    with db.stream("SELECT n FROM big WHERE n < $1", [5], batch_rows=2) as left_early:
        assert next(iter(left_early))["n"] in range(5)


def test_a_batch_with_one_bad_row_leaves_nothing(db: memory.Database) -> None:
    db.ingest("t", {"n": [1], "e": [[1.0, 2.0]]}, types={"n": "int"})
    bad: list[Any] = [
        {"n": [2, 3], "e": [[1.0, 2.0], [1.0]]},
        {"n": [2, 3], "e": [[1.0, 2.0], [1.0, float("nan")]]},
        {"n": [2, 2**40], "e": [[1.0, 2.0]] * 2},
        {"n": [2, "x"]},
        {"n": [2, 3, 4], "e": [[1.0, 2.0]]},
        {"n": [2], "s": ["new"]},
    ]
    for rows in bad:
        with pytest.raises((WrongValue, UnknownTable)):
            db.ingest("t", rows)
    assert db.query("SELECT n FROM t") == [{"n": 1}]


def test_none_in_the_first_row_fixes_no_type(db: memory.Database) -> None:
    db.append("t", {"a": 1, "e": None, "s": None})
    db.append("t", {"a": 2, "e": [0.5, 0.5], "s": 1.5})
    found = db.query("SELECT a, s FROM t ORDER BY a")
    assert found == [{"a": 1, "s": None}, {"a": 2, "s": 1.5}]


def test_text_embeds_itself_where_asked(db: memory.Database) -> None:
    db.ingest("t", {"text": ["the build is red", "lunch at noon"]}, embed={"vector": "text"})
    db.append("t", {"text": "coffee"})
    best = db.query("SELECT text FROM t ORDER BY cosine_similarity(vector, $1) LIMIT 1", ["why is the build red"])
    assert best == [{"text": "the build is red"}]
    vectors = db.embed(["the build is red", "x"])
    assert vectors.shape[0] == 2
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert db.embed([]).shape[0] == 0


def test_explain_names_the_index_that_answers(db: memory.Database) -> None:
    db.ingest("t", {"text": ["a"], "e": [[1.0, 0.0]]})
    said = db.explain("SELECT * FROM t ORDER BY hybrid(e, text, $1, $2, 0.5, 0.5) DESC LIMIT 3", [[1.0, 0.0], "a"])
    assert "t" in said
    assert len(said.splitlines()) > 1


REFUSED: list[tuple[Callable[[memory.Database], Any], type[Exception]]] = [
    (lambda db: db.query("SELECT * FROM nowhere"), UnknownTable),
    (lambda db: db.query("INSERT INTO t (a) VALUES (2)"), Forbidden),
    (lambda db: db.query("SELECT 1; SELECT 2"), StoreError),
    (lambda db: db.execute("DROP TABLE t; DROP TABLE t"), StoreError),
    (lambda db: db.execute("DELETE FROM sessions"), Forbidden),
    (lambda db: db.query("SELECT * FROM t WHERE a = $2", [1]), StoreError),
    (lambda db: db.query("SELECT cosine_similarity(e, $1) FROM t", [[1.0, 2.0, 3.0]]), WrongValue),
    (lambda db: db.query("SELECT cosine_similarity(e, $1) FROM t", [[1.0, float("nan")]]), WrongValue),
    (lambda db: db.append("t", {"s": "nul\0"}), WrongValue),
    (lambda db: db.append("t", {"s": b"bytes"}), WrongValue),
    (lambda db: db.append("t", {"s": "x" * 17_000_000}), WrongValue),
    (lambda db: db.ingest("u", {"j": [{"x": "y" * 17_000_000}]}), WrongValue),
    (lambda db: db.query("SELECT $1", ["x" * 40_000_000]), WrongValue),
    (lambda db: db.append("t", {}), WrongValue),
    (lambda db: db.ingest("t", {"a": [1]}, types={"a": "sometype"}), WrongValue),
    (lambda db: db.ingest("bad name!", {"a": [1]}), StoreError),
    (lambda db: db.stream("SELECT 1", batch_rows=0), WrongValue),
    (lambda db: db.branch("a/../b"), BranchError),
    (lambda db: db.on("nowhere").query("SELECT 1 FROM t"), BranchError),
    (lambda db: db.merge("nowhere"), BranchError),
    (lambda db: db.rollback("main", 2**60), BranchError),
    (lambda db: db.run("").last(), WrongValue),
    (lambda db: db.experiences.append("t", "a", "great", 0.5), WrongValue),
    (lambda db: db.experiences.append("t", "a", "success", 1.5), WrongValue),
]


@pytest.mark.parametrize(("ask", "error"), REFUSED, ids=range(len(REFUSED)))
def test_what_will_not_do_is_a_typed_error_and_changes_nothing(
    db: memory.Database, ask: Callable[[memory.Database], Any], error: type[Exception]
) -> None:
    db.ingest("t", {"a": [1], "s": ["x"], "e": [[1.0, 0.0]]})
    with pytest.raises(error):
        ask(db)
    assert db.query("SELECT a, s FROM t") == [{"a": 1, "s": "x"}]
    assert [table.name for table in db.tables()] == ["t"]
    assert [branch.name for branch in db.branches()] == ["main"]


def test_branches_differ_conflict_and_merge(db: memory.Database) -> None:
    db.ingest("t", {"id": [1, 2], "v": ["one", "two"]}, key=["id"])
    before = db.now()
    a = db.branch("try/a")
    assert a.branch_name == "try/a"
    a.execute("UPDATE t SET v = 'a' WHERE id = 1")
    a.append("t", {"id": 3, "v": "three"})
    assert db.query("SELECT count(*) AS n FROM t") == [{"n": 2}]
    assert sorted((one.kind, one.key["id"]) for one in db.diff("main", "try/a")) == [("added", 3), ("changed", 1)]
    db.execute("UPDATE t SET v = 'main' WHERE id = 1")
    (conflict,) = db.conflicts("try/a")
    assert conflict.ours is not None
    assert conflict.theirs is not None
    assert (conflict.ours["v"], conflict.theirs["v"]) == ("main", "a")
    with pytest.raises(MergeConflict):
        db.merge("try/a")
    assert db.merge("try/a", policy="theirs").conflicts == 1
    assert db.query("SELECT v FROM t ORDER BY id") == [{"v": "a"}, {"v": "two"}, {"v": "three"}]
    db.delete_branch("try/a")
    with pytest.raises(BranchError):
        db.merge("try/a")
    db.rollback("main", before)
    assert db.query("SELECT v FROM t ORDER BY id") == [{"v": "one"}, {"v": "two"}]


def test_a_run_goes_on_where_it_was_left(db: memory.Database) -> None:
    vector = np.ones(4, np.float32)
    with pytest.raises(ZeroDivisionError), db.run("run-42") as run:
        assert run.resume().next_step == 1
        for number in range(1, 6):
            step = run.step(action="edit", observation="ü", state={"n": number}, tokens_used=7, embedding=vector)
            assert step.step == number
        raise ZeroDivisionError
    run = db.run("run-42")
    assert (run.resume().step, run.resume().state, run.resume().next_step) == (5, {"n": 5}, 6)
    last = run.last()
    assert last is not None
    assert (last.action, last.observation, last.tokens_used) == ("edit", "ü", 7)
    assert [step.step for step in run.history(after=2)] == [3, 4, 5]
    assert [step.step for step in run.history(limit=2)] == [1, 2]
    assert run.at(9) is None
    assert [one.run_id for one in db.runs()] == ["run-42"]
    mine = run.branch("approach-a")
    assert mine.branch_name == "run-42/approach-a"
    assert mine.step(action="try").step == 6
    assert run.resume().next_step == 6
    assert mine.db.query("SELECT count(*) AS n FROM steps") == [{"n": 6}]


@pytest.mark.parametrize("first", [1, 2, 13, 19, 20, 21])
def test_bisect_finds_the_first_step_for_which_something_holds(db: memory.Database, first: int) -> None:
    run = db.run("r")
    for number in range(1, 21):
        run.step(action="edit", state={"broken": number >= first})
    asked: list[int] = []

    def broken(step: Any) -> bool:
        asked.append(step.step)
        return bool(step.state["broken"])

    found = run.bisect(broken)
    assert (found.step if found else 21) == first
    assert len(asked) <= 6


def test_a_run_without_steps_has_none(db: memory.Database) -> None:
    run = db.run("none")
    assert run.last() is None
    assert list(run.history()) == []
    assert run.bisect(lambda step: True) is None


def test_experiences_are_replayed_avoided_and_told(db: memory.Database) -> None:
    store = db.experiences
    task = "deploy the payments service to staging"
    store.append(task, "blue green", "success", 0.95, lessons="watch the queue", tools_used=["kubectl"], tokens=5)
    store.append(task, "big bang", "failure", 0.1, error_trace="CrashLoopBackOff", metadata={"n": 1}, occurred_at=NOW)
    store.evaluate_and_store(task, "canary", {"outcome": "success", "score": 0.9, "duration": 3})
    assert [one.approach for one in store.replay(task, score_min=0.92)] == ["blue green"]
    (failed,) = store.failures(task)
    assert (failed.approach, failed.error_trace, failed.occurred_at) == ("big bang", "CrashLoopBackOff", NOW)
    assert [one.approach for one in store.strategies(task)] == ["blue green", "canary", "big bang"]
    assert store.get(failed.id) == store.newest(outcome="failure")[0]
    assert store.count() == len(store.search(task)) == 3
    said = store.render(task)
    assert "watch the queue" in said
    assert "CrashLoopBackOff" in said
    with pytest.raises(Forbidden):
        db.append("experiences", {"task": "x"})


def test_debugging_memory_finds_the_issue_by_its_error(db: memory.Database) -> None:
    db.debugging.append("load exports", "read in batches", error_trace="MemoryError: 47 GiB", tools_used=["htop"])
    db.debugging.append("start the server", "free the port", error_trace="OSError: address in use")
    assert db.debugging.search("MemoryError while loading", limit=1)[0].outcome == "read in batches"
    assert db.debugging.count() == 2


def test_a_dataset_is_made_by_its_columns_and_rows(daemon_home: Path, workspace: str) -> None:
    with memory.open(f"hivemind://{workspace}/agent-exp", home=daemon_home) as data:
        assert (len(data), data.columns) == (0, ())
        data.add_column("task", types.Text())
        data.add_column("e", types.Embedding(3))
        data.add_column("task", "text")
        with pytest.raises(WrongValue):
            data.add_column("e", types.Embedding(4))
        assert data.append({"task": "x", "e": [0.1, 0.2, 0.3]}) == 1
        assert data.append([{"task": "y", "e": None}, {"task": "z"}]) == 2
        assert [str(column.type) for column in data.columns] == ["text", "vector(3)"]
        assert len(data) == 3
        assert data.query("SELECT task FROM agent_exp WHERE e IS NOT NULL") == [{"task": "x"}]


def test_the_loops_views_join_with_the_agents_tables(db: memory.Database) -> None:
    db.append("notes", {"session": "s1", "note": "x"})
    found = db.query("SELECT n.note, s.session_id FROM notes n LEFT JOIN sessions s ON s.session_id = n.session")
    assert found == [{"note": "x", "session_id": None}]


def test_workspaces_do_not_see_each_other(db: memory.Database, daemon_home: Path) -> None:
    db.append("t", {"a": 1})
    with memory.connect("hivemind://somebody-else", home=daemon_home) as other:
        with pytest.raises(UnknownTable):
            other.query("SELECT * FROM t")
        with pytest.raises(Forbidden):
            other.query(f'SELECT * FROM "{db.workspace}"."t"')


def test_many_threads_share_a_database(db: memory.Database) -> None:
    db.append("t", {"who": -1, "n": 0})
    errors: list[BaseException] = []

    def write(who: int) -> None:
        try:
            for number in range(10):
                db.append("t", {"who": who, "n": number})
                assert len(db.query("SELECT n FROM t WHERE who = $1", [who])) == number + 1
        except BaseException as exc:  # noqa: BLE001  told by the main thread
            errors.append(exc)

    threads = [threading.Thread(target=write, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert db.query("SELECT count(*) AS n FROM t") == [{"n": 81}]


WRITER = """
import sys
from hivemind_cli import memory
home, workspace, who = sys.argv[1:]
with memory.connect(f"hivemind://{workspace}", home=home) as db:
    for number in range(10):
        db.append("t", {"who": int(who), "n": number})
"""


def test_many_processes_write_at_once(db: memory.Database, daemon_home: Path) -> None:
    db.append("t", {"who": -1, "n": 0})
    command = [sys.executable, "-W", "error", "-c", WRITER, str(daemon_home), db.workspace]
    writers = [subprocess.Popen([*command, str(who)]) for who in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert db.query("SELECT count(*) AS n FROM t") == [{"n": 31}]


LEAN = """
import sys
from hivemind_cli import memory
home, workspace = sys.argv[1:]
with memory.connect(f"hivemind://{workspace}", home=home) as db:
    db.append("t", {"a": 1, "e": [0.5] * 20, "j": {"k": [1]}})
    assert db.query("SELECT a, j FROM t WHERE a = $1", [1]) == [{"a": 1, "j": {"k": [1]}}]
heavy = {"numpy", "duckdb", "sqlglot", "pandas", "pyarrow", "psycopg", "re2", "typer", "rich", "tantivy", "anthropic"}
print(sorted(heavy & set(sys.modules)))
"""


def test_rows_are_written_and_read_without_loading_anything_heavy(daemon_home: Path, workspace: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LEAN, str(daemon_home), workspace],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_closed_database_says_so_and_leaving_a_branch_closes_nothing(daemon_home: Path, workspace: str) -> None:
    db = memory.connect(f"hivemind://{workspace}", home=daemon_home)
    with db.branch("b") as branch:
        branch.query("SELECT 1 AS a")
    assert db.query("SELECT 1 AS a") == [{"a": 1}]
    db.close()
    for one in (db, branch):
        with pytest.raises(StoreError, match="closed"):
            one.query("SELECT 1 AS a")


@pytest.mark.thorough
def test_a_hundred_megabytes_of_json_are_refused(db: memory.Database) -> None:
    big = "y" * 100_000_000
    with pytest.raises(WrongValue):
        db.ingest("u", {"j": [{"x": big}]})
    with pytest.raises(WrongValue):
        db.query("SELECT $1", [big])
    with pytest.raises(WrongValue):
        db.execute("CREATE TABLE " + big)
    assert db.tables() == []
