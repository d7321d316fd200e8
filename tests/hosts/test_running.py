"""Who really runs a hook: payloads of Claude Code's hooks run by others, and environments that were inherited."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.hosts.running import running

Payload = Callable[[str], dict[str, Any]]
RECORDED = sorted((Path(__file__).parent / "payloads" / "claude").glob("*.json"))
ALL_MARKS = "devin copilot gemini claude:another-session"

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
