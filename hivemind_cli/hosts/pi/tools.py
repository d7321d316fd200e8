"""pi's tools, and whose words stand where a person's or a tool's would: for its extension and its session files."""

import re
from typing import Any

from hivemind_cli.core import fence
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import calls, values

TOOLS = calls.Tools(
    shells=frozenset({"bash"}), edits=frozenset({"write", "edit"}), reads=frozenset({"read", "grep", "find", "ls"})
)
_SKILL = re.compile(r"\A\s*<skill\b.*?</skill>\s*", re.DOTALL)
_STOPPED = re.compile(r"(?:Operation|Command|Request) (?:was )?aborted\.?\s*\Z")
_REFUSED = re.compile(r"\A(?:Blocked|Denied|Rejected|Cancelled) by (?:the )?user\b[.:]?\s*(.*)\Z", re.DOTALL)
_BLOCKED = "Tool execution was blocked"


def persons_words(text: str) -> str:
    """What a person typed, or "" if this text is a skill's or ours."""
    return fence.unfenced(_SKILL.sub("", text).strip()).strip()


def output_text(content: object) -> str:
    """What a tool gave back, without what we said behind it."""
    return fence.unfenced(calls.blocks_text(content))


def ended_badly(content: object) -> tuple[EventKind, dict[str, Any]]:
    """What an error result says: that the call was denied, and by whom, or that it failed; and the event's fields."""
    text = calls.blocks_text(content)
    if text.lstrip().startswith(fence.OPEN):
        return EventKind.TOOL_DENIED, {"by": "hivemind", "words": ""}
    text = fence.unfenced(text)
    if refused := _REFUSED.match(text.strip()):
        return EventKind.TOOL_DENIED, {"by": "person", "words": refused.group(1).strip()}
    if text.startswith(_BLOCKED):
        return EventKind.TOOL_DENIED, {"by": "rule", "words": "", "reason": values.short(text)}
    stopped = {"interrupted": True} if _STOPPED.search(text) else {}
    return EventKind.TOOL_FAILURE, {"error": text, **stopped}
