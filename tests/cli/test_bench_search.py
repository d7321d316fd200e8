"""`hivemind bench search` as a program meets it."""

import json
import subprocess
import sys
from pathlib import Path

DOCS = b'{"id": "tap", "text": "The tap leaks"}\n{"id": 7, "text": "The lamp flickers", "num": 3}\n'
QUERIES = b'{"qid": 1, "query": "a tap that leaks", "gold": ["tap"]}\n{"qid": "b", "query": "zebra"}\n'


def bench(folder: Path, *words: str, queries: bytes = QUERIES) -> "subprocess.CompletedProcess[bytes]":
    (folder / "docs.jsonl").write_bytes(DOCS)
    command = [
        sys.executable,
        "-m",
        "hivemind_cli",
        "bench",
        "search",
        "--docs",
        str(folder / "docs.jsonl"),
        "--lexical",
    ]
    return subprocess.run([*command, *words], input=queries, capture_output=True, timeout=60, check=False)


def test_a_query_in_is_a_line_out_and_nothing_else(own_home: Path, tmp_path: Path) -> None:
    done = bench(tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["qid"], first["ranked"][0][0], second) == (1, "tap", {"qid": "b", "ranked": []})


def test_with_labels_it_prints_a_row_for_each_way(own_home: Path, tmp_path: Path) -> None:
    done = bench(tmp_path, "--labels", "--json")
    assert done.returncode == 0, done.stderr
    assert [(row["ranking"], row["hit@1"]) for row in json.loads(done.stdout)] == [("search", 1.0), ("BM25 alone", 1.0)]


def test_a_bad_query_is_named_by_its_line(own_home: Path, tmp_path: Path) -> None:
    done = bench(tmp_path, queries=QUERIES + b'{"query": "x"}\n')
    assert done.returncode == 2
    assert b"Line 3 has no `qid`" in done.stderr
    assert len(done.stdout.splitlines()) == 2
