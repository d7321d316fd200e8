"""One member of a person's settings, by its path of keys, in JSON, TOML or YAML; every other byte stays as it is.

`put` and `cut` take the whole text and give the changed one. ValueError, in words that follow "because": the text is
not of the format, or of a shape in which the member has no safe place.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hivemind_cli.hosts import jsontext, yamltext
from hivemind_cli.hosts.jsontext import Dialect, Style

Keys = Sequence[str]
Entry = Mapping[str, Any]
"""Texts, truth values, lists of texts, and objects of texts."""
_HEADER = re.compile(r"^[ \t]*\[\[?[ \t]*([^\]\n]+?)[ \t]*\]\]?[ \t]*(?:#.*)?$", re.MULTILINE)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t]*\r?\n")


class Format(Protocol):
    """How a host's settings are written."""

    def read(self, text: str) -> dict[str, Any]:
        """All that it says."""

    def put(self, text: str, keys: Keys, entry: Entry) -> str:
        """With the member at `keys` being `entry`."""

    def cut(self, text: str, keys: Keys) -> str:
        """Without the member at `keys`, and what only it filled."""


def member(said: object, keys: Keys) -> object:
    """What stands at `keys`; None if nothing does."""
    for key in keys:
        said = said.get(key) if isinstance(said, dict) else None
    return said


class Json:
    """JSON of a dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def read(self, text: str) -> dict[str, Any]:
        value = self._root(text).value
        return value if isinstance(value, dict) else {}

    def put(self, text: str, keys: Keys, entry: Entry) -> str:
        text = text if text.strip() else "{}\n"
        node, style = self._root(text), Style.of(text)
        for depth, key in enumerate(keys):
            child = node.get(key)
            if child is None:
                value: Any = dict(entry)
                for inner in reversed(keys[depth + 1 :]):
                    value = {inner: value}
                return jsontext.changed(text, [jsontext.append(text, node, key, value, style, depth)])
            if not child.is_object:
                raise ValueError(f"`{'.'.join(keys[: depth + 1])}` is no object")
            node = child
        return jsontext.changed(text, [(node.start, node.end, style.render(dict(entry), len(keys)))])

    def cut(self, text: str, keys: Keys) -> str:
        path = [self._root(text)]
        for key in keys:
            child = path[-1].get(key)
            if child is None:
                return text
            path.append(child)
        parent, node = path[-2], path[-1]
        while len(path) > 2 and len(parent.children) == 1 and not parent.comments:
            path.pop()
            parent, node = path[-2], path[-1]
        return jsontext.changed(text, jsontext.without(text, parent, {parent.children.index(node)}))

    def _root(self, text: str) -> jsontext.Node:
        root = jsontext.parse(text if text.strip() else "{}", self._dialect)
        if not root.is_object:
            raise ValueError("it holds no object")
        return root


class Toml:
    """TOML; the member is a table of its own, the last of the file."""

    def read(self, text: str) -> dict[str, Any]:
        return tomllib.loads(text)

    def put(self, text: str, keys: Keys, entry: Entry) -> str:
        newline = "\r\n" if "\r\n" in text else "\n"
        header = ".".join(key if _BARE.fullmatch(key) else _toml(key) for key in keys)
        table = newline.join([f"[{header}]", *(f"{key} = {_toml(value)}" for key, value in entry.items()), ""])
        before = self.read(text)
        if member(before, keys) is not None:
            start, end = self._place(text, keys)
            text, behind = text[:start], text[end:]
            gap = newline if behind.strip() and not _BLANK.match(behind) else ""
            return self._sound(text + table + gap + behind, keys)
        between = "" if not text or text.endswith("\n") else newline
        return self._sound(text + between + (newline if text.strip() else "") + table, keys)

    def cut(self, text: str, keys: Keys) -> str:
        if member(self.read(text), keys) is None:
            return text
        start, end = self._place(text, keys)
        before, behind = text[:start], text[end:]
        if before.endswith(("\n\n", "\n\r\n")) and (not behind.strip() or _BLANK.match(behind)):
            before = re.sub(r"\r?\n\Z", "", before)
        return self._sound(before + behind, keys)

    def _sound(self, text: str, keys: Keys) -> str:
        try:
            self.read(text)
        except ValueError as exc:
            raise ValueError(f"`{'.'.join(keys[:-1])}` is written there in a way that cannot be added to") from exc
        return text

    def _place(self, text: str, keys: Keys) -> tuple[int, int]:
        """From the member's header to its last line; comments that follow are another's."""
        start, end = None, len(text)
        for found in _HEADER.finditer(text):
            path = _path(found[1])
            inside = path[: len(keys)] == tuple(keys)
            if start is None and inside:
                start = found.start()
            elif start is not None and not inside:
                end = found.start()
                break
        if start is None:
            raise ValueError(f"`{'.'.join(keys)}` is no table of its own there")
        said = start
        for line in re.finditer(r"[^\n]*(?:\n|\Z)", text[start:end]):
            if line[0].strip() and not line[0].lstrip().startswith("#"):
                said = start + line.end()
        return start, said


def _path(header: str) -> tuple[str, ...]:
    """The keys of a table's name; () for what only looks like one."""
    try:
        said: object = tomllib.loads(f"[{header}]")
    except ValueError:
        return ()
    keys: list[str] = []
    while isinstance(said, dict) and said:
        key, said = next(iter(said.items()))
        keys.append(key)
    return tuple(keys)


