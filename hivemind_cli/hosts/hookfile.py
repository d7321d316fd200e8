"""Our entries in a host's hook file, JSON whose `hooks` maps each event to a list, and nothing but ours.

Grouped  `{"hooks": {"<Event>": [{"matcher": "", "hooks": [{"type": "command", "command": "...", ...}]}]}}`
Flat     `{"hooks": {"<event>": [{"command": "...", ...}]}}`
An entry is ours if its command runs our hook's file; no marker is added. All other text stays byte for byte, comments
too, where the host's dialect of JSON has them.
"""

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import jsontext
from hivemind_cli.hosts.base import Edit
from hivemind_cli.hosts.jsontext import Dialect, Node, Places, Style

HOOK_FILE = "hivemind_hook.py"
_COMMANDS = ("command", "bash")
_BOM = "\ufeff"
_INERT = '{"hooks": []}'
"""A group that runs nothing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a host is to run at one event."""

    event: str
    handler: Mapping[str, Any]
    """The object that holds the command."""
    matcher: str | None = None
    """Of its group; None: the group has no such member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFile:
    """How one host writes its hook file."""

    label: str
    """Of the host, for what is said of a damaged file."""
    grouped: bool = True
    """Do handlers stand in groups, each with its matcher, or in the event's list itself?"""
    dialect: Dialect = Dialect.JSON
    """Which JSON the host reads its file as."""
    fresh: Mapping[str, Any] | None = None
    """What a file of ours holds besides `hooks`, where there was none: {"version": 1}."""
    positional: bool = False
    """Does the host know a person's consent to a hook by its group's place in the list? Then a group of ours that
    others follow is emptied where it stands, and only a last one is cut."""

    def plan(self, named: Path, entries: Iterable[Entry], note: str = "") -> list[Edit]:
        """One edit of the file so that it holds exactly these entries of ours, or none if it does already.

        HostError: we would not dare.
        """
        document = self.read(named)
        wanted = list(entries)
        text = document.text
        for entry in wanted:
            text = self._with_entry(text, entry, document.path)
        events = {entry.event for entry in wanted}
        text = self._without_ours(text, lambda event: event not in events)
        return document.edit(text, note=note)

    def plan_removal(self, named: Path) -> list[Edit]:
        """One edit that cuts every entry of ours, whatever hivemind wrote it, and what is empty by that."""
        document = self.read(named)
        if document.before is None:
            return []
        return document.edit(self._without_ours(document.text, lambda event: True))

    def read(self, named: Path) -> "Document":
        """The file as it stands. HostError unless it is absent, empty, or JSON of the shape we know."""
        path = own_file(named)
        empty = f"{Style('  ', chr(10)).render(dict(self.fresh or {}), 0)}\n"
        before, text = read_text(path)
        return Document(path, before, text if text.removeprefix(_BOM).strip() else empty, self)

    def root(self, text: str, path: Path) -> Node:
        """The tree of `text`. HostError: it is not of the shape we know."""
        fix = "Correct the file, then run this again; nothing was changed."
        try:
            root = jsontext.parse(text.removeprefix(_BOM), self.dialect)
        except (ValueError, RecursionError) as exc:
            raise HostError(f"{path} is not {self.dialect} that hivemind can edit.", why=f"{exc}.", fix=fix) from exc
        if not root.is_object:
            raise HostError(f"{path} holds no JSON object.", why=f"{self.label}'s settings are one object.", fix=fix)
        hooks = root.get("hooks")
        if hooks is not None and not hooks.is_object:
            raise HostError(f"`hooks` in {path} is not an object.", why=f"{self.label} maps events to lists.", fix=fix)
        for event in hooks.children if hooks else ():
            if not event.is_array:
                raise HostError(f"`hooks.{event.key}` in {path} is not a list.", why="Each event has a list.", fix=fix)
        return root

    def _with_entry(self, text: str, entry: Entry, path: Path) -> str:
        """`text` with exactly one handler of ours for the event, in place if an older one stands there."""
        mark = _BOM if text.startswith(_BOM) else ""
        body = text.removeprefix(_BOM)
        root, style = self.root(body, path), Style.of(body)
        handler = dict(entry.handler)
        matcher = {} if entry.matcher is None else {"matcher": entry.matcher}
        element = {**matcher, "hooks": [handler]} if self.grouped else {**handler, **matcher}
        hooks = root.get("hooks")
        listed = hooks.get(entry.event) if hooks else None
        ours = self._our_handlers(listed) if listed else []
        if hooks is None:
            places = [jsontext.append(body, root, "hooks", {entry.event: [element]}, style, 0)]
        elif listed is None:
            places = [jsontext.append(body, hooks, entry.event, [element], style, 1)]
        elif not ours:
            places = [jsontext.append(body, listed, None, element, style, 2)]
        elif ours[0].value == (handler if self.grouped else element):
            places = []
        else:
            newer = style.render(handler, 5) if self.grouped else style.render(element, 3)
            places = [(ours[0].start, ours[0].end, newer)]
        changed = mark + jsontext.changed(body, places)
        return self._without_repeats(changed, entry.event) if len(ours) > 1 else changed

    def _our_handlers(self, listed: Node) -> list[Node]:
        if not self.grouped:
            return [handler for handler in listed.children if is_ours(handler.value)]
        lists = [group.get("hooks") for group in listed.children]
        handlers = [one for one in lists if one is not None and one.is_array]
        return [handler for one in handlers for handler in one.children if is_ours(handler.value)]

    def _without_repeats(self, text: str, event: str) -> str:
        first = True

        def unwanted(handler: object) -> bool:
            nonlocal first
            if not is_ours(handler):
                return False
            first, keep = False, first
            return not keep

        return self._cut(text, {event}, unwanted)

    def _without_ours(self, text: str, of_event: Callable[[str], bool]) -> str:
        hooks = jsontext.parse(text.removeprefix(_BOM), self.dialect).get("hooks")
        events = {event.key for event in hooks.children if of_event(event.key)} if hooks else set()
        return self._cut(text, events, is_ours)

    def _cut(self, text: str, events: set[str], unwanted: Callable[[object], bool]) -> str:
        """`text` without the unwanted handlers of these events, and without what only they filled."""
        mark = _BOM if text.startswith(_BOM) else ""
        body = text.removeprefix(_BOM)
        root = jsontext.parse(body, self.dialect)
        hooks = root.get("hooks")
        if hooks is None:
            return text
        places: Places = []
        empty_events: set[int] = set()
        for position, listed in enumerate(hooks.children):
            if listed.key in events:
                inner, all_gone = self._cut_list(body, listed, unwanted)
                places += [] if all_gone else inner
                empty_events |= {position} if all_gone else set()
        if not empty_events:
            return mark + jsontext.changed(body, places)
        if len(empty_events) == len(hooks.children) and not hooks.comments:
            position = root.children.index(hooks)
            return mark + jsontext.changed(body, jsontext.without(body, root, {position}))
        return mark + jsontext.changed(body, places + jsontext.without(body, hooks, empty_events))

    def _cut_list(self, text: str, listed: Node, unwanted: Callable[[object], bool]) -> tuple[Places, bool]:
        """The cuts inside one event's list, and whether all of the list was ours (and no comment stands in it)."""
        places: Places = []
        empty: set[int] = set()
        for position, element in enumerate(listed.children):
            if not self.grouped:
                empty |= {position} if unwanted(element.value) else set()
                continue
            handlers = element.get("hooks")
            if handlers is None or not handlers.is_array:
                continue
            gone = {i for i, handler in enumerate(handlers.children) if unwanted(handler.value)}
            if gone and len(gone) == len(handlers.children) and not (handlers.comments or element.comments):
                empty.add(position)
            elif gone:
                places += jsontext.without(text, handlers, gone)
        if empty and len(empty) == len(listed.children) and not listed.comments:
            return [], True
        inert = {i for i in empty if self.positional and _followed(listed, i, empty)}
        places += [(listed.children[i].start, listed.children[i].end, _INERT) for i in sorted(inert)]
        return places + jsontext.without(text, listed, empty - inert), False


