"""`corrections label` in a real terminal, in a pipe, and its screen at any size."""

import contextlib
import json
import os
import pty
import signal
import stat
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.label_screen import KINDS, help_lines, turn_lines
from hivemind_cli.cli.screen import DOWN, ESCAPE, PAGE_UP, UP, Screen
from hivemind_cli.core.records import Event, Judgement, Project, SaidKind
from tests.cli.terminal import Terminal
from tests.pipeline.session import START, Session

ROOT = Path(__file__).parents[2]
WORDS = [
    "no, never bring here, always use lift",
    "and the same for the other page",
    "it stays empty",
    "why two steps?",
    "thanks, go on",
]


@pytest.fixture
def door(own_home: Path) -> Iterator[Door]:
    """A home with one session of five turns after its task."""
    opened = Door.open()
    shop = Project(
        id="x", workspace_id="default", project_id="p1", name="shop", root="/s", remote="", occurred_at=START
    )
    opened.store.append([shop])
    session = Session(opened.store)
    session.says("bring the module up")
    for words in WORDS:
        session.runs("bring module")
        session.replies("Brought it up.")
        session.says(words)
    yield opened
    opened.client.stop()


def labels(door: Door) -> dict[str, tuple[SaidKind, bool | None]]:
    """Words -> (kind, durable) of the newest label."""
    words = {row.record.id: str(row.record.payload.get("text")) for row in door.store.find(Event, kind="prompt")}
    return {words[row.record.event_id]: (row.record.said, row.record.durable) for row in door.store.find(Judgement)}


def test_a_sitting_with_a_mistake_undone_and_its_numbers(door: Door) -> None:
    at = Terminal("corrections", "label", "--all-turns")
    shown = at.reads("Esc leave")
    assert "1 of 5" in shown and "Bash: bring module" in shown and WORDS[0] in shown
    assert "0.9" not in shown  # nothing of what the detector thinks
    at.press("q")
    at.reads("2 of 5.*Esc leave")
    at.press("u")
    assert "Taken back" in at.reads("1 of 5.*Esc leave")
    at.press("d")
    at.reads("lasting\\? lasting.*Esc leave")
    at.press("c")
    at.reads("2 of 5.*Esc leave")
    at.press("?")
    at.reads("any key: back")
    at.press("x")
    at.reads("2 of 5.*Esc leave")
    at.press("nf")
    at.reads("4 of 5.*Esc leave")
    at.press("s")
    at.reads("5 of 5.*Esc leave")
    at.press(ESCAPE)
    code, said = at.ends()
    assert code == 0
    assert "3 turns labelled; 1 left." in said
    assert labels(door) == {
        WORDS[0]: (SaidKind.CORRECTION, True),
        WORDS[1]: (SaidKind.NEW_REQUEST, None),
        WORDS[2]: (SaidKind.FAILURE_REPORT, None),
        WORDS[3]: (SaidKind.UNKNOWN, None),
    }
    again = Terminal("corrections", "label", "--all-turns")
    assert WORDS[4] in again.reads("1 of 1.*Esc leave")
    again.press("a")
    code, said = again.ends()
    assert code == 0 and "1 turn labelled; 0 left." in said


SLOW = [pytest.param(one, marks=pytest.mark.slow) for one in (signal.SIGINT, signal.SIGHUP)]


@pytest.mark.parametrize("number", [signal.SIGTERM, *SLOW])
def test_whatever_ends_it_the_terminal_is_as_it_was_and_labels_stay(door: Door, number: signal.Signals) -> None:
    at = Terminal("corrections", "label", "--all-turns")
    at.reads("1 of 5.*Esc leave")
    at.press("c")
    at.reads("2 of 5.*Esc leave")
    keys, off = termios.tcgetattr(at.slave)[6], os.fpathconf(at.slave, "PC_VDISABLE")
    assert [keys[one] for one in (termios.VSUSP, termios.VQUIT)] == [bytes([off])] * 2
    at.process.send_signal(number)
    code, said = at.ends()
    assert code != 0 and "\x1b[?1049l" in said and "Traceback" not in said
    assert len(labels(door)) == 1


def run(*words: str, said: str | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "hivemind_cli", "corrections", "label", *words],
        input=said,
        stdin=subprocess.DEVNULL if said is None else None,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )


