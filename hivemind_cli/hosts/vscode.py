"""VS Code's agent: it runs the hooks in Claude Code's `~/.claude/settings.json`, with payloads and tools of its own.

So it is wired by Claude Code's entries; by its payload it is told apart (running.py). Hooks are a preview there.
Source: its documentation of 2026; not run by us.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hivemind_cli.core.acts import READ
from hivemind_cli.core.records import CorrectionKind, EventKind, Moment
from hivemind_cli.hosts import calls, jsontext, values
from hivemind_cli.hosts.base import Seen, Verified
from hivemind_cli.hosts.claude.answer import TEXT_CHARS_MAX, encode_answer
from hivemind_cli.hosts.claude.settings import plan_install, plan_uninstall, wired
from hivemind_cli.hosts.claude.words import persons_words
from hivemind_cli.hosts.hooksonly import find_sessions, read_tail, read_transcript, sessions_in, transcript_of
from hivemind_cli.hosts.telling import Teller, uncounted

NAME = "vscode"
LABEL = "VS Code agent"
CONFIG_ENV = ""
PROGRAM = ""
KNOWN_GOOD = "1.110"
VERIFIED = Verified.DOCS
LIMITS: tuple[str, ...] = (
    "It runs Claude Code's hooks only while its setting `chat.useClaudeHooks` is on; hooks are a preview there.",
    "Its documentation promises text at a session's start and at a call, not at every version's prompt.",
    "What the agent answered, a refusal and an interrupt are shown by no hook.",
    "No call is held back: hooks are not told whether it will ask you about it.",
    "Its past sessions are not read.",
)
CORRECTIONS = frozenset({CorrectionKind.SAID})
HOOK_NAME = "claude"
AFTER_INSTALL = "Switch `chat.useClaudeHooks` on in VS Code's settings; chats begun after that run the hooks."

EVENTS: dict[str, Moment | None] = {
    "SessionStart": Moment.SESSION_START,
    "UserPromptSubmit": Moment.PROMPT,
    "PreToolUse": Moment.TOOL_CALL,
    "PostToolUse": None,
    "SubagentStart": Moment.SUBAGENT,
    "SubagentStop": None,
    "PreCompact": None,
    "Stop": None,
}
ENDS: tuple[str, ...] = ("Stop",)
DENIES: frozenset[str] = frozenset()

TOOLS = calls.Tools(
    shells=frozenset({"run_in_terminal", "runInTerminal", "runCommands"}),
    edits=frozenset(
        {
            "create_file",
            "replace_string_in_file",
            "multi_replace_string_in_file",
            "insert_edit_into_file",
            "apply_patch",
            "edit_notebook_file",
            "editFiles",
        }
    ),
    reads=frozenset(
        {
            "read_file",
            "list_dir",
            "grep_search",
            "file_search",
            "semantic_search",
            "get_errors",
            "get_changed_files",
            "readFile",
        }
    ),
)
_MAC = sys.platform == "darwin"
_DATA = Path("Library", "Application Support") if _MAC else Path(".config")
_EDITIONS = ("Code", "Code - Insiders")

Payload = Mapping[str, Any]


def installed(home: Path, *, config_dir: Path | None = None) -> bool:
    """Is VS Code here, by the data it keeps? `config_dir`: Claude Code's folder, whose settings it reads."""
    kept = (home / ".vscode", home / ".vscode-insiders", *(home / _DATA / edition for edition in _EDITIONS))
    return any(folder.is_dir() for folder in (*kept, *((config_dir,) if config_dir else ())))


def notices(home: Path, *, config_dir: Path | None = None) -> list[str]:
    """What keeps our hooks from running although they are wired: the setting, where it is off."""
    said = []
    for edition in _EDITIONS:
        path = home / _DATA / edition / "User" / "settings.json"
        try:
            root = jsontext.parse(path.read_text(encoding="utf-8-sig"), jsontext.Dialect.JSONC)
        except (OSError, ValueError, RecursionError):
            continue
        switch = root.get("chat.useClaudeHooks")
        if switch is not None and switch.value is False:
            said.append(f"`chat.useClaudeHooks` is false in {path}: VS Code runs no hook of ours until it is true.")
    return said


def skill_folders(tree: Path) -> list[Path]:
    """Where it looks for skills; in the home, too."""
    return [tree / ".agents" / "skills", tree / ".claude" / "skills"]


