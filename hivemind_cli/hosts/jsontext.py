"""Small changes to a person's JSON file that leave every other byte as it stands.

`parse` gives the tree with the place of every value in the text; the edits below work on places, so white space,
key order, number spelling and line ends of what is not ours survive. Plain JSON only: comments are refused.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")
_INDENT = re.compile(r"[{\[][ \t]*\r?\n([ \t]+)\S")
_NESTING_MAX = 200
_DECODER = json.JSONDecoder()

Places = list[tuple[int, int, str]]
"""Replacements: from, to, by what. They never overlap."""


@dataclass(slots=True)
class Node:
    """One value: `text[start:end]`. A member of an object has its key, and `begin` is where the key begins."""

    value: Any
    start: int
    end: int
    begin: int
    key: str = ""
    children: list["Node"] = field(default_factory=list)

    def get(self, key: str) -> "Node | None":
        """The member called `key`, or None."""
        return next((child for child in self.children if child.key == key), None) if self.is_object else None

    @property
    def is_object(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_array(self) -> bool:
        return isinstance(self.value, list)


def parse(text: str) -> Node:
    """The tree of `text`. ValueError (with line and column, as json.JSONDecodeError) if it is not JSON, holds a
    key twice in one object, or is nested beyond 200."""
    value = json.loads(text, object_pairs_hook=_once)
    return _node(text, _space(text, 0), value, 0)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, _ in pairs if [name for name, _ in pairs].count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def _space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _node(text: str, at: int, value: Any, depth: int) -> Node:
    if depth > _NESTING_MAX:
        raise ValueError("it is nested too deeply")
    node = Node(value=value, start=at, end=at, begin=at)
    if isinstance(value, dict | list):
        node.children = list(_children(text, node, depth))
        last = node.children[-1].end if node.children else at + 1
        node.end = _space(text, last) + 1
    else:
        node.end = _DECODER.raw_decode(text, at)[1]
    return node


def _children(text: str, parent: Node, depth: int) -> Iterator[Node]:
    at = parent.start + 1
    for item in parent.value.items() if parent.is_object else ((("", value)) for value in parent.value):
        key, value = item
        at = begin = _space(text, at)
        if parent.is_object:
            at = _space(text, _DECODER.raw_decode(text, at)[1])
            at = _space(text, at + 1)  # behind the colon
        child = _node(text, at, value, depth + 1)
        child.key, child.begin = key, begin
        yield child
        at = _space(text, child.end) + 1  # behind the comma


@dataclass(frozen=True, slots=True)
class Style:
    """How the file is written: its indentation ("" if it is all on one line) and its line ends."""

    indent: str
    newline: str

    @classmethod
    def of(cls, text: str) -> "Style":
        """As the first indented line shows; two spaces for a file that shows none and is not on one line."""
        newline = "\r\n" if "\r\n" in text else "\n"
        found = _INDENT.search(text)
        if found:
            return cls(found.group(1), newline)
        return cls("" if text.strip() not in ("", "{}") else "  ", newline)

    def render(self, value: Any, depth: int) -> str:
        """`value` as it would stand at `depth`."""
        if not self.indent:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        lines = json.dumps(value, ensure_ascii=False, indent=self.indent).split("\n")
        return (self.newline + self.indent * depth).join(lines)


def append(text: str, container: Node, key: str | None, value: Any, style: Style, depth: int) -> tuple[int, int, str]:
    """Put a member (`key`) or an element (None) last into `container`, which stands at `depth`."""
    colon = ": " if style.indent else ":"
    name = json.dumps(key, ensure_ascii=False) + colon if key is not None else ""
    if not style.indent:
        comma = "," if container.children else ""
        at = container.children[-1].end if container.children else container.start + 1
        return at, at, comma + name + style.render(value, 0)
    item = style.newline + style.indent * (depth + 1) + name + style.render(value, depth + 1)
    if container.children:
        last = container.children[-1].end
        closing = "" if "\n" in text[last : container.end] else style.newline + style.indent * depth
        return last, last, f",{item}{closing}"
    return container.start + 1, container.end - 1, item + style.newline + style.indent * depth


def without(container: Node, unwanted: Collection[int]) -> Places:
    """Cut the children at these positions, each with one comma. All of them: the container is left empty."""
    children = container.children
    if len(unwanted) == len(children):
        return [(container.start + 1, container.end - 1, "")] if children else []
    places: Places = []
    kept = False
    for position, child in enumerate(children):
        if position not in unwanted:
            kept = True
        elif kept:
            places.append((children[position - 1].end, child.end, ""))
        else:
            places.append((child.begin, children[position + 1].begin, ""))
    return places


def changed(text: str, places: Places) -> str:
    """`text` with the replacements made."""
    for start, end, by in sorted(places, reverse=True):
        text = text[:start] + by + text[end:]
    return text
