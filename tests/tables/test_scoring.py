"""Scores inside SQL are those of a look at every row that the branch sees, whatever the shape of the statement."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hivemind_cli.core.errors import SQLError, TablesError, WrongValue
from hivemind_cli.index import quantized
from hivemind_cli.index.inverted import K1, B
from hivemind_cli.index.tokens import words
from hivemind_cli.index.wanted import said
from hivemind_cli.storage.tables import Kind, Result, Tables, Type
from hivemind_cli.tables import fetched, scoring, sql, writing
from hivemind_cli.tables.catalog import Catalog, ColumnInfo, TableInfo
from hivemind_cli.tables.layout import MAIN_NUMBER, ON_MAIN, Level, Lineage, visible
from hivemind_cli.tables.scene import Scene
from hivemind_cli.tables.sidecar import Sidecars

DIM = 3
WORDS = ["csv", "OOM", "parseHTTPHeader", "loader", "検索", "retry"]
COLUMNS = ("id", "task", "outcome", "embedding")


class Spelled:
    """Embeds a text by the counts of three words."""

    model, dim = "spelled", DIM

    def __call__(self, texts: Sequence[str]) -> Any:
        return np.array([[text.count(word) + 0.1 for word in ("csv", "OOM", "retry")] for text in texts], np.float32)


@dataclass
class Memory:
    """A table, branches of it, and what asks it."""

    engine: Tables
    sidecars: Sidecars
    table: TableInfo
    lineages: dict[int, Lineage] = field(default_factory=lambda: {MAIN_NUMBER: ON_MAIN})

    def put(self, branch: int, rows: Sequence[tuple[Any, ...]]) -> None:
        columns = {name: [row[at] for row in rows] for at, name in enumerate(COLUMNS)}
        lineage = self.lineages[branch]
        self.engine.write(lambda tx: writing.insert(tx, self.engine, self.table, branch, lineage, columns))
        self.table = Catalog(self.engine).get("w", "memory")

    def change(self, branch: int, ids: Sequence[int], changed: dict[str, str] | None) -> None:
        lineage = self.lineages[branch]
        seen = visible(self.engine.qualified(self.table.physical), self.table.names, lineage)
        rows = f"SELECT _hm_row FROM ({seen}) AS hm_s WHERE id IN ({', '.join(map(str, [*ids, -1]))})"
        self.engine.write(lambda tx: writing.supersede(tx, self.engine, self.table, branch, lineage, rows, [], changed))

    def fork(self, parent: int) -> int:
        number = self.engine.write(lambda tx: tx.numbers(1))
        above = [Level(one.branch, min(number, one.until_seq or number)) for one in self.lineages[parent]]
        self.lineages[number] = (Level(number), *above)
        branches = self.engine.qualified("hm_branches")
        self.engine.write(
            lambda tx: tx.run(
                f"INSERT INTO {branches} (workspace, name, number, parent, fork_seq, created_at, deleted)"
                f" VALUES ('w', 'b{number}', {number}, {parent}, {number}, now()::TIMESTAMP, FALSE)"
            )
        )
        return number

    def scene(self, branch: int = MAIN_NUMBER) -> Scene:
        return Scene(self.engine, "w", Catalog(self.engine), f"b{branch}", branch, self.lineages[branch])

    def ask(self, said: str, params: Any = None, branch: int = MAIN_NUMBER) -> Result:
        return scoring.answer(sql.parse(said, params), self.scene(branch), self.sidecars, Spelled())

    def rows(self, branch: int) -> list[tuple[Any, ...]]:
        """What the branch sees."""
        seen = visible(self.engine.qualified(self.table.physical), self.table.names, self.lineages[branch])
        return self.engine.read(f"SELECT {', '.join(COLUMNS)} FROM ({seen}) AS s").rows

    def texts(self) -> list[str]:
        """Of all versions: what the words' rarity and the mean length are counted from."""
        physical = self.engine.qualified(self.table.physical)
        return [
            row[0]
            for row in self.engine.read(f"SELECT task FROM {physical} WHERE task IS NOT NULL AND NOT _hm_deleted").rows
        ]