def decode(event: str, payload: dict[str, Any]) -> list[Seen]:
    """What the payload shows; [] for what we do not use. KeyError, TypeError, ValueError: a fault worth seeing.

    Common fields are taken in camel case and in snake case.
    """
    decoder = _DECODERS.get(event)
    if decoder is None:
        return []
    tell = Teller(values.session_id(payload), cwd=values.string(payload, "cwd"), turns=False)
    return [uncounted(seen) for seen in decoder(payload, tell)]


def _start(payload: Payload, tell: Teller) -> list[Seen]:
    """`new` is how it calls a fresh start."""
    source = values.string(payload, "source")
    return [tell.start(source="startup" if source in ("", "new") else source)]


def _prompt(payload: Payload, tell: Teller) -> list[Seen]:
    said = persons_words(values.required(payload, "prompt"))
    return tell.prompt(said) if said else []


def _called(payload: Payload, tell: Teller) -> tuple[str, Seen]:
    tool = values.required(payload, "tool_name" if "tool_name" in payload else "toolName")
    given = payload["tool_input" if "tool_input" in payload else "toolInput"]
    if not isinstance(given, dict):
        raise TypeError(f"tool_input is {type(given).__name__}, not an object")
    tool_input = _named_alike(given)
    call_id = values.string(payload, "tool_use_id", "toolUseId") or tell.call_id(tool, tool_input)
    return call_id, tell.call(call_id, tool, TOOLS.act(tool, tool_input, tell.cwd), tool_input)


def _named_alike(given: dict[str, Any]) -> dict[str, Any]:
    """Edits and files in lists stand under the names that calls.Tools knows."""
    edits, files = given.get("replacements"), given.get("files")
    if isinstance(edits, list) and edits:
        first = values.mapping(edits[0])
        return {**given, "edits": edits, "filePath": values.string(given, "filePath") or first.get("filePath")}
    if isinstance(files, list) and len(files) == 1 and isinstance(files[0], str):
        return {**given, "filePath": files[0]}
    return given


def _tool_call(payload: Payload, tell: Teller) -> list[Seen]:
    call_id, seen = _called(payload, tell)
    if tell.called(call_id)[1].kind != READ:
        seen = replace(seen, payload={**seen.payload, "asks": True})
    return [seen]


def _tool_result(payload: Payload, tell: Teller) -> list[Seen]:
    call_id, _ = _called(payload, tell)
    tool, _, tool_input = tell.called(call_id)
    output = calls.blocks_text(payload["tool_response" if "tool_response" in payload else "toolResponse"])
    return [tell.result(call_id, output, wrote=TOOLS.wrote(tool, tool_input, tell.cwd))]


def _compact(payload: Payload, tell: Teller) -> list[Seen]:
    return [tell.compact(values.string(payload, "trigger") or "auto")]


def _subagent(payload: Payload, tell: Teller) -> list[Seen]:
    agent = values.required(payload, "agent_id" if "agent_id" in payload else "agentId")
    stopped = values.string(payload, "hookEventName", "hook_event_name") == "SubagentStop"
    kind = EventKind.SUBAGENT_STOP if stopped else EventKind.SUBAGENT_START
    fields = {"agent_id": agent, "agent_type": values.string(payload, "agent_type", "agentType")}
    return [Seen(kind=kind, session_id=tell.session_id, native_key=f"{agent}:{kind}", cwd=tell.cwd, payload=fields)]


_DECODERS: dict[str, Callable[[Payload, Teller], list[Seen]]] = {
    "SessionStart": _start,
    "UserPromptSubmit": _prompt,
    "PreToolUse": _tool_call,
    "PostToolUse": _tool_result,
    "SubagentStart": _subagent,
    "SubagentStop": _subagent,
    "PreCompact": _compact,
}

__all__ = [
    "AFTER_INSTALL",
    "CONFIG_ENV",
    "CORRECTIONS",
    "DENIES",
    "ENDS",
    "EVENTS",
    "HOOK_NAME",
    "KNOWN_GOOD",
    "LABEL",
    "LIMITS",
    "NAME",
    "PROGRAM",
    "TEXT_CHARS_MAX",
    "VERIFIED",
    "decode",
    "encode_answer",
    "find_sessions",
    "installed",
    "notices",
    "plan_install",
    "plan_uninstall",
    "read_tail",
    "read_transcript",
    "sessions_in",
    "skill_folders",
    "transcript_of",
    "wired",
]
