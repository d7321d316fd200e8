"""Devin CLI: it runs Claude Code's hooks. hivemind does not wire it; a session that comes so is kept under its name.

Source: what others read of 3000.11.3, which takes over Claude Code's events and answers; not run by us.
"""

from pathlib import Path

from hivemind_cli.core.records import CorrectionKind, Moment
from hivemind_cli.hosts import calls
from hivemind_cli.hosts.base import Edit, Verified
from hivemind_cli.hosts.claude.answer import TEXT_CHARS_MAX, encode_answer
from hivemind_cli.hosts.claudelike import Decoder
from hivemind_cli.hosts.hooksonly import find_sessions, read_tail, read_transcript, sessions_in, transcript_of

NAME = "devin"
LABEL = "Devin CLI"
CONFIG_ENV = ""
PROGRAM = "devin"
KNOWN_GOOD = "3000.11.3"
VERIFIED = Verified.DOCS
LIMITS: tuple[str, ...] = ("hivemind has no hooks of its own in it: it is seen while it runs Claude Code's.",)
CORRECTIONS = frozenset({CorrectionKind.SAID})
HOOK_NAME = NAME
AFTER_INSTALL = ""

EVENTS: dict[str, Moment | None] = {
    "SessionStart": Moment.SESSION_START,
    "UserPromptSubmit": Moment.PROMPT,
    "PreToolUse": None,
    "PostToolUse": None,
    "Stop": None,
    "SessionEnd": None,
}
ENDS: tuple[str, ...] = ("Stop", "SessionEnd")
DENIES: frozenset[str] = frozenset()
TOOLS = calls.Tools(
    shells=frozenset({"exec"}),
    edits=frozenset({"write", "edit", "apply_patch", "notebook_edit"}),
    reads=frozenset({"read", "grep", "glob", "notebook_read"}),
)
decode = Decoder(TOOLS).decode


def installed(home: Path, *, config_dir: Path | None = None) -> bool:
    """Is Devin here, by its own folder?"""
    return (config_dir or home / ".config" / "devin").is_dir()


def wired(home: Path, command: str, *, config_dir: Path | None = None) -> bool:
    """Never by us."""
    return False


def notices(home: Path, *, config_dir: Path | None = None) -> list[str]:
    """Nothing."""
    return []


def plan_install(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """Nothing is written."""
    return []


def plan_uninstall(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """Nothing is there."""
    return []


def skill_folders(tree: Path) -> list[Path]:
    """Where it looks for skills."""
    return [tree / ".agents" / "skills", tree / ".claude" / "skills"]


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
