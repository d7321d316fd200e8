"""Cursor, editor and CLI: hooks in `hooks.json`, payloads on stdin, our answer on stdout, transcripts and chat stores.

Source: its documentation of August 2026, and what others saw of 3.9.16 and of the CLI 2026.09.10; not run by us.
"""

from pathlib import Path

from hivemind_cli.core.records import CorrectionKind
from hivemind_cli.hosts.base import Verified
from hivemind_cli.hosts.cursor.answer import DENIES, ENDS, EVENTS, TEXT_CHARS_MAX, encode_answer
from hivemind_cli.hosts.cursor.payload import decode
from hivemind_cli.hosts.cursor.reader import find_sessions, read_transcript, sessions_in
from hivemind_cli.hosts.cursor.settings import installed, notices, plan_install, plan_uninstall, wired
from hivemind_cli.hosts.hooksonly import read_tail, transcript_of

NAME = "cursor"
LABEL = "Cursor"
CONFIG_ENV = ""
PROGRAM = "cursor-agent"
KNOWN_GOOD = "3.9.16"
VERIFIED = Verified.DOCS
LIMITS: tuple[str, ...] = (
    "Text at a prompt is undocumented: newer builds show it to the model, older ones drop it.",
    "No call is held back: hooks are not told whether Cursor will ask you about it. The rule comes with its result.",
    "`cursor-agent -p` runs no hook at a prompt or a reply: `hivemind import` reads these from its chat store.",
    "Cloud agents run no hooks of yours.",
    "A person's refusal and a rule's look alike unless the message names the rule.",
)
CORRECTIONS = frozenset({CorrectionKind.REJECTED, CorrectionKind.INTERRUPTED, CorrectionKind.SAID})
HOOK_NAME = NAME
AFTER_INSTALL = "Cursor takes hooks.json up when it is saved; start `cursor-agent` sessions anew."


def skill_folders(tree: Path) -> list[Path]:
    """Where it looks for skills; in the home, too."""
    return [tree / ".cursor" / "skills", tree / ".agents" / "skills", tree / ".claude" / "skills"]


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
