"""`hivemind search` at the door: what a person and a program read."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hivemind_cli.cli.door import Door
from tests.cli.here import Done, door_here, run_here
from tests.pipeline.session import Session


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    opened = door_here()
    monkeypatch.setattr(Door, "open", classmethod(lambda cls: opened))
    yield opened
    opened.client.stop()


def search(*words: str, code: int = 0) -> Done:
    done = run_here("search", *words)
    assert done.returncode == code, done.stderr
    return done


def test_hits_are_listed_under_their_session(door: Door) -> None:
    session = Session(door.store)
    session.says("migrate the billing schema")
    session.runs("alembic upgrade head", error="billing schema: relation already exists")
    lines = search("billing", "schema").stdout.splitlines()
    assert "claude" in lines[0] and "s1" in lines[0]
    assert any(line.startswith("  prompt ") for line in lines) and any(line.startswith("  error ") for line in lines)


def test_nothing_found_is_no_failure_and_says_what_to_try(door: Door) -> None:
    done = search("xylophone")
    assert done.stdout == "" and "Nothing found" in done.stderr and "fewer or other words" in done.stderr
    assert json.loads(search("xylophone", "--json").stdout)["hits"] == []


def test_json_has_all_that_a_program_needs(door: Door) -> None:
    Session(door.store).says("rotate the signing key")
    answer = json.loads(search("signing key", "--json").stdout)
    assert {"hits", "more", "by", "behind"} == set(answer)
    fields = "id kind host project project_id session_id occurred_at title score bm25 cosine snippet highlights paths"
    assert set(answer["hits"][0]) == set(fields.split())
    assert answer["by"] == "words" and answer["behind"] == 0


def test_stored_text_is_shown_as_text(door: Door) -> None:
    Session(door.store).says("[red]kestrel[/red] \x1b[2J [/oops] kestrel[ \u202e \\[x] ✓ 鳥")
    shown = search("kestrel").stdout
    assert "\x1b" not in shown and "\u202e" not in shown
    assert "[red]kestrel[/red]" in shown and "[/oops] kestrel[" in shown and "鳥" in shown


def test_bad_input_is_answered_with_advice(door: Door) -> None:
    for words, code, said in (
        (["--kind", "promt", "x"], 2, "prompt"),
        (["--host", "clade", "x"], 2, "claude"),
        (["--since", "soon", "x"], 2, "yesterday"),
        (["--project", "nowhere", "x"], 1, "hivemind sessions"),
        (["--session", "zz", "x"], 1, "hivemind sessions"),
        (["???"], 2, "hivemind search QUERY"),
        ([], 2, "hivemind search QUERY"),
        (["--error", "error"], 2, "as it was printed"),
    ):
        assert said in search(*words, code=code).stderr


def test_days_are_meant_as_a_person_says_them(door: Door) -> None:
    Session(door.store).says("polish the lantern")  # 2026-11-01
    assert search("lantern", "--until", "2026-11-01").stdout
    assert not search("lantern", "--until", "2026-10-31").stdout
    assert not search("lantern", "--since", "2 days", "--until", "2020-01-01").stdout


def test_an_error_may_come_as_words_from_stdin_or_from_a_file(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(door.store)
    session.runs("yarn build", error="Error: error:0308010C:digital envelope routines::unsupported")
    session.writes(".nvmrc", "20\n")
    session.runs("nvm use")
    session.runs("yarn build")
    error = "node:internal/crypto\nError: error:0308010C:digital envelope routines::unsupported\n    at new Hash"
    log = tmp_path / "build.log"
    log.write_text(error)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(error.encode() + b"\xff")))
    for given in (error, str(log), "-"):
        shown = search("--error", given).stdout
        assert "the same error, seen once" in shown and "digital envelope routines" in shown
        assert "edited      .nvmrc" in shown and "+20" in shown and "nvm use" in shown
        assert "then worked yarn build" in shown and "90%: the same call then worked" in shown
    (one,) = json.loads(search("--error", error, "--json").stdout)["known"]
    assert one["fixes"][0]["how"] == "passed"


@pytest.mark.parametrize("name", ["gone.log", "/", "./gone/build.txt"])
def test_a_log_that_is_not_there_is_not_taken_for_the_error(door: Door, name: str) -> None:
    done = search("--error", name, code=2)
    assert "cannot be read" in done.stderr


def test_an_error_nobody_saw_says_so(door: Door) -> None:
    done = search("--error", "KeyError: 'flux_capacitor'")
    assert done.stdout == "" and "No error like this was seen here" in done.stderr