def test_a_script_lists_labels_reports_and_exports(door: Door, tmp_path: Path) -> None:
    listed = json.loads(run("--json", "--sample", "5").stdout)
    turns = {one["said"]: one["event_id"] for one in listed["turns"]}
    assert set(turns) == set(WORDS) and listed["sample_left"] == 5
    lines = [f"{turns[WORDS[0]]}\tc+", f"{turns[WORDS[1]]}\tn", "", "nonsense", f"{turns[WORDS[2]]}\tz", "gone\tc"]
    done = run("--json", "--sample", "5", said="\n".join(lines))
    told = json.loads(done.stdout)
    assert (done.returncode, told["labelled"]) == (1, 2)
    assert [one["line"] for one in told["refused"]] == [4, 5, 6]
    assert labels(door)[WORDS[0]] == (SaidKind.CORRECTION, True)
    figures = json.loads(run("--report", "--json").stdout)
    assert figures["n"] == 2  # they were drawn at random, and a pipe knows it
    target = tmp_path / "labels.jsonl"
    assert run("--export", str(target)).returncode == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert {json.loads(line)["label"] for line in target.read_text("utf-8").splitlines()} == {
        "correction",
        "new_request",
    }
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


# the screen

SIZES = st.tuples(st.integers(1, 200), st.integers(1, 60))
TURN = st.fixed_dictionaries(
    {
        "said": st.text(max_size=600),
        "replied": st.text(max_size=600),
        "did": st.lists(st.text(max_size=200), max_size=4),
        "project": st.text(max_size=30),
        "host": st.just("claude"),
    }
)


@settings(max_examples=50, deadline=None)
@given(TURN, SIZES, st.sampled_from([None, True, False]))
def test_a_turn_fits_any_terminal_and_moves_no_cursor(
    shown: dict[str, Any], size: tuple[int, int], durable: bool | None
) -> None:
    width, height = size
    lines = turn_lines(shown, width=width, height=height, place="1 of 2", durable=durable)
    assert 1 <= len(lines) <= height
    assert all(char.isprintable() for text, _ in lines for char in text)
    assert len(help_lines(width, height)) <= height


def test_at_80_by_24_the_words_and_every_key_are_in_sight() -> None:
    shown = {"said": "word " * 4000, "replied": "reply " * 4000, "did": ["Bash: x"] * 9, "project": "p", "host": "h"}
    lines = [text for text, _ in turn_lines(shown, width=80, height=24, place="1 of 2", durable=None)]
    assert len(lines) == 24
    assert max(map(cell_len, lines)) <= 80
    assert all(f"{key} " in lines[-2] for key in KINDS)
    assert sum("word" in line for line in lines) >= 8
    assert any("more lines" in line for line in lines)
    assert "  Bash: x" in lines


class Typed:
    """What a person types, as the screen reads it."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        self.screen = Screen(self.slave, self.slave)

    def moves(self) -> None:
        self.screen = Screen(self.slave, self.slave, moves=True)

    def keys(self, typed: bytes, count: int) -> list[str]:
        with self.screen.taken():
            self.screen.show([])
            os.write(self.master, typed)
            return [self.screen.key() for _ in range(count)]


@pytest.fixture
def typed() -> Iterator[Typed]:
    there = Typed()
    yield there
    for fd in (there.master, there.slave):
        with contextlib.suppress(OSError):
            os.close(fd)


@pytest.mark.parametrize(
    ("raw", "keys"),
    [
        (b"cF", ["c", "f"]),
        (b"\x1b[A\x1b[1;5Cc", ["c"]),
        (b"\x1bOPc", ["c"]),
        (b"\x1b[200~cfn\x1b[201~a", ["a"]),
        ("сx".encode(), ["с", "x"]),
        (b"\xffc", ["c"]),
        (b"\x1b", [ESCAPE]),
    ],
    ids=["keys in a row", "arrows", "function key", "a paste labels nothing", "another script", "no UTF-8", "Esc"],
)
def test_only_keys_that_a_person_pressed_are_keys(typed: Typed, raw: bytes, keys: list[str]) -> None:
    assert typed.keys(raw, len(keys)) == keys


def test_where_a_text_can_be_longer_than_the_screen_arrows_are_keys(typed: Typed) -> None:
    typed.moves()
    assert typed.keys(b"\x1b[Ac\x1bOB\x1b[5~\x1b[1;5C\x1b[200~a\x1b[A\x1b[201~q", 5) == [UP, "c", DOWN, PAGE_UP, "q"]
