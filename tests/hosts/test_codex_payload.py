"""Decoding what Codex 0.169.0 sends, and the same session told by hooks and by its rollout: nothing in it twice."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.app.subagents import task_of_call
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import codex
from hivemind_cli.hosts.base import Seen
from tests.hosts import sample_sessions as sample
from tests.hosts.sample_sessions import FOLDER, THREAD, TURNS

PAYLOADS = Path(__file__).parent / "payloads" / "codex"
FILES = sorted(PAYLOADS.glob("*.json"))
CAPTURED = Path(os.environ.get("HIVEMIND_TEST_HOSTS", "/nonexistent")) / "codex"
SESSIONS = sorted((CAPTURED / "sessions").glob("*.jsonl"))
SHOWN = {
    "Interrupt": ["interrupt"],
    "PermissionRequest": [],
    "PostCompact": ["compact"],
    "PostToolUse": ["tool_result"],
    "PostToolUse-Bash": [],
    "PostToolUse-Bash-failed": [],
    "PreCompact": [],
    "PreToolUse": ["tool_call"],
    "SessionEnd": ["session_end"],
    "SessionStart": ["session_start"],
    "Stop": ["reply"],
    "SubagentStart": ["subagent_start"],
    "SubagentStop": ["subagent_stop"],
    "UserPromptSubmit": ["prompt"],
}
ROLLOUT_ONLY = {EventKind.TOOL_DENIED, EventKind.TOOL_FAILURE, EventKind.TOOL_RESULT}
HOOK_ONLY = {EventKind.SESSION_START, EventKind.SESSION_END}


def payload(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))
    return value


def decoded(name: str, **changed: Any) -> Seen:
    (seen,) = codex.decode(name.split("-")[0], {**payload(name), **changed})
    return seen


def by_hooks(file: Path) -> dict[tuple[str, str], Seen]:
    """Seen by session and key, `#?` resolved as capture does."""
    found: dict[tuple[str, str], Seen] = {}
    nth: Counter[tuple[str, str]] = Counter()
    for line in file.read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        for seen in codex.decode(told["event"], told["payload"]):
            key = seen.native_key
            if key.endswith("#?"):
                nth[seen.session_id, key] += 1
                key = f"{key[:-1]}{nth[seen.session_id, seen.native_key] - 1}"
            found[seen.session_id, key] = seen
    return found


def compared(hooks: dict[tuple[str, str], Seen], rollout: list[Seen]) -> tuple[list[Seen], list[Seen]]:
    """What the hooks alone tell of the rollout's session, and what the rollout alone tells; the rest is compared."""
    lines = {(one.session_id, one.native_key): one for one in rollout}
    assert len(lines) == len(rollout)
    shared = lines.keys() & hooks.keys()
    assert shared
    for key in shared:
        hook, line = hooks[key], lines[key]
        assert (hook.session_id, hook.tool, hook.cwd) == (line.session_id, line.tool, line.cwd)
        assert hook.kind is line.kind or (hook.kind, line.kind) == (EventKind.PROMPT, EventKind.STEER)
        only_one_knows = ("asks", "model", "for_tool")
        told, read = ({n: v for n, v in one.payload.items() if n not in only_one_knows} for one in (hook, line))
        assert told == read
    own = {one.session_id for one in rollout}
    alone = [one for key, one in hooks.items() if key not in lines and key[0] in own]
    return alone, [one for key, one in lines.items() if key not in hooks]


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_every_payload_decodes(file: Path) -> None:
    told = payload(file.stem)
    event = file.stem.split("-", 1)[0]
    assert event == told["hook_event_name"]
    seen = codex.decode(event, told)
    assert [one.kind.value for one in seen] == SHOWN.get(file.stem, SHOWN[event])
    for one in seen:
        assert (one.session_id, one.cwd) == (THREAD, FOLDER)
        assert one.native_key


def test_hooks_and_rollout_tell_one_session_once(tmp_path: Path) -> None:
    rollout = sample.write(tmp_path / f"rollout-2026-11-20T18-00-00-{THREAD}.jsonl", sample.codex_session())
    hooks = by_hooks(PAYLOADS / "sessions" / "commands-patches-refusal.jsonl")
    alone, read = compared(hooks, list(codex.read_transcript(rollout)))
    assert [one.kind for one in alone] == [EventKind.SESSION_END]
    assert [one.native_key for one in read] == ["c1:tool_result", "c2:tool_failure", "c4:tool_denied"]


