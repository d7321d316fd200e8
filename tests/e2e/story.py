"""A story as data: what a person corrects in one session, and when the agent must be reminded of it.

The files and what each field means: stories/README.md. A file that does not fit is refused with the field's name.
"""

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.world import Program

FOLDER = Path(__file__).parent / "stories"
PROJECT = "{project}"
"""Stands for the project's absolute path, in any string of a story."""
TOOLS = ("Bash", "Write", "Edit")


class StoryError(ValueError):
    """A story file does not say what a story must."""


@dataclass(frozen=True, slots=True)
class Act:
    """One tool call of the model."""

    tool: str
    input: Mapping[str, Any]

    def at(self, project: Path) -> dict[str, Any]:
        """As the model writes it in this project: with absolute paths."""
        given = {name: _filled(value, project) for name, value in self.input.items()}
        if "file_path" in given:
            given["file_path"] = str(project / given["file_path"])
        return {"name": self.tool, "input": given}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One story; see stories/README.md for every field."""

    name: str
    title: str
    files: Mapping[str, str]
    programs: tuple[Program, ...]
    prompt: str
    act: Act
    said: str
    instead: Act | None
    again: str
    rule: re.Pattern[str]
    held_prompt: str
    held_act: Act
    held_evidence: str
    """A file of the project that the held act changes; "" when a program on PATH shows that it ran."""
    held_repeated: bool
    unrelated: str


def load(path: Path) -> Story:
    """The story in a file. StoryError: which field is missing, unknown or wrong."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise StoryError(f"{path.name}: not JSON: {exc}") from exc
    try:
        return _story(_Fields(data, "the story"), path.stem)
    except StoryError as exc:
        raise StoryError(f"{path.name}: {exc}") from exc


def _story(story: "_Fields", stem: str) -> Story:
    name = story.text("name")
    if name != stem:
        raise StoryError(f'"name" is {name!r}, but the file is called {stem!r}')
    correction, held = story.part("correction"), story.part("held")
    again, expect, unrelated = story.part("again"), story.part("expect"), story.part("unrelated")
    files = story.take("files", dict, {})
    act, held_act = correction.act("tool"), held.act("tool")
    programs = tuple(_program(value) for value in story.take("programs", list, []))
    found = Story(
        name=name,
        title=story.text("title"),
        files=files,
        programs=programs,
        prompt=correction.text("prompt"),
        act=act,
        said=correction.text("said"),
        instead=correction.act("instead") if correction.has("instead") else None,
        again=again.text("prompt"),
        rule=_pattern(expect.text("rule")),
        held_prompt=held.text("prompt"),
        held_act=held_act,
        held_evidence=held.take("evidence", str, "") or str(held_act.input.get("file_path", "")),
        held_repeated=held.take("permitted", bool, True),
        unrelated=unrelated.text("prompt"),
    )
    for fields in (story, correction, held, again, expect, unrelated):
        fields.refuse_rest()
    if not found.held_evidence and not programs:
        raise StoryError('nothing would show whether the held call ran: name "programs", or "evidence" in "held"')
    return found


class _Fields:
    """A JSON object whose fields are taken one by one; what is left over is a mistake."""

    def __init__(self, data: Any, where: str) -> None:
        if not isinstance(data, dict):
            raise StoryError(f"{where} must be an object")
        self._left, self._where, self._known = dict(data), where, set[str]()

    def has(self, name: str) -> bool:
        self._known.add(name)
        return self._left.get(name) is not None

    def take(self, name: str, kind: type[Any], default: Any = None) -> Any:
        self._known.add(name)
        value = self._left.pop(name, default)
        if value is None:
            raise StoryError(f'"{name}" is missing in {self._where}')
        if not isinstance(value, kind):
            raise StoryError(f'"{name}" in {self._where} must be of type {kind.__name__}')
        return value

    def text(self, name: str) -> str:
        value: str = self.take(name, str)
        if not value.strip():
            raise StoryError(f'"{name}" in {self._where} is empty')
        return value

    def part(self, name: str) -> "_Fields":
        return _Fields(self.take(name, dict), f'"{name}"')

    def act(self, name: str) -> Act:
        tool = _Fields(self.take(name, dict), f'"{name}" of {self._where}')
        found = Act(tool.text("name"), tool.take("input", dict))
        tool.refuse_rest()
        if found.tool not in TOOLS:
            raise StoryError(f'"{name}" of {self._where} names the tool {found.tool!r}; use {", ".join(TOOLS)}')
        return found

    def refuse_rest(self) -> None:
        for name in self._left:
            near = difflib.get_close_matches(name, self._known, n=1)
            advice = f'; did you mean "{near[0]}"?' if near else ""
            raise StoryError(f'"{name}" in {self._where} is not a field{advice}')


def _program(value: Any) -> Program:
    if isinstance(value, str):
        return Program(name=value)
    fields = _Fields(value, '"programs"')
    program = Program(
        name=fields.text("name"),
        prints=fields.take("prints", str, ""),
        exits=fields.take("exits", int, 0),
        only=fields.take("only", str, ""),
    )
    fields.refuse_rest()
    return program


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE | re.DOTALL)
    except re.error as exc:
        raise StoryError(f'"rule" in "expect" is not a regular expression: {exc}') from exc


def _filled(value: Any, project: Path) -> Any:
    if isinstance(value, str):
        return value.replace(PROJECT, str(project))
    if isinstance(value, list):
        return [_filled(part, project) for part in value]
    if isinstance(value, dict):
        return {name: _filled(part, project) for name, part in value.items()}
    return value