def _toml(value: object) -> str:
    import tomlkit

    if isinstance(value, Mapping):
        inline = tomlkit.inline_table()
        inline.update(value)
        return inline.as_string()
    return tomlkit.item(value).as_string()


class Yaml:
    """YAML; the member is one line in flow style."""

    def read(self, text: str) -> dict[str, Any]:
        root = yamltext.parse(text)
        value = _plain(root) if root is not None else {}
        if not isinstance(value, dict | None):
            raise ValueError("it holds no mapping")
        return value or {}

    def put(self, text: str, keys: Keys, entry: Entry) -> str:
        outer, name = keys
        newline = yamltext.newline_of(text)
        text = text if not text or text.endswith("\n") else text + newline
        line = f"{name}: {_flow(entry)}"
        root = yamltext.parse(text)
        if root is None or root.is_null:
            return text + newline.join([f"{outer}:", f"  {line}", ""])
        place = root.get(outer)
        if root.flow:
            raise ValueError("all of it is one mapping in braces")
        if place is None:
            return yamltext.changed(text, [yamltext.insert_line(text, root.last, [f"{outer}:", f"  {line}"])])
        if place.is_null:
            word = (place.start, place.end, "")
            return yamltext.changed(text, [word, yamltext.insert_line(text, place.begin + 1, [f"  {line}"])])
        if place.kind != "mapping":
            raise ValueError(f"`{outer}` is no mapping")
        known = place.get(name)
        if known is not None and known.flow:
            return yamltext.changed(text, [(known.begin, known.end, line)])
        if known is not None:
            first, end = yamltext.line_start(text, known.begin), yamltext.line_end(text, known.last)
            return yamltext.changed(text, [(first, end, f"{text[first : known.begin]}{line}{newline}")])
        if place.flow:
            return yamltext.changed(text, [yamltext.insert_flow(text, place, [line])])
        indent = place.children[0].begin - yamltext.line_start(text, place.children[0].begin)
        return yamltext.changed(text, [yamltext.insert_line(text, place.last, [" " * indent + line])])

    def cut(self, text: str, keys: Keys) -> str:
        outer, name = keys
        root = yamltext.parse(text)
        place = root.get(outer) if root is not None else None
        known = place.get(name) if place is not None else None
        if root is None or place is None or known is None:
            return text
        if len(place.children) > 1 or place.flow:
            return yamltext.changed(text, yamltext.without(text, place, {place.children.index(known)}))
        first, end = yamltext.line_start(text, known.begin), yamltext.line_end(text, known.last)
        above = yamltext.line_start(text, place.begin)
        if yamltext.line_end(text, place.begin) == first and text[above:first].strip() == f"{outer}:":
            first = above
        return text[:first] + text[end:]


def _plain(node: yamltext.Node) -> Any:
    if node.kind == "mapping":
        return {child.key: _plain(child) for child in node.children}
    if node.kind == "sequence":
        return [_plain(child) for child in node.children]
    return (
        None
        if node.is_null
        else {"true": True, "false": False}.get(node.value, node.value)
        if node.plain
        else node.value
    )


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, str):
        return yamltext.quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "[" + ", ".join(_flow(one) for one in value) + "]" if isinstance(value, Sequence) else str(value)