def made(engine: Tables, folder: Path) -> Memory:
    known = [
        ColumnInfo("id", Type(Kind.BIGINT)),
        ColumnInfo("task", Type(Kind.TEXT)),
        ColumnInfo("outcome", Type(Kind.TEXT)),
        ColumnInfo("embedding", Type(Kind.VECTOR, DIM)),
    ]
    catalog = Catalog(engine)
    found = catalog.find("w", "memory")
    if found is not None:
        engine.write(lambda tx: catalog.drop(tx, found))
    table = engine.write(lambda tx: catalog.create(tx, "w", "memory", known))
    return Memory(engine, Sidecars(engine, folder), table)


@pytest.fixture
def memory(engine: Tables, tmp_path: Path) -> Iterator[Memory]:
    yield made(engine, tmp_path / "index")


# -- by hand


def cosine(row: tuple[Any, ...], near: Any) -> float | None:
    if row[3] is None:
        return None
    lengths = float(np.linalg.norm(row[3]) * np.linalg.norm(near))
    return float(np.dot(row[3], near)) / lengths if lengths else 0.0


def bm25(texts: list[str], query: str) -> tuple[Callable[[str | None], float], float]:
    """Score of a text, and what a text of average length with each word once would have."""
    bags = [Counter(words(text)) for text in texts]
    wanted = said(query)
    terms = list(wanted.terms) if wanted else []
    mean = sum(bag.total() for bag in bags) / max(len(bags), 1)
    having = {term: sum(term in bag for bag in bags) for term in terms}
    rarity = {term: math.log(1 + (len(bags) - having[term] + 0.5) / (having[term] + 0.5)) for term in terms}

    def score(text: str | None) -> float:
        bag = Counter(words(text or ""))
        norm = K1 * (1 - B + B * bag.total() / (mean or 1))
        return sum(rarity[one] * bag[one] * (K1 + 1) / (bag[one] + norm) for one in terms if bag[one])

    return score, sum(rarity.values())


def expected(memory: Memory, branch: int, call: str, near: Any, query: str) -> dict[int, float | None]:
    """Score of each row that the branch sees, by id."""
    score, most = bm25(memory.texts(), query)
    found: dict[int, float | None] = {}
    for row in memory.rows(branch):
        if call == "cosine":
            found[row[0]] = cosine(row, near)
        elif call == "bm25":
            found[row[0]] = score(row[1])
        else:
            found[row[0]] = 0.3 * (cosine(row, near) or 0) + 0.7 * min(1.0, score(row[1]) / most if most else 0.0)
    return found


CALLS = {
    "cosine": "cosine_similarity(embedding, :near)",
    "bm25": "bm25(task, :query)",
    "hybrid": "hybrid(embedding, task, :near, :query, 0.3, 0.7)",
}


def same(found: Sequence[tuple[int, float | None]], wanted: dict[int, float | None], limit: int, offset: int) -> None:
    """The best of `wanted`, in order; which of those with one score comes first is open."""
    order = sorted(wanted.values(), key=lambda score: (score is None, -(score or 0)))[offset : offset + limit]
    assert len({one for one, _ in found}) == len(found) == len(order)
    for (one, score), best in zip(found, order, strict=True):
        for other in (wanted[one], best):
            if score is None or other is None:
                assert score is other
            else:
                assert score == pytest.approx(other, abs=2e-6)


ROW = st.tuples(
    st.one_of(st.none(), st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)),
    st.sampled_from(["success", "failure"]),
    st.one_of(st.none(), st.lists(st.integers(-3, 3), min_size=DIM, max_size=DIM)),
)
STEP = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 9), st.lists(ROW, min_size=1, max_size=8)),
    st.tuples(st.just("fork"), st.integers(0, 9), st.none()),
    st.tuples(st.just("delete"), st.integers(0, 9), st.integers(0, 3)),
    st.tuples(st.just("update"), st.integers(0, 9), st.integers(0, 3)),
    st.tuples(st.just("ask"), st.integers(0, 9), st.none()),
)