class Document:
    """A hook file as text that has been checked to be what we can edit."""

    def __init__(self, path: Path, before: bytes | None, text: str, shape: HookFile) -> None:
        self.path, self.before, self.text, self._shape = path, before, text, shape
        self.root = shape.root(text, path)

    def edit(self, text: str, note: str = "") -> list[Edit]:
        """The change, checked to be JSON that says the same of everything but hooks."""
        if text == self.text:
            return []
        if _others(self._shape.root(text, self.path)) != _others(self.root):
            raise HostError(
                f"{self.path} could not be edited safely.",
                why="The edit would have changed settings that are not ours.",
                fix="Please report this, with the file if it holds nothing private.",
            )
        may_write(self.path)
        return [Edit(path=self.path, before=self.before, after=text.encode("utf-8"), note=note)]


def is_ours(handler: object) -> bool:
    """Does this handler run our hook's file?"""
    if not isinstance(handler, dict) or handler.get("type", "command") != "command":
        return False
    commands = (handler.get(key) for key in _COMMANDS)
    return any(isinstance(command, str) and HOOK_FILE in command for command in commands)


def _followed(listed: Node, position: int, empty: set[int]) -> bool:
    """Does a group with handlers stand behind this one, that is to stay?"""
    later = [group for i, group in enumerate(listed.children) if i > position and i not in empty]
    return any(handlers is None or handlers.children for handlers in (group.get("hooks") for group in later))


