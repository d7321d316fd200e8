"""VS Code's agent: it runs Claude Code's entries, and is told from it by what it sends."""

import json
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.records import EventKind, Moment
from hivemind_cli.hosts import claude, vscode
from hivemind_cli.hosts.base import Answer, Host, Seen
from hivemind_cli.hosts.command import hook_command

HOST: Host = vscode
COMMAND = hook_command(Path("/usr/bin/python3.11"), Path("/home/dev/.hivemind/bin/hivemind_hook.py"), "claude")


def sent(event: str, **fields: Any) -> dict[str, Any]:
    return {
        "timestamp": "2026-11-02T09:15:00.000Z",
        "cwd": "/home/ada/shop",
        "sessionId": "5f0c1d9e",
        "hookEventName": event,
        "transcript_path": "/home/ada/.config/Code/chat.json",
        **fields,
    }


def shown(event: str, **fields: Any) -> Seen:
    (seen,) = HOST.decode(event, sent(event, **fields))
    return seen


EDIT = {"filePath": "/home/ada/shop/price.py", "oldString": "EUROS = 1\n", "newString": "CENTS = 100\n"}


@pytest.mark.parametrize(
    ("event", "fields", "kind"),
    [
        ("SessionStart", {"source": "new"}, EventKind.SESSION_START),
        ("UserPromptSubmit", {"prompt": "prices are kept in cents"}, EventKind.PROMPT),
        ("SubagentStart", {"agent_id": "a1", "agent_type": "Plan"}, EventKind.SUBAGENT_START),
        ("SubagentStop", {"agent_id": "a1", "agent_type": "Plan"}, EventKind.SUBAGENT_STOP),
        ("PreCompact", {"trigger": "auto"}, EventKind.COMPACT),
    ],
)
def test_each_event_shows_one_thing(event: str, fields: dict[str, Any], kind: EventKind) -> None:
    seen = shown(event, **fields)
    assert (seen.kind, seen.session_id, seen.cwd) == (kind, "5f0c1d9e", "/home/ada/shop")


def test_its_own_tools_are_acts() -> None:
    command = {"command": "npm install", "explanation": "install", "isBackground": False}
    call = shown("PreToolUse", tool_name="run_in_terminal", tool_input=command, tool_use_id="c1")
    assert call.payload["act"] == {"kind": "shell", "tool": "run_in_terminal", "command": "npm install"}
    assert call.payload["asks"] is True
    read = shown("PreToolUse", tool_name="read_file", tool_input={"filePath": "/home/ada/shop/a.py"}, tool_use_id="c2")
    assert read.payload["act"]["path"] == "a.py" and "asks" not in read.payload
    edit = {"tool_name": "replace_string_in_file", "tool_input": EDIT, "tool_use_id": "c3", "tool_response": "ok"}
    wrote = shown("PostToolUse", **edit).payload["wrote"]
    assert wrote == {"path": EDIT["filePath"], "written": "CENTS = 100"}
    several = {"replacements": [EDIT, {**EDIT, "newString": "TAX = 19\n"}]}
    edit = {"tool_name": "multi_replace_string_in_file", "tool_input": several, "tool_use_id": "c4"}
    assert shown("PostToolUse", **edit, tool_response="").payload["wrote"]["written"] == "CENTS = 100\nTAX = 19"


def test_common_fields_may_come_in_snake_case() -> None:
    fields = {"session_id": "s1", "cwd": "/x", "hook_event_name": "UserPromptSubmit", "prompt": "in cents"}
    (seen,) = HOST.decode("UserPromptSubmit", fields)
    assert seen.session_id == "s1"


def test_malformed_payloads_are_faults() -> None:
    for fields in ({}, {"tool_name": "x", "tool_input": "y"}, {"tool_name": 7, "tool_input": {}}):
        with pytest.raises((KeyError, TypeError)):
            HOST.decode("PreToolUse", sent("PreToolUse", **fields))


def test_its_entries_are_claude_codes(own_home: Path) -> None:
    assert HOST.HOOK_NAME == claude.NAME and set(HOST.EVENTS) <= set(claude.EVENTS)
    (ours,), (theirs,) = HOST.plan_install(own_home, COMMAND), claude.plan_install(own_home, COMMAND)
    assert ours.path == theirs.path and ours.after == theirs.after


def test_a_setting_that_is_off_is_said(own_home: Path) -> None:
    for text, said in (('{"chat.useClaudeHooks": false, // no\n}', 1), ('{"chat.useClaudeHooks": true}', 0), ("{", 0)):
        path = own_home / vscode._DATA / "Code" / "User" / "settings.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        assert len(HOST.notices(own_home)) == said
    assert HOST.installed(own_home) is True


def test_it_is_answered_as_claude_code_is() -> None:
    line = json.loads(HOST.encode_answer("UserPromptSubmit", Answer(Moment.PROMPT, "use pnpm")))
    assert line["hookSpecificOutput"] == {"hookEventName": "UserPromptSubmit", "additionalContext": "use pnpm"}
    assert not HOST.DENIES
