"""The rules files of a project, read line by line: what a person has already written down for their agents.

Bounded, and inside the tree only: a link that leads out is not followed. A file that cannot be read says nothing.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import NO_PROJECT, Project
from hivemind_cli.pipeline.codify.rules import RuleLine
from hivemind_cli.storage.base import Store

BYTES_MAX = 64 << 10
"""Of one file; what is behind it is not read."""
FILES_MAX = 20
RULES_MAX = 3000
"""Sentences of all files together: each is held against each line of a draft."""
LINE_CHARS_MAX = 400
"""A longer line is prose, not a rule."""
NAMES = (
    "CLAUDE.md",
    "CLAUDE.local.md",
    ".claude/CLAUDE.md",
    "AGENTS.md",
    "GEMINI.md",
    ".cursorrules",
    ".windsurfrules",
    ".github/copilot-instructions.md",
)
FOLDERS = (".cursor/rules", ".claude/rules", ".github/instructions")
"""Of these every .md and .mdc."""
OF_PERSON = (".claude/CLAUDE.md",)
"""Below the person's home: they hold in every project."""
_IMPORT = re.compile(r"(?:^|(?<=\s))@([\w./-]+[\w-])")
"""@docs/style.md: the file named there is read, too, as Claude Code does."""
_FENCE = re.compile(r"\s*(?:```|~~~)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.*?)[#\s]*$")
_MARK = re.compile(r"^\s*(?:[-*+]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?|^\s+")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


class RulesFiles:
    """Reads the rules files of a project's trees anew each time: people change them."""

    def __init__(self, store: Store, paths: Paths) -> None:
        self._store = store
        self._home = paths.home

    def of_project(self, project_id: str) -> Sequence[RuleLine]:
        """Every sentence, of the newest tree's files first; a file of two trees is read once."""
        found: dict[tuple[str, int, str], RuleLine] = {}
        read: set[Path] = set()
        for root, path in self._files(project_id):
            waiting = [path]
            while waiting and len(read) < FILES_MAX and len(found) < RULES_MAX:
                path = waiting.pop(0)
                text = "" if path in read else _text(root, path)
                if text:
                    read.add(path)
                    name = f"~/{path.relative_to(root)}" if root == self._home else str(path.relative_to(root))
                    found.update({(one.file, one.number, one.text): one for one in read_rules(name, text)})
                    waiting += _imported(root, path, text)
        return list(found.values())[:RULES_MAX]

    def _files(self, project_id: str) -> Iterator[tuple[Path, Path]]:
        if project_id != NO_PROJECT:
            rows = self._store.find(Project, project_id=project_id, newest_first=True)
            for root in dict.fromkeys(Path(row.record.root) for row in rows):
                yield from ((root, root / name) for name in NAMES)
                for folder in FOLDERS:
                    yield from ((root, path) for path in _rules_in(root / folder))
        yield from ((self._home, self._home / name) for name in OF_PERSON)


def read_rules(file: str, text: str) -> Iterator[RuleLine]:
    """The sentences of a rules file: no headings, no code blocks, no front matter, no comments."""
    for number, heading, line in _prose(text):
        for said in _SENTENCE.split(_MARK.sub("", line).strip()):
            if said and not _IMPORT.fullmatch(said) and len(said) <= LINE_CHARS_MAX:
                yield RuleLine(file, number, said, heading)


def _prose(text: str) -> Iterator[tuple[int, str, str]]:
    """(number from 1, heading above it, text) of each line that is prose."""
    heading, in_code = "", False
    lines = _COMMENT.sub(lambda found: "\n" * found.group().count("\n"), text).splitlines()
    begin = 0
    if lines and lines[0].strip() == "---":  # front matter, as .mdc files have it
        begin = next((n for n, line in enumerate(lines[1:], 1) if line.strip() == "---"), -1) + 1
    for number, line in enumerate(lines[begin:], begin + 1):
        if _FENCE.match(line):
            in_code = not in_code
        elif in_code:
            continue
        elif found := _HEADING.match(line):
            heading = found[1]
        else:
            yield number, heading, line


def _rules_in(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in (".md", ".mdc"))[:FILES_MAX]
    except OSError:
        return []


def _imported(root: Path, path: Path, text: str) -> list[Path]:
    """The files inside `root` that a rules file asks for, wherever it does but in code."""
    named = (found[1] for _, _, line in _prose(text) for found in _IMPORT.finditer(line))
    paths = (Path(os.path.normpath(path.parent / one)) for one in named)
    return [one for one in dict.fromkeys(paths) if one.is_relative_to(root)]


def _text(root: Path, path: Path) -> str:
    """What stands in a plain file inside `root`; "" for everything else."""
    try:
        if not path.resolve().is_relative_to(root.resolve()) or not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(BYTES_MAX).decode("utf-8", "replace")
    except (OSError, ValueError, RuntimeError):
        return ""
