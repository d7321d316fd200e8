"""Small changes to a person's YAML file that leave every other byte as it stands.

As `jsontext` for JSON: the tree gives the place of every value in the text, and edits work on places. Block and flow
style are both known; what cannot be edited safely (several documents, an anchor, a key twice) is refused.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

Places = list[tuple[int, int, str]]
"""Replacements: from, to, by what. They never overlap."""

_NULLS = ("", "~", "null", "Null", "NULL")


@dataclass(slots=True)
class Node:
    """One value: `text[start:end]`. A member of a mapping has its key, and `begin` is where the key begins."""

    kind: str
    """mapping, sequence or scalar."""
    start: int
    end: int
    begin: int
    column: int
    """Of its first character: that of a block sequence is its first dash."""
    flow: bool
    value: str = ""
    """Of a scalar, as text."""
    plain: bool = False
    """A scalar without quotes."""
    key: str = ""
    children: list["Node"] = field(default_factory=list)

    def get(self, key: str) -> "Node | None":
        """The member called `key`, or None."""
        return next((one for one in self.children if one.key == key), None) if self.kind == "mapping" else None

    @property
    def is_null(self) -> bool:
        return self.kind == "scalar" and self.plain and self.value in _NULLS

    @property
    def last(self) -> int:
        """Where the last word of it ends; a block's own end may lie behind comments."""
        if self.flow or not self.children:
            return self.end
        return self.children[-1].last


def parse(text: str) -> Node | None:
    """The tree of the one document in `text`; None if it says nothing. ValueError, with the place: it is not YAML."""
    from ruamel.yaml import YAML  # dear to import, and seldom needed
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        documents = list(YAML(typ="safe", pure=True).compose_all(text))
    except MarkedYAMLError as exc:
        mark = exc.problem_mark
        place = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise ValueError(f"{exc.problem or 'it cannot be read'}{place}") from exc
    except YAMLError as exc:
        raise ValueError(str(exc).split("\n", 1)[0]) from exc
    if len(documents) > 1:
        raise ValueError("it holds more than one document")
    return _node(documents[0], {}) if documents and documents[0] is not None else None


def _node(composed: Any, above: dict[int, Any], key: Any = None) -> Node:
    if id(composed) in above:
        raise ValueError("a value refers to itself")
    start, end = composed.start_mark, composed.end_mark
    kind = composed.id
    node = Node(
        kind=kind,
        start=start.index,
        end=end.index,
        begin=key.start_mark.index if key is not None else start.index,
        column=start.column,
        flow=kind != "scalar" and bool(composed.flow_style),
        value=str(composed.value) if kind == "scalar" else "",
        plain=kind == "scalar" and not composed.style,
        key=str(key.value) if key is not None and key.id == "scalar" else "",
    )
    inside = {**above, id(composed): composed}
    if kind == "mapping":
        node.children = [_node(value, inside, name) for name, value in composed.value]
    elif kind == "sequence":
        node.children = [_node(value, inside) for value in composed.value]
    return node


def line_start(text: str, at: int) -> int:
    """Where the line of `at` begins."""
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    """Behind the line of `at`, its newline included; `at` itself if a line begins there."""
    if at and text[at - 1] == "\n":
        return at
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def newline_of(text: str) -> str:
    """The file's line ends."""
    return "\r\n" if "\r\n" in text else "\n"


def quoted(value: str) -> str:
    """A scalar in double quotes."""
    return json.dumps(value, ensure_ascii=False)


def insert_line(text: str, at: int, lines: Sequence[str]) -> tuple[int, int, str]:
    """Whole lines behind the line of `at`, which ends in a newline."""
    newline = newline_of(text)
    place = line_end(text, at)
    return place, place, newline.join(lines) + newline


def insert_flow(text: str, container: Node, items: Sequence[str]) -> tuple[int, int, str]:
    """Items last into a flow sequence or mapping."""
    at = container.end - 1
    before = text[container.start + 1 : at].rstrip()
    comma = "" if not container.children or before.endswith(",") else ", "
    return at, at, comma + ", ".join(items)


def without(text: str, container: Node, unwanted: Collection[int]) -> Places:
    """Cut the children at these positions; never all of a container in block style."""
    places: Places = []
    for position in sorted(unwanted):
        child = container.children[position]
        if not container.flow:
            first = child.begin if container.kind == "mapping" else _dash(text, container, child)
            places.append((line_start(text, first), line_end(text, child.last), ""))
        elif position + 1 < len(container.children):
            places.append((child.begin, container.children[position + 1].begin, ""))
        else:
            kept = [i for i in range(position) if i not in unwanted]
            places.append((container.children[kept[-1]].end if kept else child.begin, child.end, ""))
    return _united(places)


def _dash(text: str, container: Node, child: Node) -> int:
    """Where the dash before a block sequence's item stands: all of them in one column."""
    line = line_start(text, child.start)
    while line and (line + container.column >= child.start or text[line + container.column] != "-"):
        line = line_start(text, line - 1)
    return line + container.column


def _united(places: Places) -> Places:
    united: Places = []
    for start, end, by in sorted(places):
        if united and start < united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]), by)
        else:
            united.append((start, end, by))
    return united


def changed(text: str, places: Places) -> str:
    """`text` with the replacements made; of several insertions at one place the first stands first."""
    ordered = sorted(places, key=lambda place: place[:2])
    for start, end, by in ordered[::-1]:
        text = text[:start] + by + text[end:]
    return text
