"""Sessions of Gemini CLI and of Copilot CLI, each told by its hooks and by its own file: one session.

Both were recorded from the real clients (0.61.0, 1.0.102), driven by a script; the words are ours.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import HOSTS
from hivemind_cli.hosts.base import Seen

PAYLOADS = Path(__file__).parent / "payloads"
HOOKS_ALONE = {
    "gemini/coins": ["session_end"],
    "gemini/refusals": ["session_end", "session_end"],
    "copilot/coins": [],
    "copilot/refusals": [],
}
"""What a session's file does not tell."""
FILE_ALONE = {
    "gemini/coins": [],
    # Esc at the question; Esc while a command ran, which its own hook tells.
    "gemini/refusals": ["tool_denied", "reply", "interrupt", "reply", "interrupt"],
    "copilot/coins": ["reply"],
    # No with a word; Esc while it spoke; Esc while a command ran; Esc at the question.
    "copilot/refusals": ["tool_denied", "reply", "interrupt", "reply", "interrupt", "reply", "interrupt", "tool_denied",
                         "reply"],
}  # fmt: skip
"""What no hook tells: in the daemon the tail does, at the end of the turn or at the next prompt."""
HOOKS_FIELDS = ("asks",)
"""Whether a person is asked is a question of hooks alone."""


@pytest.fixture(params=sorted(HOOKS_ALONE))
def session(request: pytest.FixtureRequest) -> str:
    named: str = request.param
    return named


@pytest.fixture
def name(session: str) -> str:
    return session.partition("/")[0]


@pytest.fixture
def file(name: str, session: str) -> Path:
    return PAYLOADS / name / "transcripts" / f"{session.partition('/')[2]}.jsonl"


@pytest.fixture
def hooks(name: str, file: Path) -> dict[str, Seen]:
    """Seen by key, `#?` resolved as capture does: the count of equal keys delivered before."""
    found: dict[str, Seen] = {}
    nth: Counter[str] = Counter()
    for line in (PAYLOADS / name / "sessions" / file.name).read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        for seen in HOSTS[name].decode(told["event"], told["payload"]):
            key = seen.native_key
            if key.endswith("#?"):
                nth[key] += 1
                key = f"{key[:-1]}{nth[key] - 1}"
            assert key not in found
            found[key] = seen
    return found


def test_an_import_of_what_hooks_told_adds_only_what_no_hook_tells(
    name: str, session: str, file: Path, hooks: dict[str, Seen]
) -> None:
    told = list(HOSTS[name].read_transcript(file))
    keys = {seen.native_key for seen in told}
    assert [seen.kind.value for key, seen in hooks.items() if key not in keys] == HOOKS_ALONE[session]
    assert [seen.kind.value for seen in told if seen.native_key not in hooks] == FILE_ALONE[session]


def test_both_say_the_same_of_the_same_thing(name: str, file: Path, hooks: dict[str, Seen]) -> None:
    shared = [(hooks[seen.native_key], seen) for seen in HOSTS[name].read_transcript(file) if seen.native_key in hooks]
    assert len(shared) >= 10
    for hook, line in shared:
        assert (hook.kind, hook.session_id, hook.tool, hook.cwd) == (line.kind, line.session_id, line.tool, line.cwd)
        assert _said(hook) == _said(line)


def _said(seen: Seen) -> dict[str, object]:
    """Two calls at once may end in either order, and of a call that was stopped each says so in its own words."""
    fields = {key: value for key, value in seen.payload.items() if key not in HOOKS_FIELDS}
    if seen.payload.get("act", {}).get("command") == "ls":
        fields["output"] = ""
    return {**fields, "error": ""} if seen.payload.get("interrupted") else fields


def test_a_tail_tells_what_an_import_does_wherever_it_was_left(name: str, file: Path, tmp_path: Path) -> None:
    """But for the reply of a turn that may go on: Gemini CLI's hook tells it."""
    host, lines = HOSTS[name], file.read_bytes().splitlines(keepends=True)
    growing = tmp_path / file.name
    told: set[str] = set()
    offset = 0
    for n in range(len(lines)):
        growing.write_bytes(b"".join(lines[: n + 1]) + b'{"torn')
        tail = host.read_tail(growing, offset)
        told |= {seen.native_key for seen in tail.seen}
        offset = tail.offset
    whole = {seen.native_key: seen.kind for seen in host.read_transcript(file)}
    assert offset == file.stat().st_size
    assert told <= set(whole)
    missed = {whole[key] for key in set(whole) - told}
    assert missed <= ({EventKind.REPLY} if name == "gemini" else set())


def test_a_tail_read_after_a_restart_counts_from_the_beginning(name: str, file: Path, tmp_path: Path) -> None:
    """No equal call of the second half is taken for one of the first."""
    lines = file.read_bytes().splitlines(keepends=True)
    first, whole = tmp_path / "first.jsonl", tmp_path / "whole.jsonl"
    first.write_bytes(b"".join(lines[: len(lines) * 2 // 3]))
    whole.write_bytes(file.read_bytes())
    early, late = (
        {seen.native_key for seen in tail.seen if seen.kind is not EventKind.REPLY}  # told when said, and when it stood
        for tail in (HOSTS[name].read_tail(first, 0), HOSTS[name].read_tail(whole, first.stat().st_size))
    )
    assert early and late and not early & late


def test_a_file_that_is_gone_has_an_empty_tail(name: str, tmp_path: Path) -> None:
    tail = HOSTS[name].read_tail(tmp_path / "none.jsonl", 7)
    assert (list(tail.seen), tail.offset) == ([], 0)
