"""Our entries in Claude Code's `settings.json`, and nothing but ours.

`{"hooks": {"<Event>": [{"matcher": "", "hooks": [{"type": "command", "command": "...", "timeout": 10}]}]}}`
An entry is ours if its command runs our hook's file; no marker is added. All other text stays byte for byte.
"""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import jsontext
from hivemind_cli.hosts.base import Edit
from hivemind_cli.hosts.claude.answer import EVENTS
from hivemind_cli.hosts.jsontext import Node, Places, Style

HOOK_FILE = "hivemind_hook.py"
TIMEOUT_S = 10
"""SessionEnd would otherwise give us 1.5 s; nowhere do we come near it."""
MANAGED = Path(
    "/Library/Application Support/ClaudeCode/managed-settings.json"
    if sys.platform == "darwin"
    else "/etc/claude-code/managed-settings.json"
)

_MATCHED = frozenset({"PreToolUse", "PostToolUse", "PostToolUseFailure", "PermissionDenied"})
_BOM = "\ufeff"


def settings_file(home: Path, config_dir: Path | None = None) -> Path:
    """The person's own settings."""
    return (config_dir or home / ".claude") / "settings.json"


def installed(home: Path, *, config_dir: Path | None = None) -> bool:
    """Is Claude Code here: its folder, or its program in one of the places its installers use?"""
    programs = (home / ".local/bin/claude", home / ".claude/local/claude")
    return (config_dir or home / ".claude").is_dir() or any(program.exists() for program in programs)


def wired(home: Path, command: str, *, config_dir: Path | None = None) -> bool:
    """Does every event run `command`? False too if the settings cannot be read."""
    try:
        return not plan_install(home, command, config_dir=config_dir)
    except HostError:
        return False


def notices(home: Path, *, config_dir: Path | None = None, managed: Path = MANAGED) -> list[str]:
    """What keeps our hooks from running although they are wired."""
    said: list[str] = []
    for path, key in ((settings_file(home, config_dir), "disableAllHooks"), (managed, "allowManagedHooksOnly")):
        try:
            root = _Document.read(path).root
        except HostError:
            continue
        switch = root.get(key)
        if switch is not None and switch.value is True:
            said.append(f"`{key}` is true in {path}: Claude Code runs no hook of ours until it is removed.")
    return said


