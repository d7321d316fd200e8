"""What a sidecar says is what the table's versions say, whatever became of its files."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hivemind_cli.index import columns
from hivemind_cli.index.inverted import made, scores
from hivemind_cli.storage.tables import Kind, Tables, Transaction, Type
from hivemind_cli.tables import sidecar
from hivemind_cli.tables.catalog import Catalog, ColumnInfo, TableInfo
from hivemind_cli.tables.layout import BRANCH, ROW, SEQ
from hivemind_cli.tables.sidecar import Sidecars

BIG = Type(Kind.BIGINT)
DIM = 8


def a_table(engine: Tables, dim: int = DIM) -> TableInfo:
    wanted = [ColumnInfo("task", Type(Kind.TEXT)), ColumnInfo("embedding", Type(Kind.VECTOR, dim))]
    return engine.write(lambda tx: Catalog(engine).create(tx, "w", "memory", wanted))


def put(engine: Tables, table: TableInfo, texts: Sequence[str | None], vectors: Sequence[Any]) -> list[int]:
    """Numbers of the versions, on main."""

    def work(tx: Transaction) -> list[int]:
        first = tx.numbers(len(texts))
        numbers = list(range(first, first + len(texts)))
        tx.insert(
            engine.qualified(table.physical),
            {
                "task": (Type(Kind.TEXT), texts),
                "embedding": (Type(Kind.VECTOR, DIM), vectors),
                SEQ: (BIG, numbers),
                ROW: (BIG, numbers),
                BRANCH: (BIG, [0] * len(texts)),
                "_hm_deleted": (Type(Kind.BOOLEAN), [False] * len(texts)),
            },
        )
        return numbers

    return engine.write(work)


def some(count: int, seed: int = 0) -> tuple[list[str | None], list[Any]]:
    """Texts and vectors, some of them NULL."""
    random = np.random.default_rng(seed)
    words = ["Speicher", "parse_HTTPHeader", "loader", "csv", "ünïcode", "検索", "OOM", "retry"]
    texts = [None if random.random() < 0.1 else " ".join(random.choice(words, 5)) for _ in range(count)]
    vectors = [None if random.random() < 0.1 else random.standard_normal(DIM).astype(np.float32) for _ in range(count)]
    return texts, vectors


def expect(sidecars: Sidecars, table: TableInfo, numbers: list[int], texts: Any, vectors: Any) -> None:
    """The sidecar knows exactly these versions."""
    found = sidecars.of(table).scores(table.column("task"), "csv OOM http")
    there = [(number, text) for number, text in zip(numbers, texts, strict=True) if text is not None]
    asked = scores([made([number for number, _ in there], [text for _, text in there])], "csv OOM http")
    assert found.numbers.tolist() == asked.numbers.tolist()
    np.testing.assert_allclose(found.bm25, asked.bm25)
    query = np.arange(1, DIM + 1, dtype=np.float32)
    near, cosines = sidecars.of(table).vectors(table.column("embedding")).cosines(query)
    exact = {
        number: float(one @ query / np.linalg.norm(one) / np.linalg.norm(query))
        for number, one in zip(numbers, vectors, strict=True)
        if one is not None
    }
    assert near.tolist() == list(exact)
    np.testing.assert_allclose(cosines, list(exact.values()), atol=1e-6)


def test_a_sidecar_sees_each_write_at_once_and_few_rows_wait_in_memory(duckdb_engine: Tables, tmp_path: Path) -> None:
    table, sidecars = a_table(duckdb_engine), Sidecars(duckdb_engine, tmp_path / "index")
    numbers: list[int] = []
    texts: list[str | None] = []
    vectors: list[Any] = []
    for step in range(20):
        more = some(1 + 3 * (step % 3), seed=step)
        numbers += put(duckdb_engine, table, *more)
        texts, vectors = texts + more[0], vectors + more[1]
        expect(sidecars, table, numbers, texts, vectors)
    assert not list((tmp_path / "index").rglob("manifest.json"))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that few rows reach."""
    monkeypatch.setattr(columns, "WAITING_MAX", 40)
    monkeypatch.setattr(sidecar, "FEW", 30)
    monkeypatch.setattr(sidecar, "PAGE", 50)
    monkeypatch.setattr(sidecar, "SUPERSEDED_MIN", 20)


@pytest.mark.usefixtures("small")
def test_files_are_found_again_and_what_came_since_is_added(duckdb_engine: Tables, tmp_path: Path) -> None:
    table = a_table(duckdb_engine)
    numbers: list[int] = []
    texts: list[str | None] = []
    vectors: list[Any] = []
    for count in (170, 5, 60, 45, 1):
        more = some(count, seed=count)
        numbers += put(duckdb_engine, table, *more)
        texts, vectors = texts + more[0], vectors + more[1]
        sidecars = Sidecars(duckdb_engine, tmp_path / "index")
        expect(sidecars, table, numbers, texts, vectors)
        expect(sidecars, table, numbers, texts, vectors)
        sidecars.close()
    assert (tmp_path / "index" / table.physical / "vectors-embedding").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "index" / table.physical).rglob("*"))


