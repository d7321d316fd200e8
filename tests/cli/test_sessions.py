"""`hivemind sessions`: reading one, and finding the right ones."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.session_screen import joined
from hivemind_cli.core.acts import SHELL, Act
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import Candidate, EventKind, Moment, Recall
from tests.cli.here import Done, door_here, run_here
from tests.pipeline.session import Session


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    opened = door_here()
    monkeypatch.setattr(Door, "open", classmethod(lambda cls: opened))
    yield opened
    opened.client.stop()


def show(*words: str) -> Done:
    done = run_here("sessions", "show", *words)
    assert done.returncode == 0, done.stderr
    return done


def entry(kind: str, call: str = "", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "call_id": call, "at": "2026-11-01T09:00:00+00:00", "text": "", "more_lines": 0, **more}


def told(session: Session) -> None:
    """What hivemind said at the session's last prompt; that it was silent before is stored, too."""
    prompt = session.says("add a dependency")
    said = Recall(
        id=new_id(session.at),
        workspace_id="default",
        project_id="p1",
        machine_id="m",
        author="ada",
        host="claude",
        session_id=session.id,
        occurred_at=session.at,
        moment=Moment.PROMPT,
        event_id=prompt.id,
        query="add a dependency",
        candidates=(Candidate(id="sk_1", kind="skill", name="use-uv", score=0.81, decision="injected"),),
        text="Use uv.",
    )
    session.store.append([replace(said, id=new_id(session.at), text="", candidates=()), said])


def test_a_session_reads_as_it_went(door: Door) -> None:
    session = Session(door.store, "abc123")
    session.says("install the parser")
    session.runs("pip install lark", error="error: externally-managed-environment\nsee PEP 668")
    session.runs("uv add lark")
    session.replies("Added.\n\n" + "\n".join(f"- step {n}" for n in range(40)))
    session.says("no, not with pip: use uv add, always")
    told(session)
    door.ask("settle")
    lines = show("abc").stdout.splitlines()
    assert lines[0].startswith("abc123  claude")
    assert "3 prompts, 2 calls (1 failed), 1 correction, 1 recall" in lines[1]
    assert "3 prompts, 2 calls, 1 correction, 1 recall\n" in run_here("sessions").stdout
    text = "\n".join(lines)
    assert "1. 2026-11-01" in text and "▌ install the parser" in text
    (failed,) = [line for line in lines if "pip install lark" in line and "failed" in line]
    assert lines[lines.index(failed) + 1].strip() == "error: externally-managed-environment"
    assert any("ok" in line and "uv add lark" in line for line in lines)
    assert any(line.strip() == "… 28 more lines" for line in lines)
    assert "hivemind said at this prompt: use-uv (0.81)" in text
    place = text.index("no, not with pip")
    assert "✗ corrected: said" in text[place:] and "✗ corrected: said" not in text[:place]
    assert "- step 39" in show("abc", "--full").stdout


def test_of_a_long_failure_the_lines_that_tell_are_shown(door: Door) -> None:
    session = Session(door.store)
    session.says("run the tests")
    noise = "\n".join(f"=== RUN case {n}" for n in range(60))
    session.runs("go test ./...", error=f"{noise}\nledger_test.go:12: balance: expected 7, got 9\n{noise}")
    shown = show("s1").stdout
    assert "expected 7, got 9" in shown and "=== RUN" not in shown and "… 120 more lines" in shown
    assert "=== RUN case 59" in show("s1", "--full").stdout


def test_only_one_turn(door: Door) -> None:
    session = Session(door.store)
    for word in ("first", "second", "third"):
        session.says(f"the {word} thing")
        session.runs(f"echo {word}")
    shown = show("s1", "--turn", "2").stdout
    assert "the second thing" in shown and "echo second" in shown and "first" not in shown and "third" not in shown
    assert "no turn 9" in show("s1", "--turn", "9").stderr


def test_what_was_stored_never_steers_the_terminal(door: Door) -> None:
    session = Session(door.store)
    session.says("look [bold red]here[/] \x1b[2J\x1b]0;owned\x07 \u202e and [/nonsense]")
    session.runs("printf '\x1b[31m'", error="\x1b[1;31mboom\x1b[0m [link=x]y")
    shown = show("s1").stdout
    assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown
    assert "[bold red]here[/]" in shown and "[/nonsense]" in shown and "[link=x]y" in shown


def test_json_has_the_records(door: Door) -> None:
    session = Session(door.store)
    session.says("install the parser")
    told(session)
    document = json.loads(show("s1", "--json").stdout)
    assert [event["kind"] for event in document["events"]] == ["prompt", "prompt"]
    assert document["session"]["prompts"] == 2 and [one["text"] for one in document["recalls"]] == ["", "Use uv."]
    assert document["corrections"] == []


def test_a_session_of_more_than_a_page_is_whole(door: Door) -> None:
    session = Session(door.store)
    session.says("count")
    act = Act(SHELL, "Bash", command="true").as_json()
    for n in range(900):
        session.event(EventKind.TOOL_RESULT, call_id=f"c{n}", act=act, output=f"{n}")
    assert show("s1").stdout.count(" ok ") == 900


def test_sessions_are_listed_by_project_host_and_time(door: Door) -> None:
    old, new = Session(door.store, "old", project="p1"), Session(door.store, "new", project="p2")
    new.at += timedelta(days=3)
    for session in (old, new):
        session.says("hello")

    def listed(*words: str) -> list[str]:
        return [one["session_id"] for one in json.loads(run_here("sessions", "--json", *words).stdout)]

    assert listed() == ["new", "old"]
    assert listed("--since", "2026-11-03") == ["new"]
    assert listed("--host", "codex") == []
    assert run_here("sessions", "--host", "clade").returncode == 2
    assert run_here("sessions", "--project", "nowhere").returncode == 1


def test_calls_keep_their_order_and_learn_what_came_of_them() -> None:
    entries = [entry("tool_call", "a"), entry("tool_call", "b"), entry("tool_result", "b"), entry("tool_failure", "a")]
    assert [(one["call_id"], one["outcome"]) for one in joined(entries)] == [("a", "failed"), ("b", "ok")]


def test_a_call_without_an_end_keeps_nothing_back_for_ever() -> None:
    many = (entry("reply") for _ in range(5000))
    found = joined([entry("tool_call", "a"), *many])
    assert next(found)["kind"] == "tool_call"
    assert len(list(found)) == 5000
