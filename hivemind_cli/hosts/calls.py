"""Tool calls of any host in our words: what was done, to which file, which lines were written, and when.

Hosts name their tools and fields differently, but alike enough for one reading of their inputs.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from hivemind_cli.core import acts, redact

TEXT_CHARS_MAX = 4_000
"""Of what was written, in an Act. The whole input stands in the event's `input`."""
FILE_CHARS_MAX = 1_000_000
"""Larger files are not followed line by line."""

_PATHS = (
    "file_path", "filePath", "filepath", "path", "target_file", "targetFile", "notebook_path", "target_notebook",
    "relative_workspace_path", "target_directory", "directory",
)  # fmt: skip
_COMMANDS = ("command", "cmd", "code")
_PATTERNS = ("pattern", "query", "glob_pattern", "search_term", "url")
_WHOLE = ("content", "contents", "file_text")
_NEW = ("new_string", "newString", "new_str", "new_source", "replacement", "code_edit")
_OLD = ("old_string", "oldString", "old_str", "search")
_PATCHES = ("patch", "patchText", "patch_text", "diff")
_SAID = ("prompt", "goal", "task", "skill", "query", "url", "description")
_PATCHED = re.compile(r"\*\*\* (?:Update|Add|Delete) File: (?P<path>.+)|\+\+\+ (?:b/)?(?P<unified>[^\t\n]+)")
_HUNK = ("+++", "---", "***", "@@")


@dataclass(frozen=True, slots=True)
class Tools:
    """Which of a host's tools is which kind of act, by its name; all others are `other`."""

    shells: frozenset[str] = frozenset()
    edits: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()

    def kind(self, tool: str) -> str:
        """shell, edit, read or other."""
        if tool in self.shells:
            return acts.SHELL
        if tool in self.edits:
            return acts.EDIT
        return acts.READ if tool in self.reads else acts.OTHER

    def act(self, tool: str, tool_input: Mapping[str, Any], cwd: str) -> acts.Act:
        """The call as an Act. Paths inside `cwd` are given relative to it."""
        kind = self.kind(tool)
        if kind == acts.SHELL:
            return acts.Act(kind, tool, command=_command(tool_input))
        path = relative(_path(tool_input), cwd)
        if kind == acts.EDIT:
            return acts.Act(kind, tool, path=path, text=short("\n".join(_new_text(tool_input))))
        if kind == acts.READ:
            return acts.Act(kind, tool, path=path, text=short(string(tool_input, *_PATTERNS)))
        return acts.Act(kind, tool, text=short(string(tool_input, *_SAID) or short_json(tool_input)))

    def wrote(self, tool: str, tool_input: Mapping[str, Any], cwd: str) -> dict[str, str] | None:
        """What an edit left in its file ({path, written, after?}, see Claude's tools.wrote), or None."""
        path = _path(tool_input)
        if self.kind(tool) != acts.EDIT or not path:
            return None
        old = {line for text in _old_text(tool_input) for line in text.splitlines()}
        lines = [line for text in _new_text(tool_input) for line in text.splitlines() if line not in old]
        found = {"path": absolute(path, cwd), "written": "\n".join(lines)}
        whole = string(tool_input, *_WHOLE)
        if whole and not old and len(whole) <= FILE_CHARS_MAX:
            found["after"] = whole
        return found


def string(fields: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that holds text, or ""."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def text_of(value: object) -> str:
    """`value` if it is text; bytes are decoded; else ""."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def short(text: str) -> str:
    """At most TEXT_CHARS_MAX; redacted before it is cut, for half a secret is not recognised as one."""
    return text if len(text) <= TEXT_CHARS_MAX else redact.cut(text, TEXT_CHARS_MAX)


def short_json(value: object) -> str:
    """`value` as JSON, short."""
    return short(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))


def relative(path: str, cwd: str) -> str:
    """`path` as seen from `cwd`, where it lies inside."""
    if not path.startswith("/") or not cwd.startswith("/"):
        return path.removeprefix("./")
    here, given = PurePosixPath(cwd), PurePosixPath(path)
    return str(given.relative_to(here)) if given.is_relative_to(here) else path


def absolute(path: str, cwd: str) -> str:
    """`path` with `cwd` before it, unless it is absolute or begins at home."""
    return path if path.startswith(("/", "~")) or not cwd else str(PurePosixPath(cwd) / path)


def blocks_text(content: object) -> str:
    """A message, or what a tool gave back: text as it is, blocks of type text joined, other values as JSON."""
    if content is None:
        return ""
    if isinstance(content, str | bytes):
        return text_of(content)
    if isinstance(content, Sequence):
        parts = [part if isinstance(part, str) else text_of(_get(part, "text")) for part in content]
        return "\n".join(filter(None, parts)).strip()
    return short_json(content)


def parsed(value: object) -> dict[str, Any]:
    """A JSON object, given as such or as text; {} for anything else."""
    if isinstance(value, str | bytes):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def patched(patch: str) -> tuple[str, list[str]]:
    """First file named and all lines added, of a unified diff or an apply_patch text."""
    named = _PATCHED.search(patch)
    path = (named["path"] or named["unified"]).strip() if named else ""
    return path, [line[1:] for line in patch.splitlines() if line.startswith("+") and not line.startswith(_HUNK)]


def moment(value: object) -> datetime | None:
    """An aware UTC time, of ISO text (UTC where it names no zone), seconds or milliseconds since 1970; else None."""
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value.strip())
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _get(part: object, name: str) -> object:
    return part.get(name) if isinstance(part, Mapping) else None


def _command(tool_input: Mapping[str, Any]) -> str:
    words = tool_input.get("command")
    if isinstance(words, list):
        return " ".join(word for word in words if isinstance(word, str))
    return string(tool_input, *_COMMANDS)


def _path(tool_input: Mapping[str, Any]) -> str:
    return string(tool_input, *_PATHS) or patched(string(tool_input, *_PATCHES, "input"))[0]


def _new_text(tool_input: Mapping[str, Any]) -> list[str]:
    edits = tool_input.get("edits")
    if isinstance(edits, list) and edits:
        return [string(edit, *_NEW, *_WHOLE) for edit in edits if isinstance(edit, dict)]
    written = string(tool_input, *_NEW, *_WHOLE)
    return [written] if written else patched(string(tool_input, *_PATCHES, "input"))[1]


def _old_text(tool_input: Mapping[str, Any]) -> list[str]:
    edits = tool_input.get("edits")
    if isinstance(edits, list) and edits:
        return [string(edit, *_OLD) for edit in edits if isinstance(edit, dict)]
    return [string(tool_input, *_OLD)]