def _others(root: Node) -> dict[str, Any]:
    return {key: value for key, value in root.value.items() if key != "hooks"}


def read_text(path: Path) -> tuple[bytes | None, str]:
    """The file's bytes and text; (None, "") if it is not there. HostError: it cannot be read, or is not UTF-8."""
    try:
        before = path.read_bytes()
        return before, before.decode("utf-8")
    except FileNotFoundError:
        return None, ""
    except OSError as exc:
        raise HostError(f"{path} cannot be read.", why=f"{exc.strerror}.", fix="Check its permissions.") from exc
    except UnicodeDecodeError as exc:
        why = f"Byte {exc.start} is not UTF-8."
        raise HostError(f"{path} cannot be read.", why=why, fix="Save it as UTF-8, then run this again.") from exc


def own_file(named: Path) -> Path:
    """The file itself, where `named` is a link (dotfiles): the link stays, its target is edited.

    HostError: the link leads nowhere, or to what is no file of the person's.
    """
    if not named.is_symlink():
        return named
    advice = "Point the link at a file of your own, or replace it by one, then run this again."
    try:
        target = named.resolve(strict=True)
    except (OSError, RuntimeError) as exc:
        raise HostError(f"{named} is a link that leads nowhere.", why=f"{exc}.", fix=advice) from exc
    found = target.stat()
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        raise HostError(f"{named} is a link to {target}.", why="That is not a file of yours.", fix=advice)
    return target


def may_write(path: Path) -> None:
    """HostError if the file is read-only. Checked by its mode, too: root may write what a person locked."""
    folder = path.parent
    locked = path.exists() and (not path.stat().st_mode & 0o222 or not os.access(path, os.W_OK))
    if locked or (folder.is_dir() and not os.access(folder, os.W_OK)):
        shut = path if locked else folder
        raise HostError(
            f"{shut} is read-only.",
            why="hivemind does not override that.",
            fix=f"Allow it with `chmod u+w {shut}`, or let the program that manages it add the hooks.",
        )
