"""VS Code's agent: it runs the hooks in Claude Code's `~/.claude/settings.json`, with payloads and tools of its own.

So it is wired by Claude Code's entries; by its payload it is told apart (running.py). Hooks are a preview there.
Source: its documentation of 2026; not run by us.
"""

import sys
from pathlib import Path

from hivemind_cli.core.records import CorrectionKind, Moment
from hivemind_cli.hosts import calls, jsontext
from hivemind_cli.hosts.base import Verified
from hivemind_cli.hosts.claude.answer import TEXT_CHARS_MAX, encode_answer
from hivemind_cli.hosts.claude.settings import plan_install, plan_uninstall, wired
from hivemind_cli.hosts.claudelike import Decoder
from hivemind_cli.hosts.hooksonly import find_sessions, read_tail, read_transcript, sessions_in, transcript_of

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


decode = Decoder(TOOLS).decode

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