@pytest.mark.skipif(not SESSIONS, reason="HIVEMIND_TEST_HOSTS names no folder with captured sessions")
@pytest.mark.parametrize("n", range(max(len(SESSIONS), 1)))
def test_captured_hooks_and_their_rollout_tell_one_session_once(n: int) -> None:
    rollout = CAPTURED / "transcripts" / SESSIONS[n].name
    alone, read = compared(by_hooks(SESSIONS[n]), list(codex.read_transcript(rollout)))
    assert {one.kind for one in alone} <= HOOK_ONLY
    begun_before = {EventKind.SESSION_START, EventKind.PROMPT, EventKind.REPLY} if "resume" in rollout.name else set()
    assert {one.kind for one in read} <= ROLLOUT_ONLY | begun_before


@pytest.mark.skipif(not SESSIONS, reason="HIVEMIND_TEST_HOSTS names no folder with captured payloads")
def test_every_captured_payload_decodes_or_is_skipped() -> None:
    files = [path for path in CAPTURED.glob("*.json") if not path.name.startswith("_")]
    assert files
    for path in files:
        told = json.loads(path.read_text(encoding="utf-8"))
        event = told["hook_event_name"]
        shown = [one.kind.value for one in codex.decode(event, told)]
        assert shown == SHOWN.get(path.stem, SHOWN[event])


def rollouts() -> Iterator[tuple[str, bytes]]:
    yield "sample", "".join(f"{json.dumps(line)}\n" for line in sample.codex_session()).encode()
    yield from ((path.stem, (CAPTURED / "transcripts" / path.name).read_bytes()) for path in SESSIONS)


