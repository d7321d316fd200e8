"""Our answer in Codex's words: one line of JSON on the hook's stdout, and not one member more than its schema has.

Verified on 0.169.0: an unknown member, another event's name or a bare permission makes the hook fail, and what it said
is dropped. What reaches the model is a message with the bare text.
"""

import json
from typing import Any

from hivemind_cli.core.records import Moment
from hivemind_cli.hosts.base import Answer

TEXT_CHARS_MAX = 9_000
TEXT_BYTES_MAX = 10_000
"""Of a longer text (2,500 tokens, by the host's count) the model gets head and tail, and the rest in a file."""

EVENTS: dict[str, Moment | None] = {
    "SessionStart": Moment.SESSION_START,
    "UserPromptSubmit": Moment.PROMPT,
    "PreToolUse": Moment.TOOL_CALL,
    "PostToolUse": None,
    "PostCompact": None,
    "SubagentStart": Moment.SUBAGENT,
    "SubagentStop": None,
    "Stop": None,
    "Interrupt": None,
    "SessionEnd": None,
}
ENDS: tuple[str, ...] = ("Stop", "SubagentStop", "Interrupt", "SessionEnd")
DENIES = frozenset({"PreToolUse"})


def encode_answer(event: str, answer: Answer) -> bytes:
    """One line ending in a newline, or b"" for silence: nothing to say, no one waits, or too long to arrive whole."""
    if EVENTS.get(event) is None or not (_fits(answer.text) and _fits(answer.notice)):
        return b""
    said: dict[str, Any] = {}
    if answer.hold and answer.text and event in DENIES:
        said = {"permissionDecision": "deny", "permissionDecisionReason": answer.text}
    elif answer.text:
        said = {"additionalContext": answer.text}
    line: dict[str, Any] = {"systemMessage": answer.notice} if answer.notice else {}
    if said:
        line["hookSpecificOutput"] = {"hookEventName": event, **said}
    return json.dumps(line).encode("ascii") + b"\n" if line else b""


def _fits(text: str) -> bool:
    """Half a character (a lone surrogate) is no text to the host: it would drop the whole answer."""
    try:
        return len(text) <= TEXT_CHARS_MAX and len(text.encode()) <= TEXT_BYTES_MAX
    except UnicodeEncodeError:
        return False
