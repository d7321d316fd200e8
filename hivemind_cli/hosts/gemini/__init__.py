"""Gemini CLI: hooks in `settings.json`, payloads on stdin, our answer on stdout, a file for each session.

Source: its documentation and published code, and what 0.61.0 was seen to send (tests/hosts/payloads/gemini).
"""

from pathlib import Path

from hivemind_cli.core.records import CorrectionKind
from hivemind_cli.hosts.base import Verified
from hivemind_cli.hosts.gemini.answer import DENIES, ENDS, EVENTS, TEXT_CHARS_MAX, encode_answer
from hivemind_cli.hosts.gemini.payload import decode
from hivemind_cli.hosts.gemini.reader import find_sessions, read_tail, read_transcript, sessions_in, transcript_of
from hivemind_cli.hosts.gemini.settings import installed, notices, plan_install, plan_uninstall, wired

NAME = "gemini"
LABEL = "Gemini CLI"
CONFIG_ENV = "GEMINI_CLI_HOME"
PROGRAM = "gemini"
KNOWN_GOOD = "0.61.0"
VERIFIED = Verified.CLIENT
LIMITS: tuple[str, ...] = (
    "No hook tells whether a person is asked about a call, so none is held: what applies comes with the call's result.",
    "No hook tells of a refusal or an interrupt: both are read from the session's file at the next prompt.",
)
CORRECTIONS = frozenset({CorrectionKind.REJECTED, CorrectionKind.INTERRUPTED, CorrectionKind.SAID})
HOOK_NAME = NAME
AFTER_INSTALL = "Start Gemini CLI again: it reads its hooks when it starts."


def skill_folders(tree: Path) -> list[Path]:
    """Where it looks for skills; of two with one name `.agents/skills` wins."""
    return [tree / ".gemini" / "skills", tree / ".agents" / "skills"]


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
