"""A sitting of `hivemind skillify review`: one skill at a time, a key for each decision, and the person's editor."""

import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hivemind_cli.app.reviewing import Waiting
    from hivemind_cli.cli.screen import Screen
    from hivemind_cli.core.records import SkillRevision

_EDITORS = ("sensible-editor", "nano", "vi")
"""Tried where the environment names none."""
_KEYS = {"a": "accept", "r": "reject", "k": "keep", "s": "skip"}


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about one version of a skill."""

    verb: str
    """accept, reject, keep, skip, edit."""
    skill: "SkillRevision"
    text: str = ""
    """For edit: the SKILL.md they wrote."""
    place: int = 0
    """Of the skill among those that wait."""
    beside: str = ""
    """For edit: the live skill that it contradicted before; it stays live."""

    @property
    def told(self) -> str:
        """In a few words."""
        verb = "retire" if self.verb == "reject" and self.skill.state.value == "live" else self.verb
        return f"{verb} {self.skill.name}"


@dataclass(slots=True)
class Sitting:
    """Where a person is, and what they decided. Nothing is done before they quit."""

    items: "list[Waiting]"
    at: int = 0
    decisions: list[Decision] = field(default_factory=list)
    """Skips among them, so that they can be undone."""
    message: str = ""
    top: int = 0

    @property
    def pending(self) -> int:
        """Decisions that change something."""
        return sum(one.verb != "skip" for one in self.decisions)

    def run(self, screen: "Screen") -> None:
        """Ask until the person quits, or nothing is left and they say so."""
        while self.at < len(self.items) or self.pending:
            going_on = self._asked(screen) if self.at < len(self.items) else self._ended(screen)
            if not going_on:
                break

    def _asked(self, screen: "Screen") -> bool:
        """One key about one skill; False: the person quits."""
        from hivemind_cli.cli.review_screen import item_lines, keys_for

        item = self.items[self.at]
        width, height = screen.size
        place = f"{self.at + 1} of {len(self.items)}"
        lines, self.top = item_lines(
            item,
            width=width,
            height=height,
            place=place,
            top=self.top,
            pending=self.pending,
            message=self.message,
        )
        screen.show(lines)
        key = screen.key()
        self.message = ""
        if key in ("q", "\x1b"):
            return False
        if key == "?":
            _help(screen)
        elif key == "u":
            self._undo()
        elif key in keys_for(item):
            if key == "e":
                self._edit(screen, item)
            else:
                self._decide(_KEYS[key], item)
        elif not self._moved(key, max(height - 8, 1)) and key:
            means = ", ".join(f"{one} {does}" for one, does in keys_for(item).items())
            self.message = f"That key means nothing here: {means}, ? for help."
        return True

    def _decide(self, verb: str, item: "Waiting", text: str = "") -> None:
        beside = item.displaces if verb == "edit" else ""
        self.decisions.append(Decision(verb, item.skill, text, self.at, beside))
        self.at, self.top = self.at + 1, 0

    def _undo(self) -> None:
        if not self.decisions:
            self.message = "There is nothing to undo."
            return
        taken_back = self.decisions.pop()
        self.at, self.top = taken_back.place, 0
        self.message = f"Taken back: {taken_back.told}."

    def _moved(self, key: str, page: int) -> bool:
        from hivemind_cli.cli import screen

        steps = {
            screen.UP: -1,
            screen.DOWN: 1,
            screen.PAGE_UP: -page,
            "b": -page,
            screen.PAGE_DOWN: page,
            " ": page,
            screen.HOME: -self.top,
            screen.END: 1 << 20,
        }
        self.top = max(self.top + steps.get(key, 0), 0)
        return key in steps

    def _ended(self, screen: "Screen") -> bool:
        """After the last skill: a key to carry it out, or to go back."""
        from hivemind_cli.cli.review_screen import end_lines

        screen.show(end_lines([one.told for one in self.decisions], *screen.size))
        key = screen.key()
        if key == "u":
            self._undo()
        return key not in ("q", "\n", "\r", "\x1b")

    def _edit(self, screen: "Screen", item: "Waiting") -> None:
        """What the person's editor makes of the file, once it can be used."""
        text = item.file
        while True:
            with screen.lent():
                text, trouble = _in_editor(text)
            if trouble:
                self.message = trouble
                return
            if text == item.file:
                self.message = "Nothing was changed."
                return
            fault = _fault(text, item)
            if not fault:
                self._decide("edit", item, text)
                return
            if not _again(screen, item.skill.name, fault):
                self.message = "The edit was dropped."
                return


def _help(screen: "Screen") -> None:
    from hivemind_cli.cli.review_screen import help_lines

    while True:
        screen.show(help_lines(*screen.size))
        if screen.key():
            return


def _again(screen: "Screen", name: str, fault: str) -> bool:
    """Shall a file that cannot be used be edited again?"""
    from hivemind_cli.cli.review_screen import fault_lines

    while True:
        screen.show(fault_lines(name, fault, *screen.size))
        key = screen.key()
        if key in ("e", "d", "q", "\x1b"):
            return key == "e"


def _in_editor(text: str) -> tuple[str, str]:
    """(what the person saved, why nothing came of it)."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    found = shlex.split(named) or [path for one in _EDITORS if (path := shutil.which(one))][:1]
    if not found:
        return text, "No editor was found: set EDITOR to yours."
    with tempfile.TemporaryDirectory(prefix="hivemind-review-") as folder:
        copy = Path(folder, "SKILL.md")
        copy.touch(0o600)
        copy.write_text(text, "utf-8")
        try:
            code = subprocess.run([*found, str(copy)], check=False).returncode
            if code:
                return text, f"The editor {found[0]} ended with {code}: nothing was taken."
            return copy.read_text("utf-8", "replace"), ""
        except OSError as exc:
            return text, f"The editor {found[0]} cannot be used: {exc.strerror or exc}."


def _fault(text: str, item: "Waiting") -> str:
    """What is wrong with an edited SKILL.md that was not wrong before; "" if it can be used."""
    from hivemind_cli.skills.format import SkillFault, check, parse

    try:
        parsed = parse(text)
    except SkillFault as fault:
        return "\n".join(part for part in (fault.what, fault.why, fault.fix) if part)
    name = item.skill.name
    if not parsed.body.strip():
        return "It says nothing any more.\nTo be rid of the skill, drop the edit and reject it."
    before = check(item.file, name)
    return "\n".join(one for one in check(text, name) if one not in before)
