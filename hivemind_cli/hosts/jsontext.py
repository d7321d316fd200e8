"""Small changes to a person's JSON file that leave every other byte as it stands.

`parse` gives the tree with the place of every value, comma and comment in the text; the edits below work on places,
so white space, key order, number spelling, comments and line ends of what is not ours survive.
"""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from hivemind_cli.hosts.jsonwords import Dialect, Words

__all__ = ["Dialect", "Node", "Places", "Style", "append", "changed", "parse", "without"]

_INDENT = re.compile(r"[{\[][ \t]*(?://[^\n\r]*|/\*(?:[^*]|\*(?!/))*\*/[ \t]*)?\r?\n([ \t]+)\S")
_LINE_END = re.compile(r"[ \t]*(?=[\r\n]|$)")
_NESTING_MAX = 200

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
    commas: list[int] = field(default_factory=list)
    """Where they stand between the children; one more if there is one behind the last."""
    comments: list[tuple[int, int]] = field(default_factory=list)
    """Those in a container that are in none of its children, the line's end not included."""

    def get(self, key: str) -> "Node | None":
        """The member called `key`, or None."""
        return next((child for child in self.children if child.key == key), None) if self.is_object else None

    @property
    def is_object(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_array(self) -> bool:
        return isinstance(self.value, list)

    def comments_between(self, start: int, end: int) -> list[tuple[int, int]]:
        """Those of this container that stand from `start` to `end`, in order."""
        return [comment for comment in self.comments if start <= comment[0] and comment[1] <= end]


def parse(text: str, dialect: Dialect = Dialect.JSON) -> Node:
    """The tree of `text`. ValueError (with line and column, as json.JSONDecodeError) if it is not of this dialect,
    holds a key twice in one object, or is nested beyond 200."""
    words = Words(text, dialect)
    at, _ = words.skip(0)
    root = _node(words, at, 0)
    at, _ = words.skip(root.end)
    if at < len(text):
        raise words.wrong("Extra data", at)
    return root


def _node(words: Words, at: int, depth: int) -> Node:
    if depth > _NESTING_MAX:
        raise words.wrong("Nested too deeply", at)
    opening = words.text[at : at + 1]
    if opening not in ("{", "["):
        value, end = words.scalar(at)
        return Node(value=value, start=at, end=end, begin=at)
    node = Node(value={} if opening == "{" else [], start=at, end=at, begin=at)
    _read_children(words, node, "}" if opening == "{" else "]", depth)
    return node


def _read_children(words: Words, node: Node, closing: str, depth: int) -> None:
    at, node.comments = words.skip(node.start + 1)
    while words.text[at : at + 1] != closing:
        child = _member(words, node, at, depth) if node.is_object else _node(words, at, depth + 1)
        if not node.is_object:
            node.value.append(child.value)
        node.children.append(child)
        at, comments = words.skip(child.end)
        node.comments += comments
        if words.text[at : at + 1] == ",":
            node.commas.append(at)
            at, comments = words.skip(at + 1)
            node.comments += comments
            if words.text[at : at + 1] == closing and not words.dialect.trailing_commas:
                raise words.wrong("Illegal trailing comma before end of " + _kind(node), at - 1)
        elif words.text[at : at + 1] != closing:
            raise words.wrong("Expecting ',' delimiter", at)
    node.end = at + 1


def _kind(node: Node) -> str:
    return "object" if node.is_object else "array"


def _member(words: Words, parent: Node, at: int, depth: int) -> Node:
    key, end = words.key(at)
    if key in parent.value:
        raise words.wrong(f"The key {key!r} stands twice in one object", at)
    colon, _ = words.skip(end)
    if words.text[colon : colon + 1] != ":":
        raise words.wrong("Expecting ':' delimiter", colon)
    child = _node(words, words.skip(colon + 1)[0], depth + 1)
    child.key, child.begin = key, at
    parent.value[key] = child.value
    return child


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
        """`value` as it would stand at `depth`: plain JSON, which every dialect reads."""
        if not self.indent:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        lines = json.dumps(value, ensure_ascii=False, indent=self.indent).split("\n")
        return (self.newline + self.indent * depth).join(lines)


def append(text: str, container: Node, key: str | None, value: Any, style: Style, depth: int) -> tuple[int, int, str]:
    """Put a member (`key`) or an element (None) last into `container`, which stands at `depth`.

    It comes behind the comments that follow the last child; a comma behind the last child stays one behind the last.
    """
    colon = ": " if style.indent else ":"
    name = json.dumps(key, ensure_ascii=False) + colon if key is not None else ""
    last = container.children[-1].end if container.children else container.start + 1
    trailing = len(container.commas) == len(container.children) > 0
    comments = container.comments_between(last, container.end)
    behind = max([last, *(end for _, end in comments), *(comma + 1 for comma in container.commas)])
    comma = "," if container.children and not trailing else ""
    kept = comma + text[last:behind]
    after = "," if trailing else ""
    if not style.indent:
        line = style.newline if comments and _is_line(text, comments[-1]) else ""
        return last, behind, kept + line + name + style.render(value, 0) + after
    item = style.newline + style.indent * (depth + 1) + name + style.render(value, depth + 1) + after
    closing = style.newline + style.indent * depth
    if not container.children and not comments:
        return last, container.end - 1, item + closing
    return last, behind, kept + item + ("" if "\n" in text[behind : container.end] else closing)


def without(text: str, container: Node, unwanted: Collection[int]) -> Places:
    """Cut the children at these positions, each with one comma; all comments stay.

    All of the children: the container is left empty, but for its comments.
    """
    children = container.children
    if len(unwanted) == len(children) and not container.comments:
        return [(container.start + 1, container.end - 1, "")] if children else []
    cuts: list[tuple[int, int]] = []
    for first, last in _runs(sorted(unwanted)):
        gap = (children[first - 1].end, children[first].begin) if first else (0, 0)
        own_comma = last < len(container.commas) and bool(container.comments_between(*gap))
        cut = _with_comma_before if first and not own_comma else _with_comma_behind
        cuts += [one for position in range(first, last + 1) for one in cut(container, position)]
    return [(_behind_line_end(text, container, start, end), end, "") for start, end in _united(cuts)]


def _runs(positions: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of each row of neighbours."""
    firsts = [one for one in positions if one - 1 not in positions]
    lasts = [one for one in positions if one + 1 not in positions]
    return list(zip(firsts, lasts, strict=True))


def _with_comma_before(container: Node, position: int) -> list[tuple[int, int]]:
    before, child = container.children[position - 1], container.children[position]
    if not container.comments_between(before.end, child.begin):
        return [(before.end, child.end)]
    comma = container.commas[position - 1]
    return [(comma, comma + 1), (_space_before(container, position), child.end)]


def _with_comma_behind(container: Node, position: int) -> list[tuple[int, int]]:
    """The last child may have none."""
    child, more = container.children[position], position + 1 < len(container.children)
    following = container.children[position + 1].begin if more else container.end - 1
    comments = container.comments_between(child.end, following)
    comma = container.commas[position] if position < len(container.commas) else None
    end = child.end if comma is None else comma + 1
    if more and not comments:
        return [(child.begin, following)]
    if comments:
        own = [] if comma is None else [(comma, end)]
        return [(child.begin, comments[0][0]), *own]
    return [(_space_before(container, position), end)]


def _space_before(container: Node, position: int) -> int:
    """From where the white space before a child can be cut with it."""
    before = container.commas[position - 1] + 1 if position else container.start + 1
    comments = container.comments_between(before, container.children[position].begin)
    return comments[-1][1] if comments else before


def _behind_line_end(text: str, container: Node, start: int, end: int) -> int:
    """`start` of a cut, or where the line begins, if a comment would else swallow what follows the cut."""
    comment = next((one for one in container.comments if one[1] == start), None)
    if comment is None or not _is_line(text, comment) or _LINE_END.match(text, end):
        return start
    return start + (2 if text.startswith("\r\n", start) else 1)


def _united(cuts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same cuts, those that touch made one."""
    united: list[tuple[int, int]] = []
    for start, end in sorted(cuts):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united


def _is_line(text: str, comment: tuple[int, int]) -> bool:
    return text.startswith("//", comment[0])


def changed(text: str, places: Places) -> str:
    """`text` with the replacements made."""
    for start, end, by in sorted(places, reverse=True):
        text = text[:start] + by + text[end:]
    return text
