"""Kilo Code: a fork of OpenCode, with OpenCode's plugin of ours in its own folder, and OpenCode's database in its own.

Source: descriptions of 7.8.7. No version of it was run here.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from hivemind_cli.core.records import CorrectionKind
from hivemind_cli.hosts.base import Verified
from hivemind_cli.hosts.opencode import (
    DENIES,
    ENDS,
    EVENTS,
    TEXT_CHARS_MAX,
    decode,
    encode_answer,
    read_tail,
    reader,
    transcript_of,
)
from hivemind_cli.hosts.opencode.reader import read_transcript
from hivemind_cli.hosts.opencode.settings import PluginFolder

NAME = reader.KILO
LABEL = "Kilo Code"
CONFIG_ENV = "XDG_CONFIG_HOME"
PROGRAM = "kilo"
KNOWN_GOOD = "7.8.7"
VERIFIED = Verified.DOCS
LIMITS: tuple[str, ...] = (
    "Nobody has run hivemind with it: it is taken to do as OpenCode, which it is a fork of.",
    "A call that you might be asked about is never held: the rule then comes with the call's result.",
    "What a session's start has to say comes with its first prompt.",
)
CORRECTIONS = frozenset({CorrectionKind.REJECTED, CorrectionKind.INTERRUPTED, CorrectionKind.SAID})
HOOK_NAME = NAME
AFTER_INSTALL = "Start Kilo Code anew where it runs: it reads its plugins at its start."

_FOLDER = PluginFolder(LABEL, "kilo", "plugins")
installed = _FOLDER.installed
wired = _FOLDER.wired
notices = _FOLDER.notices
plan_install = _FOLDER.plan_install
plan_uninstall = _FOLDER.plan_uninstall


def find_sessions(home: Path, *, config_dir: Path | None = None) -> Iterator[Path]:
    """Sessions of every database in the usual place of its data that has OpenCode's tables."""
    yield from reader.sessions_below(home / ".local" / "share" / "kilo", "*.db")


def sessions_in(path: Path) -> Sequence[Path]:
    """The sessions of a database with OpenCode's tables in a folder called kilo; a name of one session is itself."""
    return reader.claimed(path) if reader.is_kilos(path) else ()


def skill_folders(tree: Path) -> list[Path]:
    """Where Kilo Code looks for a project's skills."""
    return [tree / ".claude" / "skills", tree / ".agents" / "skills"]


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