@pytest.mark.usefixtures("small")
def test_what_is_missing_or_damaged_is_made_anew(duckdb_engine: Tables, tmp_path: Path) -> None:
    table = a_table(duckdb_engine)
    texts, vectors = some(200)
    numbers = put(duckdb_engine, table, texts, vectors)
    expect(Sidecars(duckdb_engine, tmp_path), table, numbers, texts, vectors)
    files = [path for path in (tmp_path / table.physical).rglob("*") if path.is_file()]
    assert len(files) >= 7
    for path in files:
        whole = path.read_bytes()
        for harmed in (whole[: len(whole) // 2] + b"x" + whole[len(whole) // 2 + 1 :], None):
            if harmed is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(harmed)
            expect(Sidecars(duckdb_engine, tmp_path), table, numbers, texts, vectors)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(whole)


@pytest.mark.usefixtures("small")
def test_files_of_rows_that_are_gone_are_made_anew(duckdb_engine: Tables, tmp_path: Path) -> None:
    table = a_table(duckdb_engine)
    texts, vectors = some(100)
    numbers = put(duckdb_engine, table, texts, vectors)
    expect(Sidecars(duckdb_engine, tmp_path), table, numbers, texts, vectors)
    physical = duckdb_engine.qualified(table.physical)
    duckdb_engine.write(lambda tx: tx.run(f"DELETE FROM {physical} WHERE {SEQ} <= $1", [numbers[59]]))
    expect(Sidecars(duckdb_engine, tmp_path), table, numbers[60:], texts[60:], vectors[60:])


def test_forget_leaves_no_file(duckdb_engine: Tables, tmp_path: Path) -> None:
    table, sidecars = a_table(duckdb_engine), Sidecars(duckdb_engine, tmp_path)
    texts, vectors = some(10)
    numbers = put(duckdb_engine, table, texts, vectors)
    expect(sidecars, table, numbers, texts, vectors)
    sidecars.forget(table)
    assert not (tmp_path / table.physical).exists()
    expect(sidecars, table, numbers, texts, vectors)


@pytest.mark.usefixtures("small")
def test_vectors_of_another_model_are_another_column(duckdb_engine: Tables, tmp_path: Path) -> None:
    table = a_table(duckdb_engine)
    texts, vectors = some(60)
    numbers = put(duckdb_engine, table, texts, vectors)
    expect(Sidecars(duckdb_engine, tmp_path), table, numbers, texts, vectors)
    physical = duckdb_engine.qualified(table.physical)
    duckdb_engine.write(lambda tx: tx.run(f"UPDATE {physical} SET embedding = list_reverse(embedding)"))
    columns = [replace(one, model="new") if one.name == "embedding" else one for one in table.columns]
    table = duckdb_engine.write(lambda tx: Catalog(duckdb_engine).change(tx, table, columns))
    reverse = [None if one is None else one[::-1] for one in vectors]
    expect(Sidecars(duckdb_engine, tmp_path), table, numbers, texts, reverse)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("branched", [False, True])
def test_versions_that_nobody_sees_are_left_out_when_they_are_many(
    duckdb_engine: Tables, tmp_path: Path, branched: bool
) -> None:
    table = a_table(duckdb_engine)
    texts, vectors = some(100)
    numbers = put(duckdb_engine, table, texts, vectors)
    physical = duckdb_engine.qualified(table.physical)
    branches = duckdb_engine.qualified("hm_branches")

    def end(tx: Transaction) -> None:
        fork = tx.numbers(1)
        if branched:
            tx.run(f"INSERT INTO {branches} VALUES ('w', 'b', {fork}, 0, {fork}, now()::TIMESTAMP, FALSE)")
        tx.run(f"UPDATE {physical} SET _hm_until = $1 WHERE {SEQ} <= $2", [tx.numbers(1), numbers[49]])

    duckdb_engine.write(end)
    kept = 0 if branched else 50
    for _ in range(2):  # made, and opened again
        expect(Sidecars(duckdb_engine, tmp_path), table, numbers[kept:], texts[kept:], vectors[kept:])
    said = json.loads((tmp_path / table.physical / "words-task" / "manifest.json").read_text())
    assert said["left_out"] == sum(text is not None for text in texts[:kept])


@pytest.mark.usefixtures("small")
def test_who_wrote_is_found_by_everybody_from_then_on(duckdb_engine: Tables, tmp_path: Path) -> None:
    table, sidecars = a_table(duckdb_engine), Sidecars(duckdb_engine, tmp_path)
    written: list[list[int]] = [[], [], []]
    vector = np.ones(DIM, np.float32)

    def write(mine: list[int]) -> None:
        for _ in range(15):
            numbers = put(duckdb_engine, table, ["csv", "retry", "csv OOM"], [vector] * 3)
            mine += numbers

    def ask() -> None:
        done = False
        while not done:
            done = all(thread.done() for thread in writers)
            known = {number for mine in written for number in list(mine)}
            near, _ = sidecars.of(table).vectors(table.column("embedding")).cosines(vector)
            said = sidecars.of(table).scores(table.column("task"), "csv retry").numbers
            assert known <= set(near.tolist())
            assert known <= set(said.tolist())

    with ThreadPoolExecutor(5) as pool:
        writers = [pool.submit(write, mine) for mine in written]
        readers = [pool.submit(ask) for _ in range(2)]  # looks at `writers`, which are there by now
        for one in [*writers, *readers]:
            one.result(120)
    everything = sorted(number for mine in written for number in mine)
    assert sidecars.of(table).scores(table.column("task"), "csv retry").numbers.tolist() == everything
    near, _ = Sidecars(duckdb_engine, tmp_path).of(table).vectors(table.column("embedding")).cosines(vector)
    assert near.tolist() == everything
