"""Copilot CLI's tools: which is which kind of act, and how a call ended, as its hooks and its session files tell it."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hivemind_cli.core import acts, fence
from hivemind_cli.hosts import calls, patch, values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.telling import Teller

TOOLS = calls.Tools(
    shells=frozenset({"bash", "powershell", "shell", "local_shell"}),
    edits=frozenset({"create", "edit", "str_replace", "insert", "str_replace_editor", "apply_patch", "write"}),
    reads=frozenset({"view", "show_file", "grep", "glob", "rg", "read_bash", "read_file"}),
)
_SHELL_EXIT = re.compile(r"<(?:shellId: \S+ completed|exited|command exited) with (?:exit )?code (-?\d+)>")
REFUSALS = {"rejected": "person", "denied": "rule"}
"""The host's word for why a call did not run -> who did not let it."""
_FEEDBACK = re.compile(r"[Uu]ser(?:'s)? feedback: ?\"?(.*?)\"?\s*\Z", re.DOTALL)


def given_to(arguments: object) -> dict[str, Any]:
    """A call's input: an object, such an object as text, or a text of its own."""
    return calls.parsed(arguments) or ({"input": arguments} if isinstance(arguments, str) else {})


def act_of(tool: str, given: Mapping[str, Any], cwd: str) -> acts.Act:
    """The call as an Act."""
    script = values.string(given, "input", "patch")
    return patch.act_of(tool, script, cwd) if patch.BEGIN in script else TOOLS.act(tool, given, cwd)


def wrote(tool: str, given: Mapping[str, Any], cwd: str) -> dict[str, str] | None:
    """What an edit left in its file, or None for other tools."""
    script = values.string(given, "input", "patch")
    if patch.BEGIN in script:
        left = patch.wrote(script, cwd)
        return dict(left) if left else None
    return TOOLS.wrote(tool, given, cwd)


def exited(text: str, act: acts.Act, code: object = None) -> bool:
    """Did a command end with an error? `code`: as the host says; None if it does not."""
    if isinstance(code, int):
        return code != 0
    exits = _SHELL_EXIT.findall(text) if act.kind == acts.SHELL else []
    return bool(exits) and int(exits[-1]) != 0


def failed(
    tell: Teller, call_id: str, text: str, at: datetime | None, *, code: str, refusal: Mapping[str, str]
) -> Seen:
    """A failure, or a refusal by a hook of ours, a rule or a person.

    code      the host's word for it
    refusal   who refused (`by`), and in what words, where the host told before the call's end
    """
    if fence.OPEN in text:
        return tell.denied(call_id, "hivemind", "", at)
    by = refusal.get("by") or REFUSALS.get(code, "")
    if not by:
        return tell.failure(call_id, text, at)
    if by == "rule":
        return tell.denied(call_id, by, "", at, reason=values.short(text))
    told = _FEEDBACK.search(text)
    return tell.denied(call_id, by, refusal.get("words") or (told.group(1).strip() if told else ""), at)