class Story:
    """Random steps, and random questions between them."""

    def __init__(self, memory: Memory, data: st.DataObject) -> None:
        self.memory, self.data, self.id = memory, data, 0

    def step(self, kind: str, which: int, what: Any) -> None:
        branches = list(self.memory.lineages)
        branch = branches[which % len(branches)]
        if kind == "put":
            rows = []
            for row in what:
                self.id += 1
                rows.append((self.id, *row))
            self.memory.put(branch, rows)
        elif kind == "fork" and len(branches) < 4:
            self.memory.fork(branch)
        elif kind == "delete":
            self.memory.change(branch, range(what, self.id, 4), None)
        elif kind == "update":
            self.memory.change(branch, range(what, self.id, 3), {"task": "task || ' retry'"})
        elif kind == "ask":
            self.ask(branch)

    def ask(self, branch: int) -> None:
        call = self.data.draw(st.sampled_from(list(CALLS)), "call")
        near = self.data.draw(st.lists(st.integers(-3, 3), min_size=DIM, max_size=DIM), "near")
        query = " ".join(self.data.draw(st.lists(st.sampled_from(WORDS), max_size=3), "query"))
        limit, offset = self.data.draw(st.integers(0, 6), "limit"), self.data.draw(st.integers(0, 2), "offset")
        params = {"near": near, "query": query}
        params = {name: value for name, value in params.items() if f":{name}" in CALLS[call]}
        wanted = expected(self.memory, branch, call, near, query)
        score = CALLS[call]

        def answer(statement: str) -> Any:
            return self.memory.ask(statement, params, branch).rows

        everything = answer(f"SELECT id, {score} AS s FROM memory ORDER BY s DESC")
        same(everything, wanted, len(wanted), 0)
        best = answer(f"SELECT id, {score} AS s FROM memory ORDER BY s DESC LIMIT {limit} OFFSET {offset}")
        same(best, wanted, limit, offset)
        successes = {row[0] for row in self.memory.rows(branch) if row[2] == "success"}
        narrowed = answer(
            f"SELECT id, {score} AS s FROM memory WHERE outcome = 'success' ORDER BY {score} LIMIT {limit}"
        )
        same(narrowed, {one: wanted[one] for one in successes}, limit, 0)
        floor = self.data.draw(st.sampled_from([-0.51, 0.0, 0.3001]), "floor")
        above = {one for one, value in wanted.items() if value is not None and value > floor}
        unsure = {one for one, value in wanted.items() if value is not None and abs(value - floor) < 2e-6}
        found = {row[0] for row in answer(f"SELECT id FROM memory WHERE {score} > {floor}")}
        assert found - unsure == above - unsure
        counted = answer(f"SELECT outcome, count(*) FROM memory WHERE {score} > {floor} GROUP BY outcome")
        assert sum(row[1] for row in counted) == len(found)


STORY = st.lists(STEP, min_size=2, max_size=9)


def told(engine: Tables, folder: Path, steps: list[tuple[str, int, Any]], data: st.DataObject) -> None:
    memory = made(engine, folder)
    engine.write(lambda tx: tx.run(f"DELETE FROM {engine.qualified('hm_branches')}"))
    story = Story(memory, data)
    for step in steps:
        story.step(*step)
    for branch in memory.lineages:
        story.ask(branch)


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(STORY, st.data())
def test_every_answer_is_that_of_a_look_at_every_row(
    engine: Tables, tmp_path: Path, steps: list[tuple[str, int, Any]], data: st.DataObject
) -> None:
    told(engine, tmp_path / "index", steps, data)


@pytest.mark.thorough
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(STORY, st.data())
def test_every_answer_of_many_stories_is_that_of_a_look_at_every_row(
    engine: Tables, tmp_path: Path, steps: list[tuple[str, int, Any]], data: st.DataObject
) -> None:
    told(engine, tmp_path / "index", steps, data)


# -- shapes


def some(memory: Memory, count: int = 400) -> None:
    random = np.random.default_rng(5)
    rows = [
        (
            number,
            " ".join(random.choice(WORDS, 4)) if number % 7 else None,
            "success" if number % 50 == 0 else "failure",
            random.standard_normal(DIM) if number % 5 else None,
        )
        for number in range(count)
    ]
    memory.put(MAIN_NUMBER, rows)


def test_a_filter_that_passes_few_rows_still_gets_as_many_as_it_asks_for(memory: Memory) -> None:
    some(memory)
    near = [0.2, -1.0, 0.4]
    wanted = {row[0]: cosine(row, near) for row in memory.rows(MAIN_NUMBER) if row[2] == "success"}
    found = memory.ask(
        "SELECT id, cosine_similarity(embedding, $1) AS s FROM memory WHERE outcome = 'success' ORDER BY s LIMIT 7",
        [near],
    )
    same(found.rows, wanted, 7, 0)
    assert found.names == ("id", "s")


