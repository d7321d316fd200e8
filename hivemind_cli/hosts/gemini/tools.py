"""Gemini CLI's tools: which is which kind of act, and how a call ended, as its hooks and its session files tell it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hivemind_cli.core import acts, fence
from hivemind_cli.hosts import calls, values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.gemini.words import unhooked
from hivemind_cli.hosts.telling import Teller

TOOLS = calls.Tools(
    shells=frozenset({"run_shell_command"}),
    edits=frozenset({"write_file", "replace", "edit", "smart_edit"}),
    reads=frozenset(
        {"read_file", "read_many_files", "list_directory", "glob", "search_file_content", "grep_search", "grep"}
    ),
)
_UNTRUSTED = re.compile(r"\A\s*<untrusted_context>\n?(.*?)\n?</untrusted_context>\s*\Z", re.DOTALL)
_EXIT = re.compile(r"^Exit Code: (-?\d+)", re.MULTILINE)
_REFUSED = re.compile(r"Reason: User (?:denied|did not allow)|User did not allow tool call")
_POLICY = re.compile(r"denied by policy|[Bb]locked by (?:hook|policy)|Tool execution blocked")
_STOPPED = re.compile(
    r"User cancelled tool execution|\] Operation cancelled|Operation cancelled by user|Command was cancelled by user"
)
"""The call was running when the person pressed Esc."""
_NOTE_CHARS = 200
"""Where such a note stands, if the host gives it as what the call gave back."""


@dataclass(frozen=True, slots=True)
class End:
    """How a call ended."""

    tool: str
    given: Mapping[str, Any]
    text: str
    """What it gave back."""
    error: str = ""
    """Why it failed; "" if it did not."""
    display: object = None
    """What the person was shown: of an edit, the file as it stands now."""


def act_of(tool: str, given: Mapping[str, Any], cwd: str) -> acts.Act:
    """The call as an Act."""
    return TOOLS.act(tool, given, cwd)


def ended(tell: Teller, call_id: str, end: End, at: datetime | None = None) -> Seen:
    """A result, a failure, or a refusal by a rule, a hook of ours or a person."""
    if was_running(end.error or end.text[:_NOTE_CHARS]):
        return tell.failure(call_id, end.error or end.text, at, interrupted=True)
    if end.error and _REFUSED.search(end.error):
        return tell.denied(call_id, "person", "", at)
    if end.error and fence.OPEN in end.error:
        return tell.denied(call_id, "hivemind", "", at)
    if end.error and _POLICY.search(end.error):
        return tell.denied(call_id, "rule", "", at, reason=values.short(end.error))
    exits = _EXIT.findall(end.text) if TOOLS.kind(end.tool) == acts.SHELL else []
    if end.error or (exits and int(exits[-1]) != 0):
        return tell.failure(call_id, end.error or end.text, at)
    left = _wrote(end, tell.cwd)
    return tell.result(call_id, end.text, at, wrote=left, user_modified=_modified(end.display))


def was_running(error: str) -> bool:
    """Was the call stopped in the middle, by Esc? Else a cancelled one never ran."""
    return _STOPPED.search(error) is not None


def output_text(output: str) -> str:
    """A tool's output without what the host, and hooks, put around it."""
    said = unhooked(output)
    inside = _UNTRUSTED.match(said)
    return inside.group(1) if inside else said


def _wrote(end: End, cwd: str) -> dict[str, str] | None:
    wrote = TOOLS.wrote(end.tool, dict(end.given), cwd)
    after = values.text(values.mapping(end.display).get("newContent"))
    if wrote and after and len(after) <= calls.FILE_CHARS_MAX:
        wrote["after"] = after
    return wrote


def _modified(display: object) -> bool | None:
    """Did the person change the edit before allowing it? None: no."""
    changed = values.mapping(values.mapping(display).get("diffStat"))
    lines = (changed.get("user_added_lines"), changed.get("user_removed_lines"))
    return True if any(isinstance(count, int) and count > 0 for count in lines) else None
