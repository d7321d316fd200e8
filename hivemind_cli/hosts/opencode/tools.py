"""OpenCode's tools, and what may stand where a person's words or an output would: for its plugin and its database."""

import re
from typing import Any

from hivemind_cli.core import fence
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import calls, values
from hivemind_cli.hosts.claude.words import persons_words

TOOLS = calls.Tools(
    shells=frozenset({"bash", "shell"}),
    edits=frozenset({"edit", "write", "multiedit", "patch", "apply_patch"}),
    reads=frozenset({"read", "grep", "glob", "list", "ls", "codesearch"}),
)
_ABORTED = "Tool execution aborted"
_REJECTED = re.compile(
    r"The user (?:rejected permission to use this specific tool call|declined this operation)"
    r"(?:\.|(?: with the following feedback)?: (?P<words>.*))",
    re.DOTALL,
)
_DISMISSED = "The user dismissed this question"
_RULE = (
    "The user has specified a rule which prevents",
    "Permission denied by ruleset",
    "Permission for this operation",
)


def typed(text: str) -> str:
    """What a person typed, or "" if this text is the host's or ours."""
    return persons_words(_unquoted(text))


def output_text(output: object) -> str:
    """What a tool gave back, without what we said behind it."""
    return fence.unfenced(calls.blocks_text(output))


def failed(output: str, exit_code: object) -> str:
    """The error of a command that ended with this exit code; "" if it ended well, or was no command."""
    code = exit_code if isinstance(exit_code, int) and not isinstance(exit_code, bool) else 0
    return f"Exit code {code}\n{output}".strip() if code else ""


def ended_badly(error: str, *, interrupted: bool = False) -> tuple[EventKind, dict[str, Any]]:
    """What an error says: that the call was denied, and by whom, or that it failed; and the event's fields."""
    if fence.OPEN in error[:200]:
        return EventKind.TOOL_DENIED, {"by": "hivemind", "words": ""}
    if error.startswith(_RULE):
        return EventKind.TOOL_DENIED, {"by": "rule", "words": "", "reason": values.short(error)}
    if rejected := _REJECTED.match(error):
        return EventKind.TOOL_DENIED, {"by": "person", "words": (rejected["words"] or "").strip()}
    if error.startswith(_DISMISSED):
        return EventKind.TOOL_DENIED, {"by": "person", "words": ""}
    stopped = {"interrupted": True} if interrupted or error.startswith(_ABORTED) else {}
    return EventKind.TOOL_FAILURE, {"error": error, **stopped}


def _unquoted(text: str) -> str:
    """`opencode run "two words"` puts its argument in quotes again."""
    inner = text[1:-1]
    return inner if text[:1] == text[-1:] == '"' and " " in inner and '"' not in inner else text
