"""What `bench recall` measures is what recall does; its input's faults are named; vectors are made once."""

import gzip
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hivemind_cli.app.bench_ranking import queries
from hivemind_cli.app.bench_recall import opened, rows, silence, skills
from hivemind_cli.app.bench_vectors import KEPT_MAX
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.embedding.base import TOKENS_MAX
from hivemind_cli.embedding.hashing import Hashing

SKILLS = b"""{"id": "lamps", "name": "test-lamps", "description": "Use when testing the lamps of a module."}
{"id": "pumps", "name": "clean-pumps", "description": "Use when cleaning pumps and hoses.", "body": "Close the tap."}
{"id": 7, "name": "", "description": null}
"""
QUERIES = b"""{"qid": 1, "query": "clean the pumps and hoses", "gold": ["pumps"]}
{"qid": 2, "query": "test the lamps of the module", "gold": ["pumps"], "gold_expanded": ["pumps", "lamps"]}
{"qid": 3, "query": "test the lamps of this module", "must_not": ["lamps"]}
{"qid": 4, "query": "clean the pumps and hoses", "must_not": ["lamps"]}
{"qid": 5, "query": "a poem about the sea", "gold": ["lamps"]}
"""


class Counting(Hashing):
    """Counts the texts it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.texts = 0

    def embed(self, texts: Sequence[str], *, tokens_max: int = TOKENS_MAX) -> Any:
        self.texts += len(texts)
        return super().embed(texts, tokens_max=tokens_max)


def silent(done: int, whole: int) -> None:
    """Tells nobody."""


def test_the_figures_of_labelled_queries(tmp_path: Path) -> None:
    with opened(skills(io.BytesIO(SKILLS)).documents, None, tmp_path / "cache", silent) as bench:
        answered = list(bench.answers(queries(io.BytesIO(QUERIES))))
        at = silence(answered, bench.config.applies_min)
    found = rows(answered)
    assert {way: one.queries for way, one in found.items()} == {"recall": 3, "BM25 alone": 3}
    assert found["recall"].hit[1][0] == pytest.approx(2 / 3)
    assert at.answered[0] == pytest.approx(2 / 3)
    assert at.must_not is not None and at.must_not[0] == 0.5
    assert at.precision[0] == pytest.approx(2 / 3)  # two right ones, and one that was forbidden
    assert not (tmp_path / "cache").exists()


def test_vectors_are_made_once_and_few_files_are_kept(tmp_path: Path) -> None:
    documents = skills(io.BytesIO(SKILLS)).documents
    for round in range(2):
        embedder = Counting()
        with opened(documents, embedder, tmp_path / "cache", silent) as bench:
            made = embedder.texts
            answered = list(bench.answers(queries(io.BytesIO(QUERIES))))
        assert (made > 0) is (round == 0)
        assert answered[0].ranked[0][0] == "pumps"
        assert set(rows(answered)) == {"recall", "BM25 alone", "vector alone"}
    [kept] = (tmp_path / "cache").iterdir()
    kept.write_bytes(b"torn")
    with opened(documents, embedder, tmp_path / "cache", silent):
        assert np.load(kept).shape[1] == embedder.dim
    for n in range(KEPT_MAX + 2):
        [document] = skills(io.BytesIO(b'{"id": "a", "name": "a%d"}' % n)).documents
        with opened([document], embedder, tmp_path / "cache", silent):
            assert len(list((tmp_path / "cache").iterdir())) <= KEPT_MAX


def test_no_query_with_gold_is_said() -> None:
    with pytest.raises(ConfigError, match="No query"):
        rows([])


@pytest.mark.parametrize(
    "data, said",
    [
        (b'{"id": "a"}\n\n{"id": "a"}\n', "Line 3"),
        (b'{"id": "a"}\n[1]\n', "Line 2"),
        (b'{"name": "a"}\n', "Line 1"),
        (b'{"id": "a", "body": 3}\n', "line 1"),
        (b"\n", "no skills"),
        (gzip.compress(SKILLS)[:-20], "gzip"),
    ],
)
def test_a_fault_of_the_skills_is_named(data: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        skills(io.BufferedReader(io.BytesIO(data)))


def test_packed_skills_are_read_as_they_are() -> None:
    packed = io.BufferedReader(io.BytesIO(gzip.compress(SKILLS)))
    assert skills(packed) == skills(io.BytesIO(SKILLS))


DATA = Path(os.environ.get("HIVEMIND_TEST_DATA", "/nonexistent")) / "skills_retrieval"


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="HIVEMIND_TEST_DATA names no folder with skills_retrieval")
def test_many_real_skills_are_ranked_better_than_by_bm25_even_without_a_model(tmp_path: Path) -> None:
    """Weights were fitted on these queries: a floor against decay, no measure (tests/measure/fit_recall.py is one)."""
    lines = (DATA / "queries_dev.jsonl").read_bytes().splitlines(keepends=True)[::5]
    with (
        (DATA / "skills.jsonl.gz").open("rb") as file,
        opened(skills(file).documents, None, tmp_path / "cache", silent) as bench,
    ):
        answered = list(bench.answers(queries(io.BytesIO(b"".join(lines)))))
    found = rows(answered)
    at = silence(answered, bench.config.applies_min)
    assert found["recall"].hit[1][0] >= 0.55 > found["BM25 alone"].hit[1][0]
    assert found["recall"].hit[10][0] >= 0.82
    assert at.precision[0] >= 0.74 and at.answered[0] >= 0.5
