"""OpenClaw: a plugin of ours (hooks/plugins/openclaw) inside its gateway.

Source: its documentation of 2026.9.6; not run by us. Its past sessions are not read.
"""

from pathlib import Path

from hivemind_cli.core.records import CorrectionKind
from hivemind_cli.hosts.base import Verified
from hivemind_cli.hosts.hooksonly import find_sessions, read_tail, read_transcript, sessions_in, transcript_of
from hivemind_cli.hosts.openclaw.payload import DENIES, ENDS, EVENTS, TEXT_CHARS_MAX, decode, encode_answer
from hivemind_cli.hosts.openclaw.settings import LABEL, installed, notices, plan_install, plan_uninstall, wired

NAME = "openclaw"
CONFIG_ENV = "OPENCLAW_STATE_DIR"
PROGRAM = "openclaw"
KNOWN_GOOD = "2026.9.6"
VERIFIED = Verified.DOCS
LIMITS: tuple[str, ...] = (
    "Words from chat channels are not taken for yours, unless OpenClaw says that their sender is its owner.",
    "Text comes with a prompt only; a command that it might ask you about is never held, an edit can be.",
    "What a session's start has to say comes with its first prompt.",
    "A config that OPENCLAW_CONFIG_PATH or OPENCLAW_HOME moves elsewhere is not found.",
    "Its past sessions are not read.",
)
CORRECTIONS = frozenset({CorrectionKind.INTERRUPTED, CorrectionKind.SAID})
HOOK_NAME = NAME
AFTER_INSTALL = "Run `openclaw gateway restart`; `openclaw plugins inspect hivemind --runtime` shows the plugin."


def skill_folders(tree: Path) -> list[Path]:
    """Where it looks for skills of the person's, and of the folder an agent works in."""
    return [tree / ".agents" / "skills"]


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
