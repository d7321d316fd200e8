"""Copilot CLI: hooks in a file of our own, payloads on stdin, our answer on stdout, a folder for each session.

Source: GitHub's documentation of 2026, and what 1.0.102 was seen to send and to do (tests/hosts/payloads/copilot).
"""

from pathlib import Path

from hivemind_cli.core.records import CorrectionKind
from hivemind_cli.hosts.base import Verified
from hivemind_cli.hosts.copilot.answer import DENIES, ENDS, EVENTS, TEXT_CHARS_MAX, encode_answer
from hivemind_cli.hosts.copilot.payload import decode
from hivemind_cli.hosts.copilot.reader import find_sessions, read_tail, read_transcript, sessions_in, transcript_of
from hivemind_cli.hosts.copilot.settings import installed, notices, plan_install, plan_uninstall, wired

NAME = "copilot"
LABEL = "Copilot CLI"
CONFIG_ENV = "COPILOT_HOME"
PROGRAM = "copilot"
KNOWN_GOOD = "1.0.102"
VERIFIED = Verified.CLIENT
LIMITS: tuple[str, ...] = (
    "No hook tells whether a person is asked about a call, so none is held: what applies comes behind its result.",
    "No hook tells of a refusal, an interrupt or the words of a reply: they are read from the session's file.",
    "It shows nothing to the person alone: what was learned is told to the agent only.",
)
CORRECTIONS = frozenset({CorrectionKind.REJECTED, CorrectionKind.INTERRUPTED, CorrectionKind.SAID})
HOOK_NAME = NAME
AFTER_INSTALL = "Start Copilot CLI again: it reads its hooks when it starts."


def skill_folders(tree: Path) -> list[Path]:
    """Where it looks for skills; one that is linked to another of these is listed once."""
    return [tree / ".github" / "skills", tree / ".claude" / "skills", tree / ".agents" / "skills"]


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
