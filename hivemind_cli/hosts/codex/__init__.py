"""Codex CLI: hooks in `hooks.json`, payloads on stdin, our answer on stdout, a rollout file for each session.

Source: its schemas of 0.169.0 and what that version was seen to do (tests/hosts/payloads/codex); of older versions,
the documented format of their rollouts.
"""

from pathlib import Path

from hivemind_cli.core.records import CorrectionKind
from hivemind_cli.hosts.base import Verified
from hivemind_cli.hosts.codex.answer import DENIES, ENDS, EVENTS, TEXT_CHARS_MAX, encode_answer
from hivemind_cli.hosts.codex.payload import decode
from hivemind_cli.hosts.codex.settings import installed, notices, plan_install, plan_uninstall, trusted, wired
from hivemind_cli.hosts.codex.transcript import find_sessions, read_tail, read_transcript, sessions_in, transcript_of

NAME = "codex"
LABEL = "Codex CLI"
CONFIG_ENV = "CODEX_HOME"
PROGRAM = "codex"
KNOWN_GOOD = "0.169.0"
VERIFIED = Verified.CLIENT
LIMITS: tuple[str, ...] = (
    "It runs no hook until you agreed to it, in its `/hooks` screen or with `hivemind codex trust`.",
    "A call that you might be asked about is never held: the rule then comes with the call's result.",
    "No hook tells of a refusal, nor of a command's exit code: both are read from the rollout when the turn ends.",
    "A refusal and an interrupt while a command ran read the same in a rollout.",
)
CORRECTIONS = frozenset({CorrectionKind.REJECTED, CorrectionKind.INTERRUPTED, CorrectionKind.SAID})
HOOK_NAME = NAME
AFTER_INSTALL = "Start `codex`, type `/hooks` and agree to hivemind's hooks; or run `hivemind codex trust`."


def skill_folders(tree: Path) -> list[Path]:
    """Where Codex looks for a project's skills."""
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
    "trusted",
    "wired",
]