def test_equal_scores_are_told_apart_by_what_the_order_names_next(memory: Memory) -> None:
    memory.put(MAIN_NUMBER, [(number, "csv loader", "success", [1, 0, 0]) for number in range(300)])
    for score, params in (("bm25(task, $1)", ["csv"]), ("hybrid(embedding, task, $1, 'csv', 1, 1)", [[2, 0, 0]])):
        found = memory.ask(f"SELECT id FROM memory ORDER BY {score} DESC, id DESC LIMIT 3", params)
        assert found.rows == [(299,), (298,), (297,)]
    found = memory.ask("SELECT id FROM memory ORDER BY bm25(task, 'nothing') DESC, id LIMIT 2")
    assert found.rows == [(0,), (1,)]


def test_scores_stand_in_any_place_of_a_statement(memory: Memory) -> None:
    some(memory)
    near = [1.0, 0.0, 0.0]
    by_hand = {row[0]: cosine(row, near) for row in memory.rows(MAIN_NUMBER)}
    above = [one for one, score in by_hand.items() if score is not None and score > 0.5]
    score, few = "cosine_similarity(embedding, $1)", len(above)
    statements = {
        "SELECT count(*) FROM memory a JOIN memory b ON a.id = b.id"
        " WHERE cosine_similarity(a.embedding, $1) > 0.5": few,
        f"WITH near AS (SELECT id, {score} AS s FROM memory) SELECT count(*) FROM near WHERE s > 0.5": few,
        f"SELECT count(*) FROM memory WHERE id IN (SELECT id FROM memory WHERE {score} > 0.5)": few,
        f"SELECT max(id) FROM memory WHERE NOT {score} <= 0.5": max(above),
        f"SELECT count(*) FROM (SELECT * FROM memory ORDER BY {score} LIMIT 9) AS few": 9,
        "SELECT count(*) FROM memory a LEFT JOIN memory b"
        " ON a.id = b.id AND cosine_similarity(b.embedding, $1) > 0.5": 400,
        f"SELECT count(*) FROM memory ORDER BY count({score}) LIMIT 1": 400,
    }
    for statement, wanted in statements.items():
        assert memory.ask(statement, [near]).rows == [(wanted,)], statement
    ranks = memory.ask(
        "SELECT id, row_number() OVER (ORDER BY id) AS n FROM memory ORDER BY cosine_similarity(embedding, $1) LIMIT 1",
        [near],
    ).rows
    assert ranks[0][1] == ranks[0][0] + 1


def test_a_text_given_for_a_vector_is_embedded(memory: Memory) -> None:
    memory.put(MAIN_NUMBER, [(1, None, "success", [1, 0, 0]), (2, None, "success", [0, 1, 0])])
    found = memory.ask("SELECT id FROM memory ORDER BY cosine_similarity(embedding, $1) LIMIT 1", ["OOM, again OOM"])
    assert found.rows == [(2,)]


@pytest.mark.parametrize(
    ("statement", "params", "error"),
    [
        ("SELECT cosine_similarity(embedding, $1) FROM memory", [[1.0, 2.0]], WrongValue),
        ("SELECT cosine_similarity(embedding, $1) FROM memory", [[1.0, 2.0, math.nan]], WrongValue),
        ("SELECT cosine_similarity(embedding, $1) FROM memory", [[1.0, 2.0, 1e300]], WrongValue),
        ("SELECT bm25(task, $1) FROM memory", [5], WrongValue),
        ("SELECT bm25(outcome || task, 'x') FROM memory", None, SQLError),
        ("SELECT id FROM memory ORDER BY bm25(task, 'csv') LIMIT -1", None, TablesError),
        ("SELECT id FROM memory ORDER BY bm25(task, 'csv') LIMIT $1", ["many"], TablesError),
    ],
)
def test_wrong_values_are_told(memory: Memory, statement: str, params: Any, error: type[Exception]) -> None:
    memory.put(MAIN_NUMBER, [(1, "csv", "success", [1, 0, 0])])
    with pytest.raises(error):
        memory.ask(statement, params)


def test_a_stream_gives_the_same_rows_in_batches(memory: Memory) -> None:
    some(memory)
    statement = sql.parse("SELECT id, bm25(task, $1) AS s FROM memory ORDER BY s DESC, id", ["csv OOM"])
    everything = scoring.answer(statement, memory.scene(), memory.sidecars, Spelled()).rows
    with scoring.stream(statement, memory.scene(), memory.sidecars, Spelled(), batch_rows=64) as batches:
        parts = [batch.rows for batch in batches]
    assert [row for part in parts for row in part] == everything
    assert max(map(len, parts)) < len(everything)


