"""Decoding what Cursor documents that it sends, and the keys that its chat store gives the same things."""

import json
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core import fence
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import cursor
from hivemind_cli.hosts.base import Host
from tests.hosts.hooked import event_of, names, payload, shown, told
from tests.hosts.test_cursor_transcript import store

HOST: Host = cursor
SHOWN = {
    "afterAgentResponse": ["reply"],
    "afterShellExecution": [],
    "beforeSubmitPrompt": ["prompt"],
    "postToolUse-Shell": ["tool_result"],
    "postToolUse-Shell-failed": ["tool_failure"],
    "postToolUse-Write": ["tool_result"],
    "postToolUseFailure-by-rule": ["tool_denied"],
    "postToolUseFailure-denied": ["tool_denied"],
    "postToolUseFailure-error": ["tool_failure"],
    "preCompact": ["compact"],
    "preToolUse-Read": ["tool_call"],
    "preToolUse-Shell": ["tool_call"],
    "sessionEnd": ["session_end"],
    "sessionStart": ["session_start"],
    "stop-aborted": ["interrupt"],
    "stop-completed": [],
    "subagentStart": ["subagent_start"],
    "subagentStop": ["subagent_stop"],
}


def test_every_payload_shows_what_it_should() -> None:
    found = {name: [one.kind.value for one in HOST.decode(event_of(name), payload("cursor", name))] for name in SHOWN}
    assert found == SHOWN and names("cursor") == sorted(SHOWN)


def test_a_call_is_an_act_in_the_opened_folder_and_is_never_held() -> None:
    seen = shown(HOST, "preToolUse-Shell")
    assert seen.payload["act"] == {"kind": "shell", "tool": "Shell", "command": "npm run build"}
    assert (seen.cwd, seen.payload["asks"]) == ("/home/ada/shop", True)
    read = shown(HOST, "preToolUse-Read")
    assert "asks" not in read.payload and read.payload["act"]["path"] == "cart.py"
    assert not HOST.DENIES


def test_an_edit_tells_the_lines_it_wrote() -> None:
    wrote = shown(HOST, "postToolUse-Write").payload["wrote"]
    assert wrote == {"path": "/home/ada/shop/price.py", "written": "CENTS = 100", "after": "CENTS = 100\n"}


def test_a_denial_is_the_persons_unless_its_message_names_a_rule_or_us() -> None:
    assert shown(HOST, "postToolUseFailure-denied").payload["by"] == "person"
    assert shown(HOST, "postToolUseFailure-by-rule").payload["by"] == "rule"
    ours = shown(HOST, "postToolUseFailure-denied", error_message=f"{fence.OPEN}use pnpm{fence.CLOSE}")
    assert ours.payload["by"] == "hivemind"


def test_our_own_text_and_the_hosts_are_no_prompt() -> None:
    for text in (f"{fence.OPEN}use pnpm{fence.CLOSE}", "/compact", ""):
        assert HOST.decode("beforeSubmitPrompt", {**payload("cursor", "beforeSubmitPrompt"), "prompt": text}) == []


@pytest.mark.parametrize("name", sorted(name for name, kinds in SHOWN.items() if kinds and name != "sessionStart"))
def test_a_payload_without_its_session_is_a_fault(name: str) -> None:
    fields = payload("cursor", name)
    del fields["conversation_id"]
    fields.pop("session_id", None)
    with pytest.raises(KeyError):
        HOST.decode(event_of(name), fields)


def test_malformed_calls_are_faults() -> None:
    for fields in ({"tool_input": "ls"}, {"tool_name": None}, {"tool_use_id": 7}):
        with pytest.raises(TypeError):
            HOST.decode("preToolUse", {**payload("cursor", "preToolUse-Shell"), **fields})


def test_importing_the_chat_that_hooks_told_of_adds_nothing(tmp_path: Path) -> None:
    def call(tool: str, call_id: str, **args: Any) -> dict[str, Any]:
        return {"type": "tool-call", "toolName": tool, "toolCallId": call_id, "args": args}

    def result(call_id: str, text: str) -> dict[str, Any]:
        return {"role": "tool", "content": [{"type": "tool-result", "toolCallId": call_id, "result": text}]}

    said = [{"type": "text", "text": "<user_query>\nprices are kept in cents\n</user_query>"}]
    again = {"role": "user", "content": said}
    chat = store(
        tmp_path,
        [
            again,
            {"role": "assistant", "content": [call("Shell", "c1", command="pnpm build")]},
            result("c1", "built"),
            {"role": "assistant", "content": [{"type": "text", "text": "Done."}]},
            {**again, "id": "2"},
            {"role": "assistant", "content": [call("Shell", "c2", command="npm publish")]},
            result("c2", "User rejected the call"),
            {"role": "assistant", "content": [{"type": "text", "text": "Done."}], "id": "2"},
        ],
    )
    base = payload("cursor", "preToolUse-Shell")
    prompt = ("beforeSubmitPrompt", {**base, "prompt": "prices are kept in cents"})
    shell: dict[str, Any] = {**base, "tool_use_id": "c1", "tool_input": {"command": "pnpm build"}}
    other: dict[str, Any] = {**base, "tool_use_id": "c2", "tool_input": {"command": "npm publish"}}
    hooks = told(
        HOST,
        [
            ("sessionStart", base),
            prompt,
            ("preToolUse", shell),
            ("postToolUse", {**shell, "tool_output": json.dumps({"output": "built", "exitCode": 0})}),
            ("afterAgentResponse", {**base, "text": "Done."}),
            prompt,
            ("preToolUse", other),
            ("postToolUseFailure", {**other, "failure_type": "permission_denied", "error_message": "no"}),
            ("afterAgentResponse", {**base, "text": "Done.\n"}),
        ],
    )
    imported = {one.native_key: one.kind for one in HOST.read_transcript(chat)}
    assert {key: one.kind for key, one in hooks.items()} == imported
    assert list(imported.values()).count(EventKind.REPLY) == 2
