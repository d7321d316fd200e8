"""Who really runs a hook: payloads of Claude Code's hooks run by others, and environments that were inherited."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.hosts import HOSTS
from hivemind_cli.hosts.running import Deciding, Running, running

Payload = Callable[[str], dict[str, Any]]
RECORDED = sorted((Path(__file__).parent / "payloads" / "claude").glob("*.json"))
ALL_MARKS = "devin copilot claude:another-session"

CURSOR = {"conversation_id": "c1", "hook_event_name": "stop", "cursor_version": "3.9.16", "status": "completed"}
VSCODE = {"timestamp": "2026-11-20T10:00:00Z", "sessionId": "v1", "hookEventName": "Stop", "cwd": "/home/u/proj"}
COPILOT = {"sessionId": "p1", "timestamp": 1763632800000, "cwd": "/home/u/proj", "prompt": "use pnpm"}
COPILOT_SNAKE = {"session_id": "p1", "timestamp": "2026-11-20T10:00:00Z", "hook_event_name": "UserPromptSubmit"}
CODEX = {"session_id": "x1", "turn_id": "t1", "model": "gpt-5.4", "hook_event_name": "Stop"}
DEVIN = {"session_id": "d1", "hook_event_name": "Stop", "cwd": "/home/u/proj"}


@pytest.mark.parametrize("mark", ["", ALL_MARKS])
@pytest.mark.parametrize("file", RECORDED, ids=lambda path: path.stem)
def test_all_that_claude_code_sends_is_its_own_whatever_it_inherited(file: Path, mark: str) -> None:
    assert running("claude", json.loads(file.read_text(encoding="utf-8")), mark) == "claude"


@pytest.mark.parametrize(
    ("payload", "mark", "host"),
    [
        (CURSOR, "", "cursor"),
        (CURSOR, ALL_MARKS, "cursor"),
        (VSCODE, "", "vscode"),
        (VSCODE, "copilot claude:", "vscode"),
        (COPILOT, "", "copilot"),
        (COPILOT_SNAKE, "copilot claude:", "copilot"),
        (COPILOT_SNAKE, "copilot claude:the-one-that-started-it", "copilot"),
        (CODEX, ALL_MARKS, "codex"),
        ({**DEVIN, "extra": {}}, "", "hermes"),
        (DEVIN, "devin claude:", "devin"),
        (DEVIN, "devin claude:the-one-that-started-it", "devin"),
        (DEVIN, "devin claude:d1", "claude"),
        (DEVIN, "", "claude"),
    ],
)
def test_the_payload_tells_first_then_the_environment(payload: dict[str, Any], mark: str, host: str) -> None:
    assert running("claude", payload, mark) == host


def test_hooks_that_nobody_else_runs_are_their_hosts_own() -> None:
    for registered in ("cursor", "codex", "gemini", "hermes", "pi", "windsurf"):
        assert running(registered, {**VSCODE, **CURSOR}, ALL_MARKS) == registered


def test_hooks_of_copilot_run_by_vs_code_are_told_apart() -> None:
    assert running("copilot", VSCODE) == "vscode"
    assert running("copilot", COPILOT) == "copilot"


def decided(tmp_path: Path, *args: Any, wired: tuple[str, ...] = (), **more: Any) -> Running | None:
    for name in wired:
        (tmp_path / f"{name}.json").touch()
    return Deciding(HOSTS, tmp_path).running(*args, **more)


def test_copilots_fields_and_tools_are_given_as_its_own_hooks_give_them(tmp_path: Path) -> None:
    call = {**COPILOT_SNAKE, "cwd": "/home/u/proj", "tool_name": "Bash", "tool_input": {"command": "npm test"}}
    run = decided(tmp_path, "claude", "PreToolUse", call, mark="copilot claude:")
    assert run is not None and (run.host.NAME, run.event) == ("copilot", "preToolUse")
    (seen,) = run.host.decode(run.event, run.payload)
    assert (seen.session_id, seen.payload["act"]["command"]) == ("p1", "npm test")
    for result in ("ok", {"result_type": "success", "text_result_for_llm": "ok"}):
        run = decided(tmp_path, "claude", "PostToolUse", {**call, "tool_result": result}, mark="copilot claude:")
        assert run is not None
        (seen,) = run.host.decode(run.event, run.payload)
        assert seen.payload["output"] == "ok"


@pytest.mark.parametrize(
    ("wired", "registered", "counts"),
    [
        ((), "claude", True),
        (("claude",), "claude", True),
        (("vscode",), "claude", True),
        (("claude", "vscode", "copilot"), "claude", True),
        (("claude", "vscode", "copilot"), "copilot", False),
        (("vscode", "copilot"), "copilot", False),
        (("claude", "copilot"), "copilot", False),
        (("copilot",), "copilot", True),
    ],
)
def test_of_all_the_hooks_that_vs_code_runs_one_counts(
    tmp_path: Path, wired: tuple[str, ...], registered: str, counts: bool
) -> None:
    run = decided(tmp_path, registered, "Stop", VSCODE, wired=wired)
    assert (run is not None) is counts
    assert run is None or (run.host.NAME, run.event) == ("vscode", "Stop")


def test_a_host_of_its_own_folder_is_found_in_the_folder_that_was_opened(tmp_path: Path) -> None:
    told = {**CURSOR, "workspace_roots": ["/home/u/proj", "/home/u/other"]}
    for registered, event in (("claude", "Stop"), ("cursor", "stop")):
        run = decided(tmp_path, registered, event, told, cwd="/home/u/.cursor")
        assert run is not None and (run.cwd, run.event, run.payload["cwd"]) == ("/home/u/proj", "stop", "/home/u/proj")
    run = decided(tmp_path, "windsurf", "pre_user_prompt", {"tool_info": {}}, cwd="/home/u/proj")
    assert run is not None and run.payload["cwd"] == "/home/u/proj"


def test_a_host_that_nobody_knows_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        decided(tmp_path, "zed", "Stop", {})
