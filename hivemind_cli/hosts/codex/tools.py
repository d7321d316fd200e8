"""Codex's tools in our words, under the names its hooks give them: Bash, apply_patch, and the rest as they are.

Source: rollout files and hook payloads of 0.169.0, and older ones as their format is documented.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from hivemind_cli.core import acts, fence
from hivemind_cli.hosts import calls, patch, values

SHELL, PATCH = "Bash", "apply_patch"
_SHELLS = frozenset({SHELL, "exec_command", "shell", "shell_command", "local_shell", "container.exec", "unified_exec"})
_PATCHES = ("apply_patch", "applypatch")
_OTHERS = calls.Tools(reads=frozenset({"view_image", "read_file", "list_dir", "grep_files"}))
_INTERPRETERS = frozenset({"bash", "sh", "zsh", "dash", "ksh"})

_EXIT = re.compile(r"^(?:Exit code:|Process exited with code) (-?\d+)", re.MULTILINE)
_RUNNING = re.compile(r"^Process running with session ID (\S+)", re.MULTILINE)
_OUTPUT = re.compile(r"(?:\A|\n)Output:(?:\n|\Z)")
_HEADER_CHARS_MAX = 600
_ABORTED = re.compile(r"\A(?:Wall time: [^\n]*\n)?aborted by user")
_REJECTED = frozenset({"exec command rejected by user", "patch rejected by user", "rejected by user"})
_BLOCKED = "Command blocked by PreToolUse hook"
_RULES = re.compile(
    r"rejected: policy forbids|AskForApproval is set to Never|should not ask for escalated permissions"
    r"|rejected by user approval settings|was rejected due to unacceptable risk"
)
_FAILED = re.compile(
    r"\A(?:apply_patch verification failed|patch rejected|failed to |unsupported call|execution error"
    r"|exec_command failed|write_stdin failed|sandbox |command timed out)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call as hooks would tell it."""

    tool: str
    act: acts.Act
    input: Mapping[str, Any]
    patch: str = ""
    escalated: bool = False
    """Did the agent ask the person to let it out of the sandbox?"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call gave back."""

    text: str
    exit_code: int | None = None
    failed: bool = False
    running: str = ""
    """The session a command goes on in that has not ended yet."""


def read_call(name: str, arguments: object, cwd: str) -> Call:
    """The call of tool `name`. `arguments`: JSON text, an object, or a custom tool's own text."""
    given = calls.parsed(arguments)
    if name in _SHELLS:
        command, script = _command(given)
        if script:
            return _patch_call(script, cwd)
        escalated = given.get("sandbox_permissions") == "require_escalated"
        escalated = escalated or given.get("with_escalated_permissions") is True
        return Call(SHELL, acts.Act(acts.SHELL, SHELL, command=command), {"command": command}, escalated=escalated)
    if name in _PATCHES:
        return _patch_call(values.string(given, "input", "patch", "command") or values.text(arguments), cwd)
    fields = given or {"input": values.text(arguments)}
    return Call(name, _OTHERS.act(name, fields, cwd), fields)


def _patch_call(script: str, cwd: str) -> Call:
    return Call(PATCH, patch.act_of(PATCH, script, cwd), {"command": script}, patch=script)


def _command(given: Mapping[str, Any]) -> tuple[str, str]:
    """The command line, and the patch if the command is `apply_patch`."""
    words = given.get("cmd", given.get("command"))
    if isinstance(words, list):
        return command_line(words), _patch_of([word for word in words if isinstance(word, str)])
    line = values.text(words)
    return line, line if patch.BEGIN in line and line.lstrip().startswith((*_PATCHES, "cd ")) else ""


def _patch_of(words: list[str]) -> str:
    if len(words) > 1 and words[0] in _PATCHES:
        return words[1]
    script = command_line(words)
    return script if patch.BEGIN in script and script.lstrip().startswith((*_PATCHES, "cd ")) else ""


def command_line(words: list[Any]) -> str:
    """The line a person would type: the script of `bash -lc script`, else the words, quoted."""
    told = [word for word in words if isinstance(word, str)]
    if len(told) == 3 and PurePosixPath(told[0]).name in _INTERPRETERS and re.fullmatch(r"-l?i?c", told[1]):
        return told[2]
    return shlex.join(told)


def read_outcome(output: object) -> Outcome:
    """What a call gave back, in any of the forms that versions have written it in."""
    if isinstance(output, dict):
        said = values.text(output.get("content")) or calls.blocks_text(output.get("content"))
        return Outcome(said, failed=output.get("success") is False)
    text = calls.blocks_text(output)
    old = calls.parsed(text) if text.startswith('{"output"') else {}
    if isinstance(old.get("output"), str):
        code = values.mapping(old.get("metadata")).get("exit_code")
        return Outcome(old["output"], code if isinstance(code, int) else None)
    begins = _OUTPUT.search(text, 0, _HEADER_CHARS_MAX)
    header = text[: begins.start() + 1] if begins else ""
    body = text[begins.end() :] if begins else text
    code = _EXIT.search(header)
    running = _RUNNING.search(header)
    return Outcome(body, int(code.group(1)) if code else None, running=running.group(1) if running else "")


def failed(call: Call, outcome: Outcome) -> bool:
    """Did the call end in an error?"""
    if outcome.failed or outcome.exit_code not in (None, 0):
        return True
    if outcome.exit_code == 0:
        return False
    if call.tool == PATCH:
        return not outcome.text.startswith(("Success", "Done"))
    return call.tool == SHELL and _FAILED.match(outcome.text) is not None


def aborted(output: object) -> bool:
    """Did the person stop the agent before this call ended? Refusing it reads the same."""
    return _ABORTED.match(calls.blocks_text(output)) is not None


def denial(output: object) -> dict[str, str] | None:
    """Who refused the call, as records.EventKind says: {"by", "words", "reason"?}; None: nobody did."""
    text = calls.blocks_text(output).strip()
    if text in _REJECTED:
        return {"by": "person", "words": ""}
    if text.startswith(_BLOCKED):
        ours = fence.OPEN in text
        return {"by": "hivemind", "words": ""} if ours else {"by": "rule", "words": "", "reason": values.short(text)}
    if len(text) < _HEADER_CHARS_MAX * 4 and _RULES.search(text) and not _EXIT.search(text):
        return {"by": "rule", "words": "", "reason": values.short(text)}
    return None


def may_be_asked(call: Call, policy: str) -> bool:
    """May the host have asked the person about this call, under its approval policy ("" where it is not known)?"""
    if policy == "never":
        return False
    return call.tool != SHELL or call.escalated or policy != "on-request"
