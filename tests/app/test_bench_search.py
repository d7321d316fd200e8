"""`bench search`: the search itself over documents and queries from files."""

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app import bench_search
from hivemind_cli.app.bench_ranking import answer, queries
from hivemind_cli.app.bench_search import Answered, Bench, Documents, opened, rows, spoken
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.embedding.base import Embedder
from hivemind_cli.embedding.hashing import Hashing

DOCS: list[dict[str, Any]] = [
    {"id": "tap", "num": 1, "text": "The tap leaks\nWater drips from it all night."},
    {"id": 7, "num": 2, "title": "Lamp flickers", "text": "The lamp in the hall flickers in load_table()."},
    {"id": "none", "num": 3, "text": ""},
    {"id": "new", "num": 9, "text": "The tap leaks again"},
]


def file(*values: dict[str, Any]) -> io.BufferedReader:
    lines = b"".join(json.dumps(value).encode() + b"\n" for value in values)
    return io.BufferedReader(io.BytesIO(lines))


def documents(*values: dict[str, Any]) -> Documents:
    return bench_search.documents(file(*(values or DOCS)))


def asked(bench: Bench, *values: dict[str, Any]) -> list[Answered]:
    return list(bench.answers(queries(file(*values))))


@pytest.fixture(params=["words", "meaning"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    embedder: Embedder | None = Hashing() if request.param == "meaning" else None
    with opened(documents().texts, embedder, tmp_path / "cache", lambda done, whole: None) as made:
        yield made


def test_the_best_comes_first_with_scores_that_compare(bench: Bench) -> None:
    found = asked(bench, {"qid": "a", "query": "leaking tap leaks"}, {"qid": "b", "query": "load_table lamp"})
    assert [one.ranked[0][0] in expected for one, expected in zip(found, ({"tap", "new"}, {"7"}), strict=True)] == [
        True,
        True,
    ]
    for one in found:
        scores = [score for _, score in one.ranked]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)


def test_only_what_came_before_is_ranked(bench: Bench) -> None:
    one, none = asked(bench, {"qid": "a", "query": "tap leaks", "before": 9}, {"qid": "b", "query": "tap", "before": 0})
    assert "new" not in {id for id, _ in (*one.ranked, *one.by_words, *(one.by_meaning or ()))}
    assert one.ranked[0][0] == "tap"
    assert none.ranked == ()


def test_ids_come_back_as_they_were_given(bench: Bench) -> None:
    found = asked(bench, {"qid": 5, "title": "lamp", "text": "it flickers"})
    line = json.loads(answer(found[0].query.qid, found[0].ranked, documents().ids))
    assert (line["qid"], line["ranked"][0][0]) == (5, 7)


def test_silence_is_for_what_fits_nothing(bench: Bench) -> None:
    far, near = asked(bench, {"qid": "a", "query": "quarterly zebra"}, {"qid": "b", "query": "tap leaks"})
    assert far.shown(abstain=True) == ()
    assert near.shown(abstain=True) == near.shown(abstain=False) == near.ranked
    assert far.shown(abstain=False) == far.ranked


def test_each_way_to_rank_has_its_row(bench: Bench) -> None:
    found = asked(
        bench, {"qid": "a", "query": "tap leaks", "gold": ["tap"]}, {"qid": "b", "query": "lamp", "gold": [7]}
    )
    figures = rows(found)
    assert list(figures)[:2] == ["search", "BM25 alone"]
    assert ("vector alone" in figures) is (found[0].by_meaning is not None)
    assert figures["search"].hit[5][0] == 1.0
    with pytest.raises(ConfigError, match="No query says"):
        rows(asked(bench, {"qid": "c", "query": "x"}))


def test_vectors_are_kept_between_runs(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    for _ in range(2):
        with opened(documents().texts, Hashing(), tmp_path, lambda done, whole: told.append((done, whole))):
            pass
    assert told == [(3, 3)]


def test_title_and_text_are_both_asked_unless_the_text_begins_with_the_title() -> None:
    found = queries(
        file({"qid": 1, "title": "T", "text": "x"}, {"qid": 2, "title": "T", "text": "T\nx"}, {"qid": 3, "query": "q"})
    )
    assert [spoken(one) for one in found] == ["T\nx", "T\nx", "q"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id": "a"', "Line 2 is no JSON"),
        ("[1]", "Line 2 is no JSON object"),
        ('{"text": "x"}', "Line 2 has no `id`"),
        ('{"id": "first", "text": "x"}', "Line 2 has the id 'first' again"),
        ('{"id": "b", "text": 5}', "In line 2 `text` is no text"),
        ('{"id": "b", "num": "5"}', "In line 2 `num` is no whole number"),
    ],
)
def test_a_bad_line_is_named(line: str, told: str) -> None:
    lines = b'{"id": "first", "text": null}\n' + line.encode() + b"\n"
    with pytest.raises(ConfigError, match=told):
        bench_search.documents(io.BufferedReader(io.BytesIO(lines)))


def test_packed_files_are_read_and_damaged_ones_named(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"id": "a", "text": "x"}\n')
    (tmp_path / "docs").write_bytes(packed)
    with (tmp_path / "docs").open("rb") as opened_file:
        assert list(bench_search.documents(opened_file).ids) == ["a"]
    (tmp_path / "docs").write_bytes(packed[:-6])
    with (tmp_path / "docs").open("rb") as opened_file, pytest.raises(ConfigError, match="gzip"):
        bench_search.documents(opened_file)
    with pytest.raises(ConfigError, match="no documents"):
        bench_search.documents(io.BufferedReader(io.BytesIO(b"\n")))
