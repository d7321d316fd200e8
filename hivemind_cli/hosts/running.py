"""Which host really runs a hook: several run the hooks that were registered for Claude Code, or for Copilot.

Such a session is stored once and answered once: nothing comes of the foreign hook where the running host has hooks
of its own, else it counts as that host's, in its shapes and words. The payload tells first, then the marks that the
hook found in its environment; these are inherited by whatever an agent starts, and so never decide alone where the
payload can. Source: hosts' documentation of 2026, and the environments that Claude Code and Copilot were seen to set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hivemind_cli.hosts import devin
from hivemind_cli.hosts.base import Host
from hivemind_cli.hosts.values import mapping, string

RUN_BY_OTHERS = ("claude", "copilot")
"""Hosts whose hook files others read, too; the first that is installed is the one that counts."""
GUESTS: dict[str, Host] = {"devin": devin}
"""Hosts that are seen only while they run the hooks of others."""
_OWN_SESSION = "claude:"
"""In the marks: the session that Claude Code named in the hook's environment."""
_STARTED_ELSEWHERE = ("cursor", "openclaw")
"""Hosts that start hooks in a folder of their own; the project's stands in the payload."""
_FOLDERLESS = ("cursor", "windsurf", "devin")
"""Hosts whose payloads do not all name a folder."""
_CURSOR = {
    "SessionStart": "sessionStart",
    "UserPromptSubmit": "beforeSubmitPrompt",
    "PreToolUse": "preToolUse",
    "PostToolUse": "postToolUse",
    "PostToolUseFailure": "postToolUseFailure",
    "SubagentStart": "subagentStart",
    "SubagentStop": "subagentStop",
    "PreCompact": "preCompact",
    "Stop": "stop",
    "SessionEnd": "sessionEnd",
}
_COPILOT = {**_CURSOR, "UserPromptSubmit": "userPromptSubmitted", "Stop": "agentStop"}
_EVENTS: dict[str, Mapping[str, str]] = {"cursor": _CURSOR, "copilot": _COPILOT}
"""Claude Code's events as others call them; hosts that are not here use Claude Code's own names."""
_COPILOT_FIELDS = {
    "session_id": "sessionId",
    "tool_name": "toolName",
    "tool_input": "toolArgs",
    "tool_response": "toolResult",
    "tool_result": "toolResult",
    "transcript_path": "transcriptPath",
    "stop_reason": "stopReason",
    "result_type": "resultType",
    "text_result_for_llm": "textResultForLlm",
}
"""What it calls its fields under Claude Code's names of its events, and under its own."""
_COPILOT_TOOLS = {"Bash": "bash", "Read": "view", "Write": "create", "Edit": "edit"}
"""And its tools."""


@dataclass(frozen=True, slots=True)
class Running:
    """A delivery as it is to be taken."""

    host: Host
    event: str
    """As `host` calls it."""
    cwd: str
    """Where the session works."""
    payload: dict[str, Any]
    """As `host` gives it to hooks of its own."""


class Deciding:
    """Decides for every delivery. `receipts`: the folder of install receipts, which change while a daemon lives."""

    def __init__(self, hosts: Mapping[str, Host], receipts: Path) -> None:
        self._hosts = hosts
        self._receipts = receipts

    def running(
        self, registered: str, event: str, payload: dict[str, Any], *, mark: str = "", cwd: str = ""
    ) -> Running | None:
        """Who runs this hook; None: nothing is to be stored or said, for another hook tells the same (or it is of a
        host that these cannot read). KeyError: there is no host called `registered`.
        """
        name = running(registered, payload, mark)
        if name == registered:
            host = self._hosts[registered]
        else:
            found = self._hosts.get(name) or GUESTS.get(name)
            if found is None or not self._counts(registered, found):
                return None
            host = found
            event = _event(name, event, payload)
            payload = _shaped(name, payload)
        cwd = _folder(payload) or cwd if name in _STARTED_ELSEWHERE else cwd
        if name in _FOLDERLESS and "cwd" not in payload:
            payload = {**payload, "cwd": cwd}
        return Running(host, event, cwd, payload)

    def _counts(self, registered: str, host: Host) -> bool:
        """Of all the hooks that `host` runs at this event, is it this one that counts?"""
        routes = [host.HOOK_NAME] if self._wired(host.NAME) else []
        routes += [name for name in RUN_BY_OTHERS if self._wired(name)]
        return not routes or routes[0] == registered

    def _wired(self, name: str) -> bool:
        return (self._receipts / f"{name}.json").exists()


def running(registered: str, payload: Mapping[str, Any], mark: str = "") -> str:
    """The id of the host that runs a hook registered for `registered`.

    mark    what the hook found in its environment: the name of a host that set a variable of its own, a blank, and
            `claude:<session>`
    """
    if registered not in RUN_BY_OTHERS:
        return registered
    if "cursor_version" in payload:
        return "cursor"
    if "hookEventName" in payload:
        return "vscode"
    if registered != "claude":
        return registered
    if "sessionId" in payload:
        return "copilot"
    if "turn_id" in payload and "model" in payload:
        return "codex"
    if isinstance(payload.get("extra"), dict):
        return "hermes"
    return _by_marks(registered, payload, mark.split()) if mark else registered


def _by_marks(registered: str, payload: Mapping[str, Any], marks: list[str]) -> str:
    session_id = string(payload, "session_id")
    folder, _, file = string(payload, "transcript_path").rpartition("/")
    if f"{_OWN_SESSION}{session_id}" in marks or ("/projects/" in folder and file == f"{session_id}.jsonl"):
        return registered  # the other marks were inherited
    if "copilot" in marks and "timestamp" in payload:  # Claude Code sends none
        return "copilot"
    return "devin" if "devin" in marks else registered


def _event(name: str, event: str, payload: Mapping[str, Any]) -> str:
    told = string(payload, "hook_event_name", "hookEventName")
    names = _EVENTS.get(name)
    if names is None:
        return told or event
    return told if told in names.values() else names.get(event, event)


def _shaped(name: str, payload: dict[str, Any]) -> dict[str, Any]:
    if name != "copilot" or "sessionId" in payload:
        return payload
    shaped = {_COPILOT_FIELDS.get(field, field): value for field, value in payload.items()}
    tool, result = string(shaped, "toolName"), shaped.get("toolResult")
    if tool:
        shaped["toolName"] = _COPILOT_TOOLS.get(tool, tool)
    if isinstance(result, str):
        shaped["toolResult"] = {"resultType": "success", "textResultForLlm": result}
    elif isinstance(result, dict):
        shaped["toolResult"] = {_COPILOT_FIELDS.get(field, field): value for field, value in result.items()}
    return shaped


def _folder(payload: Mapping[str, Any]) -> str:
    """The folder that was opened, else the one the payload names."""
    roots = payload.get("workspace_roots")
    first = roots[0] if isinstance(roots, list) and roots else ""
    named = first if isinstance(first, str) and first else string(mapping(payload), "cwd")
    return named if named.startswith("/") else ""