def test_explain_says_which_sidecar_answers(memory: Memory) -> None:
    some(memory)
    asked = "SELECT id FROM memory ORDER BY bm25(task, 'csv') LIMIT 3"
    told = scoring.explain(sql.parse(asked), memory.scene(), memory.sidecars, Spelled())
    assert "bm25(memory.task): words from the sidecar of memory, 342 row versions" in told
    assert "the best 22 are joined" in told
    assert [row[0] for row in memory.ask(f"EXPLAIN {asked}").rows] == told.splitlines()


def test_an_empty_table_and_one_without_vectors_have_no_scores(memory: Memory) -> None:
    statement = "SELECT id, cosine_similarity(embedding, $1) AS c, bm25(task, 'x') AS b FROM memory ORDER BY c LIMIT 2"
    assert memory.ask(statement, [[1, 2, 3]]).rows == []
    memory.put(MAIN_NUMBER, [(1, None, "success", None)])
    assert memory.ask(statement, [[1, 2, 3]]).rows == [(1, None, 0.0)]


def test_many_vectors_are_looked_at_roughly_and_answered_exactly(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantized, "ROWS_MIN", 1000)
    some(memory, 3000)
    memory.change(MAIN_NUMBER, range(0, 3000, 11), None)
    near, query = [0.3, 1.0, -0.7], "csv retry"
    params = {"near": near, "query": query}
    for name, call in CALLS.items():
        used = {key: value for key, value in params.items() if f":{key}" in call}
        wanted = expected(memory, MAIN_NUMBER, name, near, query)
        successes = {row[0] for row in memory.rows(MAIN_NUMBER) if row[2] == "success"}
        for where, among in (("", wanted), ("WHERE outcome = 'success'", {one: wanted[one] for one in successes})):
            found = memory.ask(f"SELECT id, {call} AS s FROM memory {where} ORDER BY s DESC LIMIT 9 OFFSET 1", used)
            same(found.rows, among, 9, 1)


@pytest.mark.parametrize("whole_max", [fetched.WHOLE_MAX, 10])
def test_rows_that_were_fetched_before_are_those_of_now(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, whole_max: int
) -> None:
    monkeypatch.setattr(fetched, "WHOLE_MAX", whole_max)
    some(memory, 60)
    ask = "SELECT id, outcome, cosine_similarity(embedding, $1) AS s FROM memory ORDER BY s DESC LIMIT 3"
    near = [[1.0, 0.2, 0.1]]
    before = memory.ask(ask, near)
    assert memory.ask(ask, near) == before
    best = before.rows[0][0]
    branch = memory.fork(MAIN_NUMBER)
    memory.change(MAIN_NUMBER, [best], {"outcome": "'changed'"})
    assert memory.ask(ask, near).rows[0][:2] == (best, "changed")
    assert memory.ask(ask, near, branch) == before
    memory.change(branch, [best], None)
    assert memory.ask(ask, near, branch).rows[:2] == before.rows[1:]
    assert memory.ask(ask, near).rows[0][:2] == (best, "changed")
    memory.change(MAIN_NUMBER, [best], None)
    assert memory.ask(ask, near).rows[:2] == before.rows[1:]


def test_what_is_kept_of_rows_is_bounded(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    if memory.engine.commits is None:
        return
    some(memory, 60)
    near = [[1.0, 0.2, 0.1]]
    asked = [
        f"SELECT {names}, cosine_similarity(embedding, $1) AS s FROM memory ORDER BY s DESC LIMIT 3"
        for names in ("id", "task", "id, task", "id, embedding")
    ]
    first = [memory.ask(said, near).rows for said in asked[:3]]
    assert len(memory.sidecars.fetched) == 3
    memory.ask(asked[3], near)
    assert len(memory.sidecars.fetched) == 3, "a vector is an array that whoever gets it could change"
    monkeypatch.setattr(fetched, "CHARS_MAX", 1)
    memory.put(MAIN_NUMBER, [(999, "csv", "success", None)])
    assert [memory.ask(said, near).rows for said in asked[:3]] == first
    assert len(memory.sidecars.fetched) == 0
