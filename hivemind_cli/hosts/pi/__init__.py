"""pi: an extension of ours (hooks/plugins/pi), and a session file for each session.

Source: its documentation of 0.73.1 and 1.5.2, and what 0.73.1 was seen to tell an extension.
"""

from pathlib import Path
from typing import Any

from hivemind_cli.core.records import CorrectionKind
from hivemind_cli.hosts.base import Edit, Tail, Verified
from hivemind_cli.hosts.pi.payload import DENIES, ENDS, EVENTS, TEXT_CHARS_MAX, decode, encode_answer
from hivemind_cli.hosts.pi.reader import find_sessions, read_transcript, sessions_in
from hivemind_cli.hosts.pi.tools import TOOLS
from hivemind_cli.hosts.shim import Plugin

NAME = "pi"
LABEL = "pi"
CONFIG_ENV = "PI_CODING_AGENT_DIR"
PROGRAM = "pi"
KNOWN_GOOD = "0.73.1"
VERIFIED = Verified.CLIENT
LIMITS: tuple[str, ...] = (
    "An extension is told nothing when you go back in a session's tree. Which edits that took back is learned only "
    "where the session is imported and no hook told of it.",
    "What a session's start has to say comes with its first prompt.",
)
CORRECTIONS = frozenset({CorrectionKind.INTERRUPTED, CorrectionKind.SAID})
HOOK_NAME = NAME
AFTER_INSTALL = "Type /reload in a session of pi that is open."

_PLUGIN = Plugin(LABEL, ("runner.js", "pi/hivemind.ts"))


def installed(home: Path, *, config_dir: Path | None = None) -> bool:
    """Is pi here, by its own folder?"""
    return (config_dir or home / ".pi" / "agent").is_dir()


def wired(home: Path, command: str, *, config_dir: Path | None = None) -> bool:
    """Does our extension stand there, with this command?"""
    return _PLUGIN.wired(_extension(home, config_dir), command)


def notices(home: Path, *, config_dir: Path | None = None) -> list[str]:
    """Nothing in pi's settings keeps an extension from running; `--no-extensions` is given anew at each start."""
    return []


def plan_install(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """The extension's file. HostError: one of a person's stands there."""
    return _PLUGIN.plan(_extension(home, config_dir), command)


def plan_uninstall(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """The extension's file is removed, whichever hivemind wrote it."""
    return _PLUGIN.plan_removal(_extension(home, config_dir))


def transcript_of(home: Path, payload: dict[str, Any], *, config_dir: Path | None = None) -> Path | None:
    """None: the extension tells all that stands there."""
    return None


def read_tail(path: Path, offset: int) -> Tail:
    """Nothing: see transcript_of."""
    return Tail(seen=(), offset=offset)


def skill_folders(tree: Path) -> list[Path]:
    """Where pi looks for a project's skills; it reads no .claude."""
    return [tree / ".agents" / "skills"]


def _extension(home: Path, config_dir: Path | None) -> Path:
    return (config_dir or home / ".pi" / "agent") / "extensions" / "hivemind.ts"


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
    "TOOLS",
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
