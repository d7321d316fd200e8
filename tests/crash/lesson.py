"""A session in which a person puts the agent right, and the skill that comes of it."""

import time
from pathlib import Path
from typing import Any

from tests.crash.wired import Wired

ASKED = "add a chart to the report page"
RULE = "always use the drawing module of this repo"
EVENTS = (
    "SessionStart",
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "Stop",
    "UserPromptSubmit",
    "Stop",
    "SessionEnd",
)


def payload(tree: Path, session: str, **fields: Any) -> dict[str, Any]:
    """What every payload holds, and `fields`."""
    return {"session_id": session, "cwd": str(tree), **fields}


def lesson(tree: Path, session: str) -> list[tuple[str, dict[str, Any]]]:
    """The session's payloads, in the order of EVENTS."""
    call = {"tool_name": "Bash", "tool_input": {"command": "plotter new chart"}, "tool_use_id": f"t-{session}"}
    response = {"stdout": "", "stderr": "", "interrupted": False}
    fields: tuple[dict[str, Any], ...] = (
        {"source": "startup"},
        {"prompt": ASKED, "prompt_id": "p1"},
        call,
        {**call, "tool_response": response},
        {"prompt_id": "p1", "last_assistant_message": "The chart is there."},
        {"prompt": f"no, don't use plotter, {RULE}", "prompt_id": "p2"},
        {"prompt_id": "p2", "last_assistant_message": "Understood."},
        {"reason": "prompt_input_exit"},
    )
    return [
        (event, payload(tree, session, hook_event_name=event, **one)) for event, one in zip(EVENTS, fields, strict=True)
    ]


def correct(wired: Wired, tree: Path, session: str = "") -> None:
    """Play it through the hooks."""
    for event, told in lesson(tree, session or f"session in {tree.name}"):
        wired.hook(event, told, cwd=tree).answer  # noqa: B018  it checks exit code, stdout and stderr


def published(tree: Path, within_s: float = 40.0) -> Path:
    """The skill that came of it."""
    deadline = time.monotonic() + within_s
    while not (found := list(tree.glob(".claude/skills/*/SKILL.md"))):
        assert time.monotonic() < deadline, "no skill was written"
        time.sleep(0.05)
    (skill,) = found
    return skill
