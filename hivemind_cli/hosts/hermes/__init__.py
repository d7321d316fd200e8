"""Hermes Agent: shell hooks in `config.yaml`, payloads on stdin, our answer on stdout, sessions in an SQLite database.

Source: the published code of 0.19.0; not run by us.
"""

from pathlib import Path

from hivemind_cli.core.records import CorrectionKind
from hivemind_cli.hosts.base import Verified
from hivemind_cli.hosts.hermes.answer import DENIES, ENDS, EVENTS, TEXT_CHARS_MAX, encode_answer
from hivemind_cli.hosts.hermes.payload import decode
from hivemind_cli.hosts.hermes.reader import find_sessions, read_transcript, sessions_in
from hivemind_cli.hosts.hermes.settings import installed, notices, plan_install, plan_uninstall, trusted, wired
from hivemind_cli.hosts.hooksonly import read_tail, transcript_of

NAME = "hermes"
LABEL = "Hermes Agent"
CONFIG_ENV = "HERMES_HOME"
PROGRAM = "hermes"
KNOWN_GOOD = "0.19.0"
VERIFIED = Verified.DOCS
LIMITS: tuple[str, ...] = (
    "It runs a hook only once you agreed to it, at its next start in a terminal.",
    "It takes text only with a prompt: not at a session's start, nor at a call.",
    "A command that it might ask you about is never held; an edit can be.",
    "Profiles other than the default one have a config of their own, which hivemind leaves alone.",
    "A subagent's calls come under a session of their own.",
)
CORRECTIONS = frozenset({CorrectionKind.REJECTED, CorrectionKind.INTERRUPTED, CorrectionKind.SAID})
HOOK_NAME = NAME
AFTER_INSTALL = "Start `hermes` in a terminal and agree to hivemind's hooks; `hermes hooks list` shows them."


def skill_folders(tree: Path) -> list[Path]:
    """In its own folder in the person's home, and nowhere in a project."""
    return [tree / ".hermes" / "skills"] if (tree / ".hermes").is_dir() else []


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
    "trusted",
    "wired",
]