@pytest.mark.parametrize(
    ("name", "content"), list(rollouts()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_line_by_line_a_rollout_tells_what_it_tells_at_once(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"rollout-2026-11-20T18-00-00-{THREAD}.jsonl"
    offset, seen = 0, list[Seen]()
    for end in (n + 1 for n, byte in enumerate(content) if byte == ord("\n")):
        path.write_bytes(content[: end - 3])  # a line still being written
        assert codex.read_tail(path, offset).seen == []
        path.write_bytes(content[:end])
        tail = codex.read_tail(path, offset)
        assert (tail.offset, tail.skipped) == (end, 0)
        offset, seen = tail.offset, [*seen, *tail.seen]
    assert seen == list(codex.read_transcript(path))


def test_far_behind_the_beginning_a_tail_is_still_of_its_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hivemind_cli.hosts.codex.transcript.LOOK_BACK_BYTES", 700)
    lines = [*sample.codex_session(), sample.codex_turn(2), *sample.codex_user("and the silver", 2)]
    path = sample.write(tmp_path / "rollout-2026-11-20T18-00-00-01a1fa32-0000-7a11-80be-00000000ffff.jsonl", lines)
    before = sum(len(json.dumps(line)) + 1 for line in lines[:-2])
    (prompt,) = codex.read_tail(path, before).seen
    assert (prompt.session_id, prompt.cwd, prompt.kind) == (THREAD, FOLDER, EventKind.PROMPT)


def test_a_rollout_written_anew_is_read_from_its_start_and_none_is_empty(tmp_path: Path) -> None:
    path = sample.write(tmp_path / f"rollout-2026-11-20T18-00-00-{THREAD}.jsonl", sample.codex_session())
    assert codex.read_tail(path, path.stat().st_size + 1).seen == codex.read_tail(path, 0).seen
    assert codex.read_tail(tmp_path / "none.jsonl", 7).offset == 0


@pytest.mark.parametrize(
    ("mode", "asks"),
    [("bypassPermissions", False), ("dontAsk", False), ("default", True), ("acceptEdits", True), ("plan", True)],
)
def test_a_call_a_person_may_be_asked_about_says_so(mode: str, asks: bool) -> None:
    for name in ("PreToolUse-Bash", "PreToolUse-apply_patch"):
        assert decoded(name, permission_mode=mode).payload.get("asks", False) is asks
    assert decoded("PreToolUse-Bash", permission_mode="a new mode").payload["asks"] is True
    look = {"tool_name": "view_image", "tool_input": {"path": "coin.png"}, "permission_mode": mode}
    assert "asks" not in decoded("PreToolUse-Bash", **look).payload


def test_a_patch_names_its_first_file_and_what_it_wrote() -> None:
    assert decoded("PreToolUse-apply_patch").payload["act"]["path"] == "till.py"
    result = decoded("PostToolUse-apply_patch").payload
    written = "def total():\n    return 0"
    assert result["wrote"] == {"path": f"{FOLDER}/till.py", "written": written, "after": written}
    assert result["output"] == "Success.\n"


def test_where_no_rollout_is_kept_a_commands_end_is_the_hooks_to_tell() -> None:
    seen = decoded("PostToolUse-Bash", transcript_path=None)
    assert (seen.kind, seen.payload["output"]) == (EventKind.TOOL_RESULT, "gold\n")


def test_a_subagent_is_asked_for_by_name_and_its_end_shows_its_own_rollout(own_home: Path) -> None:
    asked = decoded("PreToolUse-spawn_agent")
    assert (asked.tool, task_of_call(asked.tool, asked.payload)) == ("spawn_agent", "Count what is in the till.")
    told = payload("SubagentStop")
    config_dir = Path("/home/ada/.codex")
    path = codex.transcript_of(own_home, told, config_dir=config_dir)
    assert str(path) == told["agent_transcript_path"] != told["transcript_path"]


def test_a_subagents_words_are_no_persons_and_its_calls_name_it() -> None:
    agent = payload("SubagentStart")["agent_id"]
    assert codex.decode("UserPromptSubmit", {**payload("UserPromptSubmit"), "agent_id": agent}) == []
    assert decoded("PreToolUse-Bash-in-subagent").payload["agent_id"] == agent


@pytest.mark.parametrize(
    "prompt",
    [
        "<hivemind-recall>\nRecorded by hivemind\n</hivemind-recall>",
        '<hook_prompt hook_run_id="1">go on</hook_prompt>',
        "<turn_aborted>\nThe person stopped you.\n</turn_aborted>",
        "   ",
    ],
)
def test_what_no_person_typed_is_no_prompt(prompt: str) -> None:
    assert codex.decode("UserPromptSubmit", {**payload("UserPromptSubmit"), "prompt": prompt}) == []


def test_words_typed_while_the_agent_works_have_the_running_turns_key() -> None:
    first, second = decoded("UserPromptSubmit"), decoded("UserPromptSubmit", prompt="gold only")
    assert first.native_key.startswith(f"{TURNS[0]}:") and second.native_key.startswith(f"{TURNS[0]}:")
    assert first.native_key != second.native_key


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("PreToolUse-Bash", {"tool_input": "ls"}),
        ("PreToolUse-Bash", {"tool_use_id": None}),
        ("UserPromptSubmit", {"prompt": 5}),
        ("Stop", {"session_id": []}),
        ("Interrupt", {"turn_id": None}),
    ],
)
def test_a_malformed_payload_is_a_fault(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        codex.decode(name.split("-")[0], {**payload(name), **wrong})


JUNK = st.recursive(
    st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=2), max_leaves=4
)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([path.stem for path in FILES]), st.data())
def test_whatever_stands_in_a_field_only_known_faults_are_raised(name: str, data: st.DataObject) -> None:
    told = payload(name)
    told[data.draw(st.sampled_from(sorted(told)))] = data.draw(JUNK)
    try:
        for one in codex.decode(name.split("-")[0], told):
            assert one.native_key
    except (KeyError, TypeError, ValueError):
        pass


def test_a_rollout_counts_only_in_the_hosts_own_folders(own_home: Path, tmp_path: Path) -> None:
    folder = own_home / ".codex" / "sessions" / "2026"
    folder.mkdir(parents=True)
    inside, outside = folder / "rollout-1.jsonl", tmp_path / "rollout-1.jsonl"
    for path in (inside, outside):
        path.write_text("{}\n")
    assert codex.transcript_of(own_home, {"transcript_path": str(inside)}) == inside
    for named in (str(outside), None, 7, "rollout-1.jsonl", str(folder / "x\0.jsonl"), str(folder.parent)):
        assert codex.transcript_of(own_home, {"transcript_path": named}) is None
    moved = {"transcript_path": str(inside)}
    assert codex.transcript_of(own_home, moved, config_dir=tmp_path / "elsewhere") is None
    assert codex.transcript_of(tmp_path, moved, config_dir=own_home / ".codex") == inside
