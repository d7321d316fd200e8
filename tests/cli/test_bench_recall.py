"""`hivemind bench recall` as a program meets it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SKILLS: list[dict[str, Any]] = [
    {"id": "lamps", "name": "test-lamps", "description": "Use when testing the lamps of a module.", "body": "Hold it."},
    {
        "id": "pumps",
        "name": "clean-pumps",
        "description": "Use when cleaning pumps and hoses.",
        "body": "Close the tap.",
    },
    {"id": 7, "name": "", "description": None, "body": "", "more": [1]},
]
QUERIES: list[dict[str, Any]] = [
    {"qid": "a", "query": "clean both pumps and their hoses", "gold": ["pumps"]},
    {"qid": 2, "query": "", "must_not": ["lamps"]},
    {"qid": "ü", "query": "please test the lamps of this module", "gold": ["lamps"], "must_not": ["pumps"]},
    {"qid": "far", "query": "a poem about the sea"},
]


def bench(folder: Path, *words: str, queries: bytes | None = None, skills: bytes | None = None) -> Any:
    file = folder / "skills.jsonl"
    file.write_bytes(lines(SKILLS) if skills is None else skills)
    command = [sys.executable, "-m", "hivemind_cli", "bench", "recall", "--skills", str(file), "--lexical", *words]
    text = lines(QUERIES) if queries is None else queries
    return subprocess.run(command, input=text, capture_output=True, timeout=60, check=False)


def lines(values: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(value, ensure_ascii=False).encode() + b"\n" for value in values)


@pytest.fixture(autouse=True)
def apart(own_home: Path) -> None:
    """A home of its own."""


def test_a_query_in_is_a_line_out_in_order_and_silence_is_empty(tmp_path: Path) -> None:
    done = bench(tmp_path)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["qid"] for answer in answers] == ["a", 2, "ü", "far"]
    assert [[id for id, _ in answer["ranked"]][:1] for answer in answers] == [["pumps"], [], ["lamps"], []]
    for answer in answers:
        scores = [score for _, score in answer["ranked"]]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)


def test_an_id_comes_back_as_it_was_given(tmp_path: Path) -> None:
    skills = lines([{"id": 7, "name": "pump-care", "description": "Use when cleaning pumps and hoses.", "body": ""}])
    [[id, _]] = json.loads(bench(tmp_path, "--no-abstain", queries=lines(QUERIES[:1]), skills=skills).stdout)["ranked"]
    assert id == 7


def test_where_queries_say_what_is_right_the_figures_stand_beside_the_answers(tmp_path: Path) -> None:
    idle = {"qid": "idle", "query": "clean both pumps and their hoses again", "gold": []}
    done = bench(tmp_path, queries=lines([*QUERIES, idle]))
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 5
    assert b"BM25 alone" in done.stderr and b"precision 0.67" in done.stderr  # a word where nothing applies is wrong
    assert b"hit@1" not in bench(tmp_path, queries=lines(QUERIES[3:])).stderr


def test_told_not_to_abstain_it_ranks_whatever_shares_a_word(tmp_path: Path) -> None:
    query = lines([{"id": "x", "query": "a poem about a very different thing, a module perhaps"}])
    assert json.loads(bench(tmp_path, queries=query).stdout)["ranked"] == []
    assert [id for id, _ in json.loads(bench(tmp_path, "--no-abstain", queries=query).stdout)["ranked"]] == ["lamps"]


def test_labels_give_figures_beside_the_halves_alone(tmp_path: Path) -> None:
    done = bench(tmp_path, "--labels", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [row["ranking"] for row in found["rows"]] == ["recall", "BM25 alone"]
    assert [row["hit@1"] for row in found["rows"]] == [1, 1]
    silence = found["silence"]
    assert (silence["precision"][0], silence["answered"][0], silence["must_not"][0]) == (1, 1, 0)
    table = bench(tmp_path, "--labels")
    assert b"BM25 alone" in table.stdout and b"precision 1.00" in table.stdout


def test_a_bad_line_is_named_and_what_stood_before_it_is_answered(tmp_path: Path) -> None:
    done = bench(tmp_path, queries=b'{"qid": 1, "query": "x"}\n{nonsense\n')
    assert done.returncode == 2
    assert b"standard input: Line 2" in done.stderr
    assert json.loads(done.stdout)["qid"] == 1
