"""Our answer in Copilot CLI's words: one line of JSON on the hook's stdout.

Verified on 1.0.102: a top-level `additionalContext` reaches the model at sessionStart (a message before the prompt),
userPromptSubmitted (within the prompt), subagentStart and preToolUse (a message behind the call's result, not shown to
the person, unlike postToolUse's). A denial is shown to both. It has no field for a line that only the person reads.
"""

import json

from hivemind_cli.core.records import Moment
from hivemind_cli.hosts.base import Answer

TEXT_CHARS_MAX = 9_000
"""The host takes 10 KB."""

EVENTS: dict[str, Moment | None] = {
    "sessionStart": Moment.SESSION_START,
    "userPromptSubmitted": Moment.PROMPT,
    "preToolUse": Moment.TOOL_CALL,
    "postToolUse": None,
    "postToolUseFailure": None,
    "subagentStart": Moment.SUBAGENT,
    "subagentStop": None,
    "agentStop": None,
    "sessionEnd": None,
}
ENDS: tuple[str, ...] = ("agentStop", "sessionEnd")
DENIES = frozenset({"preToolUse"})


def encode_answer(event: str, answer: Answer) -> bytes:
    """One line ending in a newline, or b"" for silence: nothing to say, no one waits, or too long to arrive whole."""
    if EVENTS.get(event) is None or not answer.text or len(answer.text.encode()) > TEXT_CHARS_MAX:
        return b""
    if answer.hold and event in DENIES:
        line = {"permissionDecision": "deny", "permissionDecisionReason": answer.text}
    else:
        line = {"additionalContext": answer.text}
    return json.dumps(line).encode("ascii") + b"\n"
