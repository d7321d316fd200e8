"""Decoding what Claude Code 2.1.329 was recorded to send."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import claude
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.claude.payload import _DECODERS

RECORDED = sorted((Path(__file__).parent / "payloads" / "claude").glob("*.json"))
Payload = Callable[[str], dict[str, Any]]

SHOWN = {
    "InstructionsLoaded": [],
    "MessageDisplay": [],
    "Notification": [],
    "PermissionRequest": [],
    "PostCompact": [],
    "PostModelSwitch": [],
    "PreModelSwitch": [],
    "PostToolBatch": [],
    "PostToolBatch-Bash-hook-denied": ["tool_denied"],
    "PostToolBatch-Bash-permission-denied": ["tool_denied"],
    "PostToolBatch-Write-hook-denied": ["tool_denied"],
    "PostToolBatch-Write-permission-denied": ["tool_denied"],
    "PostToolBatch-Write-rejected-with-feedback": ["tool_denied"],
    "PostToolUse": ["tool_result"],
    "PostToolUseFailure": ["tool_failure"],
    "PreCompact": ["compact"],
    "PreToolUse": ["tool_call"],
    "SessionEnd": ["session_end"],
    "SessionStart": ["session_start"],
    "Stop": ["reply"],
    "StopFailure": [],
    "SubagentStart": ["subagent_start"],
    "SubagentStop": ["subagent_stop"],
    "SubagentStop-internal-fork": [],
    "UserPromptExpansion": [],
    "UserPromptSubmit": ["prompt"],
    "UserPromptSubmit-slash": [],
    "UserPromptSubmit-task-notification": [],
}


def decoded(event: str, payload: dict[str, Any]) -> Seen:
    (seen,) = claude.decode(event, payload)
    return seen


@pytest.mark.parametrize("file", RECORDED, ids=lambda path: path.stem)
def test_every_recorded_payload_decodes(file: Path) -> None:
    payload = json.loads(file.read_text(encoding="utf-8"))
    event = file.stem.split("-", 1)[0]
    assert event == payload["hook_event_name"]
    seen = claude.decode(event, payload)
    assert [one.kind.value for one in seen] == SHOWN.get(file.stem, SHOWN[event])
    for one in seen:
        assert one.session_id == payload["session_id"]
        assert one.native_key and one.cwd == "/home/dev/project"


def test_a_shell_call_is_an_act_with_its_command(payload: Payload) -> None:
    seen = decoded("PreToolUse", payload("PreToolUse-Bash"))
    assert seen.tool == "Bash"
    assert seen.payload["act"]["kind"] == "shell"
    assert seen.payload["input"] == payload("PreToolUse-Bash")["tool_input"]
    assert seen.native_key == f"{seen.payload['call_id']}:tool_call"


def test_paths_inside_the_folder_of_work_are_relative(payload: Payload) -> None:
    inside = payload("PreToolUse-Write")
    assert decoded("PreToolUse", inside).payload["act"] == {
        "kind": "edit",
        "tool": "Write",
        "path": "d.txt",
        "text": "d\n",
    }
    inside["tool_input"]["file_path"] = "/etc/hosts"
    assert decoded("PreToolUse", inside).payload["act"]["path"] == "/etc/hosts"
    inside["tool_input"]["file_path"] = "/home/dev/project-two/d.txt"
    assert decoded("PreToolUse", inside).payload["act"]["path"] == "/home/dev/project-two/d.txt"


@pytest.mark.parametrize(
    ("tool", "tool_input", "act"),
    [
        ("Edit", {"file_path": "a.py", "old_string": "1", "new_string": "2"}, ("edit", "a.py", "2")),
        (
            "MultiEdit",
            {"file_path": "a.py", "edits": [{"old_string": "1", "new_string": "2"}, {"new_string": "3"}]},
            ("edit", "a.py", "2\n3"),
        ),
        ("NotebookEdit", {"notebook_path": "n.ipynb", "new_source": "x = 1"}, ("edit", "n.ipynb", "x = 1")),
        ("Grep", {"pattern": "TODO", "path": "src"}, ("read", "src", "TODO")),
        ("Glob", {"pattern": "**/*.py"}, ("read", "", "**/*.py")),
        ("LS", {"path": "/home/dev/project/src"}, ("read", "src", "")),
        ("Task", {"description": "d", "prompt": "look for it"}, ("other", "", "look for it")),
        ("Skill", {"skill": "retry-policy"}, ("other", "", "retry-policy")),
        ("WebFetch", {"url": "https://example.com"}, ("other", "", "https://example.com")),
        ("mcp__db__run", {"statement": "SELECT 1"}, ("other", "", '{"statement": "SELECT 1"}')),
    ],
)
def test_every_tool_is_one_of_four_kinds_of_act(
    payload: Payload, tool: str, tool_input: dict[str, Any], act: tuple[str, str, str]
) -> None:
    call = {**payload("PreToolUse-Bash"), "tool_name": tool, "tool_input": tool_input}
    found = decoded("PreToolUse", call).payload["act"]
    assert (found["kind"], found.get("path", ""), found.get("text", "")) == act
    assert found["tool"] == tool


def test_long_content_is_cut_in_the_act_and_whole_in_the_input(payload: Payload) -> None:
    call = payload("PreToolUse-Write")
    call["tool_input"]["content"] = "x" * 10_000
    seen = decoded("PreToolUse", call)
    assert len(seen.payload["act"]["text"]) == 4_000
    assert len(seen.payload["input"]["content"]) == 10_000


def test_an_edit_tells_its_lines_and_the_whole_file_after(payload: Payload) -> None:
    assert decoded("PostToolUse", payload("PostToolUse-Edit")).payload["wrote"] == {
        "path": "/home/dev/project/hello.py",
        "written": "    print('hello')",
        "after": "def hello():\n    print('hello')\n",
        "before": "def hello():\n    print('hi')\n",
    }


def test_a_new_file_is_all_the_agents(payload: Payload) -> None:
    assert decoded("PostToolUse", payload("PostToolUse-Write")).payload["wrote"] == {
        "path": "/home/dev/project/d.txt",
        "written": "d\n",
        "after": "d\n",
        "before": "",
    }


def test_an_edit_changed_by_the_person_keeps_what_the_agent_wanted(payload: Payload) -> None:
    result = payload("PostToolUse-Edit")
    result["tool_response"].update(userModified=True, newString="'hullo'")
    seen = decoded("PostToolUse", result)
    assert seen.payload["user_modified"] is True
    assert seen.payload["wrote"]["written"] == "'hello'"
    assert seen.payload["wrote"]["after"] == "def hello():\n    print('hullo')\n"


@pytest.mark.parametrize("original", [None, "x" * 1_000_001, "no such text"])
def test_without_the_original_file_there_is_no_text_after(payload: Payload, original: str | None) -> None:
    result = payload("PostToolUse-Edit")
    result["tool_response"]["originalFile"] = original
    assert "after" not in decoded("PostToolUse", result).payload["wrote"]


def test_replace_all_replaces_all(payload: Payload) -> None:
    result = payload("PostToolUse-Edit")
    result["tool_response"].update(originalFile="'hi' 'hi'", replaceAll=True)
    assert decoded("PostToolUse", result).payload["wrote"]["after"] == "'hello' 'hello'"


def test_output_is_both_streams_and_never_a_whole_file(payload: Payload) -> None:
    shell = payload("PostToolUse-Bash")
    shell["tool_response"].update(stdout="out", stderr="err")
    assert decoded("PostToolUse", shell).payload["output"] == "out\nerr"
    assert "print" not in decoded("PostToolUse", payload("PostToolUse-Edit")).payload["output"]
    assert "print" not in decoded("PostToolUse", payload("PostToolUse-Read")).payload["output"]


def test_a_rejection_carries_the_persons_words(payload: Payload) -> None:
    seen = decoded("PostToolBatch", payload("PostToolBatch-Write-rejected-with-feedback"))
    assert (seen.payload["by"], seen.payload["words"]) == ("person", "use tabs not spaces")
    assert seen.payload["act"]["path"] == "b.txt"


@pytest.mark.parametrize("name", ["Bash-permission-denied", "Write-permission-denied", "Bash-hook-denied"])
def test_rules_and_other_hooks_are_not_persons(payload: Payload, name: str) -> None:
    seen = decoded("PostToolBatch", payload(f"PostToolBatch-{name}"))
    assert (seen.payload["by"], seen.payload["words"]) == ("rule", "")


def test_our_own_hold_is_known_by_its_fence(payload: Payload) -> None:
    batch = payload("PostToolBatch-Bash-hook-denied")
    batch["tool_calls"][0]["tool_response"] = "PreToolUse:Bash hook error: <hivemind-recall>\nrule\n</hivemind-recall>"
    seen = decoded("PostToolBatch", batch)
    assert (seen.payload["by"], seen.payload["words"]) == ("hivemind", "")


def test_questions_to_clarify_are_not_a_persons_words(payload: Payload) -> None:
    batch = payload("PostToolBatch-Write-rejected-with-feedback")
    told = batch["tool_calls"][0]["tool_response"].replace(
        "use tabs not spaces", "The user wants to clarify these questions.\n  ..."
    )
    batch["tool_calls"][0]["tool_response"] = told
    assert decoded("PostToolBatch", batch).payload["words"] == ""


def test_a_note_the_host_adds_behind_the_words_is_cut(payload: Payload) -> None:
    batch = payload("PostToolBatch-Write-rejected-with-feedback")
    batch["tool_calls"][0]["tool_response"] += "\n\nNote: The user's next message may contain a correction."
    assert decoded("PostToolBatch", batch).payload["words"] == "use tabs not spaces"


def test_a_call_refused_for_its_input_is_a_call_and_a_failure(payload: Payload) -> None:
    batch = payload("PostToolBatch-Bash")
    batch["tool_calls"][0]["tool_response"] = "<tool_use_error>Blocked</tool_use_error>"
    assert [one.kind for one in claude.decode("PostToolBatch", batch)] == [
        EventKind.TOOL_CALL,
        EventKind.TOOL_FAILURE,
    ]


def test_the_classifiers_denial_is_a_rule(payload: Payload) -> None:
    denied = {**payload("PreToolUse-Bash"), "reason": "looks risky"}
    seen = decoded("PermissionDenied", denied)
    assert (seen.kind, seen.payload["by"], seen.payload["reason"]) == (EventKind.TOOL_DENIED, "rule", "looks risky")


def test_a_subagents_events_name_it(payload: Payload) -> None:
    for event in ("PreToolUse", "PostToolUse"):
        assert decoded(event, payload(f"{event}-Bash-in-subagent")).payload["agent_id"] == "aeb29c9abb26f7720"


def test_a_subagents_prompt_is_not_a_persons(payload: Payload) -> None:
    assert claude.decode("UserPromptSubmit", {**payload("UserPromptSubmit"), "agent_id": "a1"}) == []


@pytest.mark.parametrize(
    "prompt",
    [
        "/greet Bob",
        "/compact",
        "<task-notification>\n<task-id>1</task-id>",
        "<local-command-stdout>x</local-command-stdout>",
        "<command-name>/model</command-name>",
        "<bash-input>ls</bash-input>",
        "Caveat: The messages below",
        "This session is being continued from a previous conversation",
        "Stop hook feedback:\nrun the tests",
        "<teammate-message>hello</teammate-message>",
        "<ide_opened_file>a.py</ide_opened_file>",
        '{"task_id":"a1","description":"look"}',
        "[Request interrupted by user for tool use]",
        "<hivemind-recall>\nRecorded by hivemind\n</hivemind-recall>",
        "   ",
    ],
)
def test_what_no_person_typed_is_no_prompt(payload: Payload, prompt: str) -> None:
    assert claude.decode("UserPromptSubmit", {**payload("UserPromptSubmit"), "prompt": prompt}) == []


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("/home/dev/a.py is wrong", "/home/dev/a.py is wrong"),
        ("no <b>bold</b> please", "no <b>bold</b> please"),
        ("do it\n<system-reminder>note</system-reminder>", "do it"),
        ("before <hivemind-recall>ours</hivemind-recall> after", "before  after"),
        ("  nein, bitte Tabs  \n", "nein, bitte Tabs"),
        ("いいえ、タブで", "いいえ、タブで"),
    ],
)
def test_what_a_person_typed_is_a_prompt(payload: Payload, prompt: str, said: str) -> None:
    assert decoded("UserPromptSubmit", {**payload("UserPromptSubmit"), "prompt": prompt}).payload["text"] == said


def test_prompts_by_machines_are_known_by_their_source(payload: Payload) -> None:
    prompt = payload("UserPromptSubmit")
    assert claude.decode("UserPromptSubmit", {**prompt, "source": "schedule_wakeup"}) == []
    assert decoded("UserPromptSubmit", {**prompt, "source": "user"}).kind is EventKind.PROMPT


def test_two_prompts_under_one_id_have_two_keys(payload: Payload) -> None:
    first = decoded("UserPromptSubmit", payload("UserPromptSubmit"))
    second = decoded("UserPromptSubmit", {**payload("UserPromptSubmit"), "prompt": "No wait"})
    assert first.native_key != second.native_key
    assert first.native_key.endswith(":#?")


def test_another_hosts_payload_is_left_alone(payload: Payload) -> None:
    assert claude.decode("PreToolUse", {**payload("PreToolUse-Bash"), "cursor_version": "2.0"}) == []
    assert claude.decode("PreToolUse", {"hookEventName": "PreToolUse", "sessionId": "s"}) == []


@pytest.mark.parametrize(
    ("event", "broken"),
    [
        ("UserPromptSubmit", {"session_id": "s"}),
        ("UserPromptSubmit", {"session_id": "s", "prompt": 5}),
        ("UserPromptSubmit", {"prompt": "hello"}),
        ("PreToolUse", {"session_id": "s", "tool_name": "Bash", "tool_use_id": "t", "tool_input": "ls"}),
        ("PostToolBatch", {"session_id": "s"}),
    ],
)
def test_a_malformed_payload_is_a_fault_worth_seeing(event: str, broken: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        claude.decode(event, broken)


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_FIELDS = st.sampled_from(
    ["session_id", "prompt", "tool_name", "tool_input", "tool_use_id", "tool_response", "tool_calls", "agent_id", "cwd"]
)


@settings(max_examples=150, deadline=None)
@given(event=st.sampled_from(sorted(_DECODERS)), junk=st.dictionaries(_FIELDS, _JUNK, max_size=4))
def test_whatever_is_sent_ends_in_events_or_a_named_fault(event: str, junk: dict[str, Any]) -> None:
    for file in RECORDED:
        if file.stem.split("-", 1)[0] == event:
            payload = {**copy.deepcopy(json.loads(file.read_text(encoding="utf-8"))), **junk}
            break
    else:
        payload = junk
    try:
        for seen in claude.decode(event, payload):
            assert isinstance(seen.session_id, str)
    except (KeyError, TypeError, ValueError):
        pass
