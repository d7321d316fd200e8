"""Claude Code: hooks in `settings.json`, payloads on stdin, our answer on stdout, a transcript for each session.

Source: its documentation of 2026-08-22, and what 2.1.329 was seen to send (tests/hosts/payloads/claude).
"""

from pathlib import Path

from hivemind_cli.core.records import CorrectionKind
from hivemind_cli.hosts.base import Verified
from hivemind_cli.hosts.claude.answer import DENIES, ENDS, EVENTS, TEXT_CHARS_MAX, encode_answer
from hivemind_cli.hosts.claude.payload import decode
from hivemind_cli.hosts.claude.settings import installed, notices, plan_install, plan_uninstall, wired
from hivemind_cli.hosts.claude.transcript import find_sessions, read_tail, read_transcript, sessions_in, transcript_of

NAME = "claude"
LABEL = "Claude Code"
CONFIG_ENV = "CLAUDE_CONFIG_DIR"
PROGRAM = "claude"
KNOWN_GOOD = "2.1.329"
VERIFIED = Verified.CLIENT
LIMITS: tuple[str, ...] = (
    "No hook tells of a refusal or an interrupt: both are read from the transcript at the next prompt.",
)
CORRECTIONS = frozenset({CorrectionKind.REJECTED, CorrectionKind.INTERRUPTED, CorrectionKind.SAID})
HOOK_NAME = NAME
AFTER_INSTALL = "Sessions that are open take the hooks up when they are started anew."


def skill_folders(tree: Path) -> list[Path]:
    """Where it looks for skills; in the home, too."""
    return [tree / ".claude" / "skills"]


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
