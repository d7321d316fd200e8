"""Our answer in Gemini CLI's words: one line of JSON on the hook's stdout.

Verified on 0.61.0: text given at SessionStart, BeforeAgent and AfterTool reaches the model within `<hook_context>`,
with `<` and `>` written as entities; nothing given at BeforeTool does but the reason of a denial.
"""

import json
from typing import Any

from hivemind_cli.core.records import Moment
from hivemind_cli.hosts.base import Answer

TEXT_CHARS_MAX = 9_000
"""The host knows no limit; what the other hosts take is enough."""

EVENTS: dict[str, Moment | None] = {
    "SessionStart": Moment.SESSION_START,
    "BeforeAgent": Moment.PROMPT,
    "BeforeTool": None,
    "AfterTool": Moment.TOOL_CALL,
    "AfterAgent": None,
    "SessionEnd": None,
}
ENDS: tuple[str, ...] = ("AfterAgent", "SessionEnd")
DENIES = frozenset({"BeforeTool"})


def encode_answer(event: str, answer: Answer) -> bytes:
    """One line ending in a newline, or b"" for silence: nothing to say, no way to say it here, or too long."""
    if event not in EVENTS or max(len(answer.text), len(answer.notice)) > TEXT_CHARS_MAX:
        return b""
    line: dict[str, Any] = {"systemMessage": answer.notice} if answer.notice else {}
    if answer.hold and event in DENIES:
        line |= {"decision": "deny", "reason": answer.text}
    elif answer.text and EVENTS[event] is not None:
        line["hookSpecificOutput"] = {"hookEventName": event, "additionalContext": answer.text}
    return json.dumps(line).encode("ascii") + b"\n" if line else b""
