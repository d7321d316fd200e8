"""Copilot CLI's session files: who refused and in what words, agents within, older formats."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core import fence
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import copilot
from hivemind_cli.hosts.base import Seen
from tests.hosts import sample_sessions as sample
from tests.hosts.sample_sessions import (
    FOLDER,
    THREAD,
    copilot_call,
    copilot_done,
    copilot_event,
    copilot_refused,
    copilot_start,
)

Line = dict[str, Any]
PATCH = "*** Begin Patch\n*** Update File: till.py\n-a\n+b\n*** End Patch"


def read(tmp_path: Path, *lines: Line) -> list[Seen]:
    return list(copilot.read_transcript(sample.write(tmp_path / THREAD / "events.jsonl", [copilot_start(), *lines])))


def of(seen: list[Seen], kind: EventKind) -> list[Seen]:
    return [one for one in seen if one.kind is kind]


def said(text: str, **data: Any) -> Line:
    return copilot_event(f"u-{text}", "user.message", 1, content=text, **data)


def test_a_hook_can_make_the_same_keys(tmp_path: Path) -> None:
    seen = read(tmp_path, said("go"), *copilot_call("k", "bash", {"command": "ls"}))
    (start, prompt, call) = seen
    text = hashlib.sha256(b"go").hexdigest()[:16]
    given = hashlib.sha256(b'{"command": "ls"}').hexdigest()[:16]
    assert start.native_key == "session_start:new:#0"
    assert (prompt.native_key, call.native_key) == (f":{text}:#0", f"tool_call:bash:{given}:#0")
    assert call.payload["call_id"] == f"bash:{given}"  # the host's own id is in no hook


@pytest.mark.parametrize(
    "line",
    [
        said("the skill's text", source="skill-counting"),
        said("go on", source="system"),
        said("<system_reminder>\nbe brief\n</system_reminder>"),
        said(fence.fenced(["count twice"])),
        copilot_event("a", "user.message", 1, "agent-7", content="look there"),
    ],
)
def test_what_no_person_typed_is_no_prompt(tmp_path: Path, line: Line) -> None:
    assert of(read(tmp_path, line), EventKind.PROMPT) == []


def test_what_the_model_was_given_around_it_is_not_the_persons(tmp_path: Path) -> None:
    line = said("make it", transformedContent="<current_datetime>now</current_datetime>\n\nmake it", source="user")
    assert [one.payload for one in of(read(tmp_path, line), EventKind.PROMPT)] == [{"text": "make it"}]


def test_words_given_while_it_works_steer_and_queued_ones_wait(tmp_path: Path) -> None:
    seen = read(tmp_path, said("go"), said("gold only", delivery="steering"), said("then this", delivery="queued"))
    assert [one.kind.value for one in seen[1:]] == ["prompt", "steer", "prompt"]


def test_a_command_of_the_persons_own_steers(tmp_path: Path) -> None:
    asked = copilot_event("t", "tool.user_requested", toolCallId="k", toolName="bash", arguments={"command": "ls"})
    seen = read(tmp_path, asked, copilot_done("k", "a", isUserRequested=True))
    assert [one.payload for one in seen[1:]] == [{"text": "", "ran": "ls"}]


def permission(call_id: str, answer: str, **fields: Any) -> list[Line]:
    request = {"kind": "shell", "toolCallId": call_id}
    return [
        copilot_event("p1", "permission.requested", requestId="r", permissionRequest=request),
        copilot_event("p2", "permission.completed", requestId="r", result={"kind": answer, **fields}),
    ]


@pytest.mark.parametrize(
    ("lines", "by", "words"),
    [
        ([copilot_refused("k", "The user rejected this tool call.", "rejected")], "person", ""),
        (
            [copilot_refused("k", "The user rejected this tool call. User feedback: use make", "rejected")],
            "person",
            "use make",
        ),
        (
            [
                *permission("k", "denied-interactively-by-user", feedback="use make"),
                copilot_refused("k", "Permission denied", "failure"),
            ],
            "person",
            "use make",
        ),
        ([*permission("k", "denied-by-rules"), copilot_refused("k", "Permission denied", "denied")], "rule", ""),
        ([copilot_refused("k", f"Denied by preToolUse hook: {fence.fenced(['no'])}", "denied")], "hivemind", ""),
    ],
)
def test_who_refused_is_told_and_in_what_words(tmp_path: Path, lines: list[Line], by: str, words: str) -> None:
    (denied,) = of(read(tmp_path, *copilot_call("k", "bash", {"command": "ls"}), *lines), EventKind.TOOL_DENIED)
    assert (denied.payload["by"], denied.payload["words"]) == (by, words)


def test_a_call_that_failed_of_itself_was_refused_by_nobody(tmp_path: Path) -> None:
    view = copilot_call("k", "view", {"path": f"{FOLDER}/none.py"})
    seen = read(tmp_path, *view, copilot_refused("k", "Path does not exist", "failure"))
    assert [one.payload["error"] for one in of(seen, EventKind.TOOL_FAILURE)] == ["Path does not exist"]


@pytest.mark.parametrize("fields", [{}, {"shellExecution": {"exitCode": 2}}])
def test_a_command_that_fails_is_a_failure_though_its_tool_succeeded(tmp_path: Path, fields: Line) -> None:
    done = copilot_done("k", "bad\n<shellId: 0 completed with exit code 2>", **fields)
    seen = read(tmp_path, *copilot_call("k", "bash", {"command": "ls"}), done)
    assert len(of(seen, EventKind.TOOL_FAILURE)) == 1


def test_what_hooks_added_to_a_result_is_not_its_output(tmp_path: Path) -> None:
    told = 'ok\n\nTool "bash" succeeded. Additional guidance from postToolUse hooks:\nuse tabs'
    seen = read(tmp_path, *copilot_call("k", "bash", {"command": "ls"}), copilot_done("k", told))
    assert seen[-1].payload["output"] == "ok"


@pytest.mark.parametrize("given", [{"input": PATCH}, PATCH])
def test_a_patch_is_an_edit(tmp_path: Path, given: Any) -> None:
    seen = read(tmp_path, *copilot_call("k", "apply_patch", given), copilot_done("k", "ok"))
    assert seen[1].payload["act"] == {"kind": "edit", "tool": "apply_patch", "path": "till.py", "text": "b"}
    assert seen[2].payload["wrote"] == {"path": f"{FOLDER}/till.py", "written": "b"}


def test_only_a_persons_abort_is_an_interrupt(tmp_path: Path) -> None:
    seen = read(
        tmp_path, copilot_event("x", "abort", reason="user_initiated"), copilot_event("y", "abort", reason="limit")
    )
    assert [one.native_key for one in of(seen, EventKind.INTERRUPT)] == ["interrupt:x"]


def test_agents_within_do_their_work_under_their_own_name(tmp_path: Path) -> None:
    call = copilot_call("k", "bash", {"command": "ls"}, agent="agent-7")
    answer = copilot_event("r", "assistant.message", agent="agent-7", content="Looked.", toolRequests=[])
    begun = copilot_event("b", "subagent.started", agent="agent-7", toolCallId="t", agentName="scout")
    over = copilot_event("o", "subagent.completed", agent="agent-7", toolCallId="t", agentName="scout")
    seen = read(tmp_path, said("go"), begun, *call, copilot_done("k", "a", agent="agent-7"), answer, over)
    theirs = [one for one in seen if one.payload.get("agent_id") == "agent-7"]
    assert [one.kind.value for one in theirs] == ["subagent_start", "tool_call", "tool_result", "subagent_stop"]
    assert {one.session_id for one in seen} == {THREAD}


def test_a_rewind_takes_back_the_edits_behind_it(tmp_path: Path) -> None:
    edits = [[*copilot_call(name, "edit", {"path": "a", "new_str": name}), copilot_done(name, "ok")] for name in "kl"]
    back = copilot_event("w", "session.snapshot_rewind", upToEventId="u-two", eventsRemoved=3)
    seen = read(tmp_path, said("one"), *edits[0], said("two"), *edits[1], back, said("three"))
    lost = of(seen, EventKind.TOOL_RESULT)[1].payload["call_id"]
    assert [one.payload.get("abandoned") for one in of(seen, EventKind.PROMPT)] == [None, None, [lost]]


def test_compactions_folders_and_ends_are_told(tmp_path: Path) -> None:
    seen = read(
        tmp_path,
        copilot_event("c", "session.compaction_complete", success=True, summaryContent="x"),
        copilot_event("f", "session.compaction_complete", success=False, error="x"),
        copilot_event("d", "session.context_changed", cwd="/home/ada/mill"),
        said("go"),
        copilot_event("h", "hook.start", hookType="sessionEnd", input={"reason": "user_exit"}),
        copilot_event("z", "session.shutdown", shutdownType="routine"),
        copilot_event("s2", "session.resume", context={"cwd": FOLDER}),
    )
    assert [(one.kind.value, one.cwd) for one in seen[1:]] == [
        ("compact", FOLDER), ("prompt", "/home/ada/mill"), ("session_end", "/home/ada/mill"), ("session_start", FOLDER),
    ]  # fmt: skip
    assert [seen[3].native_key, seen[4].native_key] == ["session_end:user_exit:#0", "session_start:resume:#0"]


def test_the_layout_before_is_found_unless_a_newer_took_it_over(tmp_path: Path) -> None:
    state = tmp_path / "session-state"
    new = sample.write(state / "a" / "events.jsonl", [copilot_start()])
    sample.write(state / "a.jsonl", [copilot_start()])
    old = sample.write(state / "b.jsonl", [copilot_start()])
    assert set(copilot.find_sessions(Path("/nonexistent"), config_dir=tmp_path)) == {new, old}


def test_without_the_variable_the_usual_folder_is_looked_in(tmp_path: Path) -> None:
    path = sample.write(tmp_path / ".copilot" / "session-state" / "c" / "events.jsonl", [copilot_start()])
    assert list(copilot.find_sessions(tmp_path)) == [path]


def test_the_first_versions_kept_the_chats_messages_in_one_document(tmp_path: Path) -> None:
    call = {"id": "k", "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
    messages = [
        {"role": "user", "content": "count the coins"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "k", "content": "a\n<exited with exit code 1>"},
        {"role": "assistant", "content": "Counted."},
    ]
    path = tmp_path / "history-session-state" / "session_x.json"
    path.parent.mkdir()
    document = {"sessionId": "old", "startTime": sample.at(0), "chatMessages": messages, "timeline": []}
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    assert list(copilot.find_sessions(Path("/nonexistent"), config_dir=tmp_path)) == [path]
    assert copilot.sessions_in(path) == (path,)
    seen = list(copilot.read_transcript(path))
    assert [one.kind.value for one in seen] == ["session_start", "prompt", "tool_call", "tool_failure", "reply"]
    assert {one.session_id for one in seen} == {"old"}
