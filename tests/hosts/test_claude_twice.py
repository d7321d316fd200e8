"""The same session, told by hooks and by its transcript, is one session: nothing in it twice."""

import json
from collections import Counter
from pathlib import Path

import pytest

from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import claude
from hivemind_cli.hosts.base import Seen

TOLD_TWICE = [
    "headless-tools-and-failures",
    "interactive-interrupt-bash-queued-amend-bang-model",
    "interactive-reject-with-feedback-and-interrupts",
    "skill-and-background-subagent",
]

HOOK_ONLY = {
    # A transcript has no line for a session's start and end, nor for what became of a subagent.
    EventKind.SESSION_START,
    EventKind.SESSION_END,
    EventKind.SUBAGENT_START,
    EventKind.SUBAGENT_STOP,
}
TRANSCRIPT_ONLY = {
    "headless-tools-and-failures": [],
    "skill-and-background-subagent": [],
    # Esc while Bash ran fires no hook; a note on an approval and bash mode are in no payload.
    "interactive-interrupt-bash-queued-amend-bang-model": ["tool_denied", "interrupt", "steer", "steer"],
    # Esc in mid-stream and at the dialog fire no hook, and the reply cut off by it is never the turn's last.
    "interactive-reject-with-feedback-and-interrupts": ["reply", "interrupt", "tool_denied", "interrupt"],
}


def by_hooks(file: Path) -> dict[str, Seen]:
    """Seen by key, `#?` resolved as capture does: the count of equal keys delivered before."""
    found: dict[str, Seen] = {}
    nth: Counter[str] = Counter()
    for line in file.read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        for seen in claude.decode(told["event"], told["payload"]):
            key = seen.native_key
            if key.endswith("#?"):
                nth[key] += 1
                key = f"{key[:-1]}{nth[key] - 1}"
            found[key] = seen
    return found


@pytest.fixture(params=TOLD_TWICE)
def session(request: pytest.FixtureRequest, recorded: Path) -> tuple[str, dict[str, Seen], list[Seen]]:
    name: str = request.param
    hooks = by_hooks(recorded / "sessions" / f"{name}.jsonl")
    return name, hooks, list(claude.read_transcript(recorded / "transcripts" / f"{name}.jsonl"))


Session = tuple[str, dict[str, Seen], list[Seen]]


def test_a_transcript_tells_nothing_twice(session: Session) -> None:
    _, _, transcript = session
    assert len({seen.native_key for seen in transcript}) == len(transcript)


def test_what_hooks_alone_tell_has_no_line(session: Session) -> None:
    _, hooks, transcript = session
    keys = {seen.native_key for seen in transcript}
    assert {seen.kind for key, seen in hooks.items() if key not in keys} <= HOOK_ONLY


def test_what_the_transcript_alone_tells_fires_no_hook(session: Session) -> None:
    name, hooks, transcript = session
    assert [seen.kind.value for seen in transcript if seen.native_key not in hooks] == TRANSCRIPT_ONLY[name]


def test_both_say_the_same_of_the_same_thing(session: Session) -> None:
    _, hooks, transcript = session
    shared = [(hooks[seen.native_key], seen) for seen in transcript if seen.native_key in hooks]
    assert shared
    for hook, line in shared:
        assert (hook.session_id, hook.tool, hook.cwd) == (line.session_id, line.tool, line.cwd)
        told = {name: value for name, value in hook.payload.items() if name != "asks"}  # asked of hooks only
        assert told == line.payload
        assert hook.kind is line.kind or (hook.kind, line.kind) == (EventKind.PROMPT, EventKind.STEER)


def test_a_message_typed_in_mid_turn_is_one_thing_however_it_reached_the_agent(recorded: Path) -> None:
    name = "interactive-interrupt-bash-queued-amend-bang-model.jsonl"
    hooks = by_hooks(recorded / "sessions" / name)
    lines = {
        seen.payload.get("text"): seen
        for seen in claude.read_transcript(recorded / "transcripts" / name)
        if seen.kind in (EventKind.PROMPT, EventKind.STEER)
    }
    absorbed, waited = lines["No wait, use pytest"], lines["actually make it short"]
    assert (absorbed.kind, waited.kind) == (EventKind.STEER, EventKind.PROMPT)
    assert hooks[absorbed.native_key].payload == absorbed.payload
    assert hooks[waited.native_key].payload == waited.payload
