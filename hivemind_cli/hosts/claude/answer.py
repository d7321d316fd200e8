"""Our answer in Claude Code's words: one line of JSON on the hook's stdout.

Verified on 2.1.329: a `hookEventName` that is not the event's own drops the text in silence; plain or broken
text at a prompt reaches the model as it is, so nothing but whole JSON may ever be printed.
"""

import json
from typing import Any

from hivemind_cli.core.records import Moment
from hivemind_cli.hosts.base import Answer

TEXT_CHARS_MAX = 9_000
"""The host moves strings over 10,000 characters into a file which the model does not read."""

EVENTS: dict[str, Moment | None] = {
    "SessionStart": Moment.SESSION_START,
    "UserPromptSubmit": Moment.PROMPT,
    "UserPromptExpansion": None,
    "PreToolUse": Moment.TOOL_CALL,
    "PostToolUse": None,
    "PostToolUseFailure": None,
    "PostToolBatch": None,
    "PermissionDenied": None,
    "Stop": None,
    "StopFailure": None,
    "SubagentStart": Moment.SUBAGENT,
    "SubagentStop": None,
    "PreCompact": None,
    "SessionEnd": None,
}
ENDS: tuple[str, ...] = ("Stop", "SessionEnd", "StopFailure")
DENIES = frozenset({"PreToolUse"})


def encode_answer(event: str, answer: Answer) -> bytes:
    """One line ending in a newline, or b"" for silence: nothing to say, no one waits, or too long to arrive whole."""
    if EVENTS.get(event) is None or max(len(answer.text), len(answer.notice)) > TEXT_CHARS_MAX:
        return b""
    said: dict[str, Any] = {}
    if answer.hold and event in DENIES:
        said = {"permissionDecision": "deny", "permissionDecisionReason": answer.text}
    elif answer.text:
        said = {"additionalContext": answer.text}
    line: dict[str, Any] = {"systemMessage": answer.notice} if answer.notice else {}
    if said:
        line["hookSpecificOutput"] = {"hookEventName": event, **said}
    return json.dumps(line).encode("ascii") + b"\n" if line else b""
