"""Claude Code: hooks in `settings.json`, payloads on stdin, our answer on stdout, a transcript for each session.

Source: its documentation of 2026-08-22, and what 2.1.329 was seen to send (tests/hosts/payloads/claude).
"""

from pathlib import Path

from hivemind_cli.hosts.claude.answer import EVENTS, TEXT_CHARS_MAX, encode_answer
from hivemind_cli.hosts.claude.payload import decode
from hivemind_cli.hosts.claude.settings import installed, notices, plan_install, plan_uninstall, wired
from hivemind_cli.hosts.claude.transcript import find_sessions, read_tail, read_transcript, sessions_in, transcript_of

NAME = "claude"
LABEL = "Claude Code"
CONFIG_ENV = "CLAUDE_CONFIG_DIR"


def skill_folders(tree: Path) -> list[Path]:
    """Where a project's skills live; the second is linked to the first, for hosts that look there."""
    return [tree / ".claude" / "skills", tree / ".agents" / "skills"]


__all__ = [
    "CONFIG_ENV",
    "EVENTS",
    "LABEL",
    "NAME",
    "TEXT_CHARS_MAX",
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
