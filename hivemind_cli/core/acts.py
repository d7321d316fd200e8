"""What an agent did in one tool call, in words that no host owns.

An Act is what corrections, recall and feedback compare: a shell command, a file written, a file read,
or any other tool. Hosts build it once, when they decode a tool event.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from hivemind_cli.core.shell import simple_commands

SHELL, EDIT, READ, OTHER = "shell", "edit", "read", "other"

_PLAIN_WORD = re.compile(r"^[A-Za-z][A-Za-z0-9_:-]*$")
_NO_ACT = frozenset(
    {
        "cd",
        "pushd",
        "popd",
        "export",
        "set",
        "source",
        ".",
        "true",
        "false",
        ":",
        "echo",
        "[",
        "[[",
        "test",
        "command",
        "exit",
    }
)
"""Set the stage for the next command; an act of their own only when alone."""


@dataclass(frozen=True, slots=True)
class Act:
    """One tool call: `kind` is shell, edit, read or other."""

    kind: str
    tool: str
    command: str = ""
    path: str = ""
    """As the agent gave it; relative to the project's root where it lies inside."""
    text: str = ""
    """What was written (edit), or the input in short (other)."""

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> "Act":
        """The Act in a payload's `act` field; missing fields are empty."""
        return cls(
            kind=str(value.get("kind") or OTHER),
            tool=str(value.get("tool", "")),
            command=str(value.get("command", "")),
            path=str(value.get("path", "")),
            text=str(value.get("text", "")),
        )

    def as_json(self) -> dict[str, str]:
        """Only the fields that say something."""
        fields = {"kind": self.kind, "tool": self.tool, "command": self.command, "path": self.path}
        return {name: value for name, value in {**fields, "text": self.text}.items() if value}

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads of all simple commands of a shell act, e.g. ("git add", "git commit")."""
        return command_heads(self.command) if self.kind == SHELL else ()

    @property
    def path_class(self) -> str:
        """Folder and extension of an edit or read: "src/utils/*.py"; "" without a path."""
        if not self.path:
            return ""
        path = PurePosixPath(self.path)
        folder = "" if str(path.parent) == "." else f"{path.parent}/"
        return f"{folder}*{path.suffix}" if path.suffix else f"{folder}{path.name}"

    @property
    def signature(self) -> str:
        """What makes two calls the same act: tool and command head, or tool and path class."""
        if self.kind == SHELL:
            return f"shell:{self.heads[0] if self.heads else ''}"
        if self.kind in (EDIT, READ):
            return f"{self.kind}:{self.path_class}"
        return f"tool:{self.tool}"

    @property
    def short(self) -> str:
        """One line a person recognises the act by, at most 200 characters."""
        said = self.command or self.path or self.text or self.tool
        return " ".join(said.split())[:200]


_KEPT_CHARS_MAX = 1000
"""Longer commands are not remembered."""


def command_heads(command: str) -> tuple[str, ...]:
    """Program and subcommand of each simple command in a shell line, in order, without repeats.

    `cd app && FOO=1 sudo /usr/bin/git push -f origin` gives ("git push",), and so does `bash -lc "git push"`. Text
    that is no valid shell (an open quote) is split at white space.
    """
    return _kept_heads(command) if len(command) <= _KEPT_CHARS_MAX else _heads(command)


@lru_cache(maxsize=4096)
def _kept_heads(command: str) -> tuple[str, ...]:
    """The same few commands are compared again and again, with every skill and memo."""
    return _heads(command)


def _heads(command: str) -> tuple[str, ...]:
    heads: dict[str, None] = {}
    staged: dict[str, None] = {}
    for words in simple_commands(command):
        head = _head(words)
        if head:
            (staged if head.split(" ")[0] in _NO_ACT else heads).setdefault(head)
    return tuple(heads or staged)


def _head(words: list[str]) -> str:
    program = PurePosixPath(words[0]).name
    if not program.strip("$"):
        return ""
    after_option = False
    for word in words[1:]:
        if word.startswith("-"):
            after_option = "=" not in word
            continue
        if _PLAIN_WORD.match(word):
            return f"{program} {word}"
        if not after_option:
            return program
        after_option = False  # a value, as in `git -C ../other commit`
    return program