def plan_install(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """One edit of settings.json, or none if all stands as it should. HostError: we would not dare."""
    document = _Document.read(settings_file(home, config_dir))
    text = document.text
    for event in EVENTS:
        text = _with_event(text, event, command, document.path)
    text = _without_ours(text, lambda event: event not in EVENTS)
    note = " ".join(notices(home, config_dir=config_dir))
    return document.edit(text, note=note)


def plan_uninstall(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """One edit that cuts every entry of ours, whatever hivemind wrote it, and what is empty by that."""
    document = _Document.read(settings_file(home, config_dir))
    if document.before is None:
        return []
    return document.edit(_without_ours(document.text, lambda event: True))


class _Document:
    """A settings file as text that has been checked to be what we can edit."""

    def __init__(self, path: Path, before: bytes | None, text: str) -> None:
        self.path, self.before, self.text = path, before, text
        self.root = _root(text, path)

    @classmethod
    def read(cls, named: Path) -> "_Document":
        """HostError unless the file is absent, empty, or JSON of the shape we know."""
        path = _target(named)
        try:
            before = path.read_bytes()
        except FileNotFoundError:
            return cls(path, None, "{}\n")
        except OSError as exc:
            raise HostError(f"{path} cannot be read.", why=f"{exc.strerror}.", fix="Check its permissions.") from exc
        try:
            text = before.decode("utf-8")
        except UnicodeDecodeError as exc:
            why = f"Byte {exc.start} is not UTF-8."
            raise HostError(f"{path} cannot be read.", why=why, fix="Save it as UTF-8, then run this again.") from exc
        return cls(path, before, text if text.removeprefix(_BOM).strip() else "{}\n")

    def edit(self, text: str, note: str = "") -> list[Edit]:
        """The change, checked to be JSON that says the same of everything but hooks."""
        if text == self.text:
            return []
        root = _root(text, self.path)
        if _others(root) != _others(self.root):
            raise HostError(
                f"{self.path} could not be edited safely.",
                why="The edit would have changed settings that are not ours.",
                fix="Please report this, with the file if it holds nothing private.",
            )
        _may_write(self.path)
        return [Edit(path=self.path, before=self.before, after=text.encode("utf-8"), note=note)]


def _others(root: Node) -> dict[str, Any]:
    return {key: value for key, value in root.value.items() if key != "hooks"}


def _target(named: Path) -> Path:
    """The file itself, where settings.json is a link (dotfiles): the link stays, its target is edited."""
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


def _may_write(path: Path) -> None:
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


def _root(text: str, path: Path) -> Node:
    fix = "Correct the file, then run this again; nothing was changed."
    try:
        root = jsontext.parse(text.removeprefix(_BOM))
    except (ValueError, RecursionError) as exc:
        raise HostError(f"{path} is not JSON that hivemind can edit.", why=f"{exc}.", fix=fix) from exc
    if not root.is_object:
        raise HostError(f"{path} holds no JSON object.", why="Claude Code's settings are one object.", fix=fix)
    hooks = root.get("hooks")
    if hooks is not None and not hooks.is_object:
        raise HostError(f"`hooks` in {path} is not an object.", why="Claude Code maps events to lists.", fix=fix)
    for event in hooks.children if hooks else ():
        if not event.is_array:
            raise HostError(f"`hooks.{event.key}` in {path} is not a list.", why="Each event has a list.", fix=fix)
    return root


def _with_event(text: str, event: str, command: str, path: Path) -> str:
    """`text` with exactly one handler of ours for `event`, in place if an older one stands there."""
    mark = _BOM if text.startswith(_BOM) else ""
    body = text.removeprefix(_BOM)
    root, style = _root(body, path), Style.of(body)
    handler = {"type": "command", "command": f"{command} {event}", "timeout": TIMEOUT_S}
    group = {"matcher": "", "hooks": [handler]} if event in _MATCHED else {"hooks": [handler]}
    hooks = root.get("hooks")
    groups = hooks.get(event) if hooks else None
    ours = _our_handlers(groups) if groups else []
    if hooks is None:
        places = [jsontext.append(body, root, "hooks", {event: [group]}, style, 0)]
    elif groups is None:
        places = [jsontext.append(body, hooks, event, [group], style, 1)]
    elif not ours:
        places = [jsontext.append(body, groups, None, group, style, 2)]
    elif ours[0].value == handler:
        places = []
    else:
        places = [(ours[0].start, ours[0].end, style.render(handler, 5))]
    changed = mark + jsontext.changed(body, places)
    return _without_repeats(changed, event) if len(ours) > 1 else changed


def _our_handlers(groups: Node) -> list[Node]:
    found: list[Node] = []
    for group in groups.children:
        handlers = group.get("hooks")
        if handlers is not None and handlers.is_array:
            found += [handler for handler in handlers.children if _ours(handler.value)]
    return found


def _ours(handler: object) -> bool:
    if not isinstance(handler, dict):
        return False
    command = handler.get("command")
    return handler.get("type") == "command" and isinstance(command, str) and HOOK_FILE in command


def _without_repeats(text: str, event: str) -> str:
    first = True

    def unwanted(handler: object) -> bool:
        nonlocal first
        if not _ours(handler):
            return False
        first, keep = False, first
        return not keep

    return _cut(text, {event}, unwanted)


def _without_ours(text: str, of_event: Callable[[str], bool]) -> str:
    hooks = jsontext.parse(text.removeprefix(_BOM)).get("hooks")
    events = {event.key for event in hooks.children if of_event(event.key)} if hooks else set()
    return _cut(text, events, _ours)


def _cut(text: str, events: set[str], unwanted: Callable[[object], bool]) -> str:
    """`text` without the unwanted handlers of these events, and without what only they filled."""
    mark = _BOM if text.startswith(_BOM) else ""
    body = text.removeprefix(_BOM)
    root = jsontext.parse(body)
    hooks = root.get("hooks")
    if hooks is None:
        return text
    places: Places = []
    empty_events: set[int] = set()
    for position, groups in enumerate(hooks.children):
        if groups.key in events:
            inner, all_gone = _cut_groups(groups, unwanted)
            places += [] if all_gone else inner
            empty_events |= {position} if all_gone else set()
    if not empty_events:
        return mark + jsontext.changed(body, places)
    if len(empty_events) == len(hooks.children):
        position = root.children.index(hooks)
        return mark + jsontext.changed(body, jsontext.without(root, {position}))
    return mark + jsontext.changed(body, places + jsontext.without(hooks, empty_events))


def _cut_groups(groups: Node, unwanted: Callable[[object], bool]) -> tuple[Places, bool]:
    """The cuts inside one event's list, and whether all of the list was ours."""
    places: Places = []
    empty_groups: set[int] = set()
    for position, group in enumerate(groups.children):
        handlers = group.get("hooks")
        if handlers is None or not handlers.is_array:
            continue
        gone = {i for i, handler in enumerate(handlers.children) if unwanted(handler.value)}
        if gone and len(gone) == len(handlers.children):
            empty_groups.add(position)
        elif gone:
            places += jsontext.without(handlers, gone)
    if empty_groups and len(empty_groups) == len(groups.children):
        return [], True
    return places + jsontext.without(groups, empty_groups), False
