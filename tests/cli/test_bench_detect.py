"""`hivemind bench detect` as a program meets it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LINES: list[dict[str, Any]] = [
    {
        "id": "a",
        "prev_assistant": "I moved the tests next to the code.",
        "user": "no, they belong in tests/, put them back",
    },
    {"id": 7, "prev_assistant": None, "user": "thanks, looks good"},
    {"id": "ü", "prev_assistant": "Done.", "user": "it still fails: ImportError", "more": {"fields": [1]}},
]
LABELS: list[dict[str, Any]] = [
    {"label": "correction", "durable": True, "lang": "en", "sample": "natural"},
    {"label": "approval", "durable": None, "lang": "de"},
    {"label": "failure_report", "durable": None, "sample": "enriched"},
]


def bench(*words: str, text: bytes = b"", env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "hivemind_cli", "bench", "detect", "--lexical", *words]
    return subprocess.run(command, input=text, capture_output=True, timeout=60, check=False)


def as_bytes(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


@pytest.fixture(autouse=True)
def apart(own_home: Path) -> None:
    """A home of its own."""


def test_a_line_in_is_a_line_out_in_order() -> None:
    done = bench(text=as_bytes(LINES))
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == ["a", 7, "ü"]
    assert [answer["correction"] for answer in answers] == [True, False, False]
    assert [answer["kind"] for answer in answers] == ["correction", "approval", "failure_report"]
    for answer in answers:
        assert set(answer) == {"id", "correction", "kind", "durable", "confidence"}
        assert isinstance(answer["durable"], bool) and 0 <= answer["confidence"] <= 1


def test_a_file_is_read_as_standard_input_is(tmp_path: Path) -> None:
    file = tmp_path / "turns.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + as_bytes(LINES).replace(b"\n", b"\r\n\n").rstrip())
    assert bench(str(file)).stdout == bench(text=as_bytes(LINES)).stdout


def test_nothing_in_is_nothing_out() -> None:
    done = bench(text=b"\n  \n")
    assert (done.returncode, done.stdout) == (0, b"")


def test_who_says_nothing_reports_nothing() -> None:
    done = bench(text=as_bytes([{"id": 1, "prev_assistant": "Done.", "user": " \n"}]))
    assert json.loads(done.stdout) == {
        "id": 1, "correction": False, "kind": "other", "durable": False, "confidence": 0.0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{nonsense", "Line 4 is no JSON"),
        (b"\xff\xfe", "Line 4 is no JSON"),
        (b"[" * 100_000, "Line 4 is no JSON"),
        (b'["a"]', "Line 4 has no `id`"),
        (b'{"id": 1}', "Line 4 has no `id`, or no text `user`"),
        (b'{"id": 1, "user": "x", "prev_assistant": 3}', "`prev_assistant` is no text"),
        (b'{"id": 1, "user": "x", "label": "praise"}', "label 'praise'"),
        (b'{"id": 1, "user": "x", "label": ["a"]}', "label"),
    ],
)
def test_a_bad_line_is_named(line: bytes, told: str) -> None:
    done = bench(text=as_bytes(LINES) + line + b"\n")
    assert done.returncode not in (0, 70)
    assert told in b" ".join(done.stderr.split()).decode()
    assert b"Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) == len(LINES)  # what stood before it is answered


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    done = bench(str(tmp_path / "none.jsonl"))
    assert done.returncode not in (0, 70) and b"cannot be read" in done.stderr


def test_figures_have_intervals_and_parts() -> None:
    labelled = [{**line, **label} for line, label in zip(LINES, LABELS, strict=True)]
    done = bench("--labels", "--json", text=as_bytes(labelled))
    assert done.returncode == 0, done.stderr
    rows = {(row["part"], row["question"]): row for row in json.loads(done.stdout)}
    assert {part for part, _ in rows} == {"all", "natural", "English"}
    strict = rows["all", "strict"]
    assert (strict["turns"], strict["there"], strict["precision"], strict["recall"], strict["f1"]) == (3, 1, 1, 1, 1)
    low, high = strict["precision_interval"]
    assert low == pytest.approx(0.2065, abs=1e-3) and high == 1
    assert rows["natural", "pushback"]["turns"] == 2
    table = bench("--labels", text=as_bytes(labelled)).stdout.decode()
    assert "strict" in table and "precision" in table and max(map(len, table.splitlines())) <= 80


def test_figures_of_nothing_labelled_are_refused() -> None:
    done = bench("--labels", text=as_bytes(LINES))
    assert done.returncode not in (0, 70) and b"No line has a label" in done.stderr
