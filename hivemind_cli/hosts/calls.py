"""Tool calls of hosts that name their tools' inputs alike: what was done, to which file, which lines were written."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hivemind_cli.core import acts
from hivemind_cli.hosts import patch, values

FILE_CHARS_MAX = 1_000_000
"""Larger files are not followed line by line."""

_PATHS = (
    "file_path",
    "filePath",
    "path",
    "target_file",
    "notebook_path",
    "target_notebook",
    "relative_workspace_path",
    "target_directory",
)
_COMMANDS = ("command", "cmd", "code")
_PATTERNS = ("pattern", "query", "glob_pattern", "search_term", "url")
_WHOLE = ("content", "contents", "file_text")
_NEW = ("new_string", "newString", "new_str", "newText", "new_source", "code_edit")
_OLD = ("old_string", "oldString", "old_str", "oldText")
_PATCHES = ("patch", "patchText", "patch_text", "diff", "input")
_SAID = ("prompt", "goal", "task", "skill", "query", "url", "description")
_UNIFIED = re.compile(r"^\+\+\+ (?:b/)?(?P<path>[^\t\n]+)", re.MULTILINE)


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
        path = values.relative(_path(tool_input), cwd)
        if kind == acts.EDIT:
            return acts.Act(kind, tool, path=path, text=values.short("\n".join(_new_text(tool_input))))
        if kind == acts.READ:
            return acts.Act(kind, tool, path=path, text=values.short(values.string(tool_input, *_PATTERNS)))
        said = values.string(tool_input, *_SAID) or values.short_json(tool_input)
        return acts.Act(kind, tool, text=values.short(said))

    def wrote(self, tool: str, tool_input: Mapping[str, Any], cwd: str) -> dict[str, str] | None:
        """What an edit left in its file, as records.EventKind says of `wrote`, or None for other tools."""
        path = _path(tool_input)
        if self.kind(tool) != acts.EDIT or not path:
            return None
        old = {line for text in _old_text(tool_input) for line in text.splitlines()}
        lines = [line for text in _new_text(tool_input) for line in text.splitlines() if line not in old]
        found = {"path": values.absolute(path, cwd), "written": "\n".join(lines)}
        whole = values.string(tool_input, *_WHOLE)
        if whole and not old and len(whole) <= FILE_CHARS_MAX:
            found["after"] = whole
        return found


def blocks_text(content: object) -> str:
    """A message, or what a tool gave back: text as it is, blocks of type text joined, other values as JSON."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        parts = [part if isinstance(part, str) else values.string(values.mapping(part), "text") for part in content]
        return "\n".join(filter(None, parts)).strip()
    return values.short_json(content)


def parsed(value: object) -> dict[str, Any]:
    """A JSON object, given as such, as text or as bytes; {} for anything else."""
    if isinstance(value, str | bytes):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def _command(tool_input: Mapping[str, Any]) -> str:
    words = tool_input.get("command")
    if isinstance(words, list):
        return " ".join(word for word in words if isinstance(word, str))
    return values.string(tool_input, *_COMMANDS)


def _path(tool_input: Mapping[str, Any]) -> str:
    return values.string(tool_input, *_PATHS) or _patched(tool_input)[0]


def _patched(tool_input: Mapping[str, Any]) -> tuple[str, str]:
    """First file and all added lines of a patch: an apply_patch text or a unified diff."""
    text = values.string(tool_input, *_PATCHES)
    if files := patch.files(text):
        return files[0].path, "\n".join(one.written for one in files)
    named = _UNIFIED.search(text)
    added = [line[1:] for line in text.splitlines() if line.startswith("+") and not line.startswith("+++ ")]
    return (named["path"].strip() if named else ""), "\n".join(added)


def _new_text(tool_input: Mapping[str, Any]) -> list[str]:
    edits = tool_input.get("edits")
    if isinstance(edits, list) and edits:
        return [values.string(edit, *_NEW, *_WHOLE) for edit in edits if isinstance(edit, dict)]
    return [values.string(tool_input, *_NEW, *_WHOLE) or _patched(tool_input)[1]]


def _old_text(tool_input: Mapping[str, Any]) -> list[str]:
    edits = tool_input.get("edits")
    if isinstance(edits, list) and edits:
        return [values.string(edit, *_OLD) for edit in edits if isinstance(edit, dict)]
    return [values.string(tool_input, *_OLD)]
