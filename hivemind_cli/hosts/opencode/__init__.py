"""OpenCode: a plugin of ours (hooks/plugins/opencode), and all sessions in one database.

Source: its plugin types of 1.18.33, and what that version was seen to tell a plugin.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hivemind_cli.core.records import CorrectionKind
from hivemind_cli.hosts.base import Tail, Verified
from hivemind_cli.hosts.opencode import reader
from hivemind_cli.hosts.opencode.payload import DENIES, ENDS, EVENTS, TEXT_CHARS_MAX, decode, encode_answer
from hivemind_cli.hosts.opencode.reader import read_transcript, sessions_in
from hivemind_cli.hosts.opencode.settings import PluginFolder

NAME = "opencode"
LABEL = "OpenCode"
CONFIG_ENV = "XDG_CONFIG_HOME"
PROGRAM = "opencode"
KNOWN_GOOD = "1.18.33"
VERIFIED = Verified.CLIENT
LIMITS: tuple[str, ...] = (
    "A call that you might be asked about is never held: the rule then comes with the call's result.",
    "What a session's start has to say comes with its first prompt.",
    "With `--pure` it loads no plugin.",
)
CORRECTIONS = frozenset({CorrectionKind.REJECTED, CorrectionKind.INTERRUPTED, CorrectionKind.SAID})
HOOK_NAME = NAME
AFTER_INSTALL = "Start OpenCode anew where it runs: it reads its plugins at its start."

_FOLDER = PluginFolder(LABEL, "opencode", "plugin")
installed = _FOLDER.installed
wired = _FOLDER.wired
notices = _FOLDER.notices
plan_install = _FOLDER.plan_install
plan_uninstall = _FOLDER.plan_uninstall


def find_sessions(home: Path, *, config_dir: Path | None = None) -> Iterator[Path]:
    """Sessions in the usual place of its data, which the folder of its configuration does not move."""
    return reader.find_sessions(home)


def transcript_of(home: Path, payload: dict[str, Any], *, config_dir: Path | None = None) -> Path | None:
    """None: the plugin tells all that stands there."""
    return None


def read_tail(path: Path, offset: int) -> Tail:
    """Nothing: see transcript_of."""
    return Tail(seen=(), offset=offset)


def skill_folders(tree: Path) -> list[Path]:
    """Where OpenCode looks for a project's skills."""
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
    "reader",
    "sessions_in",
    "skill_folders",
    "transcript_of",
    "wired",
]
