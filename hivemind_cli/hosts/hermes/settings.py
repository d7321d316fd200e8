"""Our entries in Hermes' `config.yaml`, below `hooks`, and whether the person has agreed to them.

It splits a command into words and starts no shell; a program that is gone is only logged. Each command is run once the
person has agreed to it: its list of consents is read here, and never written.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import values, yamltext
from hivemind_cli.hosts.base import Edit
from hivemind_cli.hosts.command import without_shell
from hivemind_cli.hosts.hermes.answer import EVENTS
from hivemind_cli.hosts.hookfile import HOOK_FILE, may_write, own_file, read_text
from hivemind_cli.hosts.yamltext import Node, Places

TIMEOUT_S = 10
_CONSENTS = "shell-hooks-allowlist.json"
_FIX = "Correct the file, then run this again; nothing was changed."
_BOM = "\ufeff"


def folder_of(home: Path, config_dir: Path | None = None) -> Path:
    """Where Hermes keeps all that is the person's."""
    return config_dir or home / ".hermes"


def config_file(home: Path, config_dir: Path | None = None) -> Path:
    """The person's settings."""
    return folder_of(home, config_dir) / "config.yaml"


def installed(home: Path, *, config_dir: Path | None = None) -> bool:
    """Is Hermes here: its folder, or its program where a person's own programs stand?"""
    return folder_of(home, config_dir).is_dir() or (home / ".local/bin/hermes").exists()


def wired(home: Path, command: str, *, config_dir: Path | None = None) -> bool:
    """Does every event run `command`? False too if the file cannot be read. Consent is another matter."""
    try:
        return not plan_install(home, command, config_dir=config_dir)
    except HostError:
        return False


def trusted(home: Path, command: str, *, config_dir: Path | None = None) -> bool | None:
    """Did the person agree to all our hooks as they stand?"""
    return not any(_unapproved(home, config_dir, _commands(command).items()))


def notices(home: Path, *, config_dir: Path | None = None) -> list[str]:
    """What keeps our hooks from running although they are wired."""
    try:
        found = list(_ours(_parsed(read_text(config_file(home, config_dir))[1], config_file(home, config_dir))))
    except HostError:
        return []
    waiting = sum(1 for _ in _unapproved(home, config_dir, found))
    if not waiting:
        return []
    which = f"hivemind's {len(found)}" if waiting == len(found) else f"{waiting} of hivemind's {len(found)}"
    return [
        f"Hermes does not run {which} hooks until you agree to them: start `hermes` in a terminal and say yes, or "
        "run `hermes --accept-hooks` once (that agrees to every hook in its config). `hermes hooks list` shows where "
        "it stands."
    ]


def plan_install(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """One edit of config.yaml, or none if all stands as it should. HostError: we would not dare."""
    wanted = _commands(command)
    path = own_file(config_file(home, config_dir))
    before, text = read_text(path)
    body = _whole_lines(text.removeprefix(_BOM))
    root = _parsed(body, path)
    places = _additions(body, root, wanted, path)
    return _edit(path, before, text, yamltext.changed(body, places) if places else None, wanted)


def plan_uninstall(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """One edit that cuts every entry of ours, whatever hivemind wrote it, and what is empty by that."""
    path = own_file(config_file(home, config_dir))
    before, text = read_text(path)
    body = text.removeprefix(_BOM)
    root = _parsed(body, path)
    places = _cuts(body, root)
    return _edit(path, before, text, yamltext.changed(body, places) if places else None, {})


def _commands(command: str) -> dict[str, str]:
    plain = without_shell(command)
    return {event: f"{plain} {event}" for event in EVENTS}


def _whole_lines(text: str) -> str:
    return text if not text or text.endswith("\n") else text + yamltext.newline_of(text)


def _parsed(text: str, path: Path) -> Node | None:
    """The tree, checked to be of the shape we know; None for a file that says nothing."""
    try:
        root = yamltext.parse(text.removeprefix(_BOM))
    except (ValueError, RecursionError) as exc:
        raise HostError(f"{path} is not YAML that hivemind can edit.", why=f"{exc}.", fix=_FIX) from exc
    if root is None or root.is_null:
        return None
    if root.kind != "mapping":
        raise HostError(f"{path} holds no mapping.", why="Hermes' settings are names with values.", fix=_FIX)
    hooks = root.get("hooks")
    if hooks is None or hooks.is_null:
        _once(root, path)
        return root
    if hooks.kind != "mapping":
        raise HostError(f"`hooks` in {path} is no mapping.", why="Hermes maps events to lists.", fix=_FIX)
    for mapping in (root, hooks):
        _once(mapping, path)
    for event in hooks.children:
        if event.kind != "sequence" and not (event.is_null and not hooks.flow):
            raise HostError(f"`hooks.{event.key}` in {path} is no list.", why="Each event has a list.", fix=_FIX)
    return root


def _once(mapping: Node, path: Path) -> None:
    names = [child.key for child in mapping.children]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise HostError(f"The name {twice!r} stands twice in {path}.", why="One of them counts for nothing.", fix=_FIX)


def _is_ours(entry: Node) -> bool:
    command = entry.get("command")
    return command is not None and HOOK_FILE in command.value


def _listed(root: Node | None) -> list[Node]:
    """The events below `hooks`."""
    hooks = root.get("hooks") if root else None
    return hooks.children if hooks is not None else []


def _ours(root: Node | None) -> Iterator[tuple[str, str]]:
    """(event, command) of each entry of ours."""
    for listed in _listed(root):
        for entry in listed.children:
            command = entry.get("command")
            if command is not None and _is_ours(entry):
                yield listed.key, command.value


def _block(wanted: Mapping[str, str], indent: int) -> list[str]:
    lines: list[str] = []
    for event, command in wanted.items():
        lines += [f"{' ' * indent}{event}:", *_item(command, indent + 2)]
    return lines


def _item(command: str, indent: int) -> list[str]:
    return [f"{' ' * indent}- command: {yamltext.quoted(command)}", f"{' ' * indent}  timeout: {TIMEOUT_S}"]


def _flow(command: str) -> str:
    return f"{{command: {yamltext.quoted(command)}, timeout: {TIMEOUT_S}}}"


def _additions(text: str, root: Node | None, wanted: Mapping[str, str], path: Path) -> Places:
    """What makes the file hold exactly these entries of ours."""
    if root is None:
        return [(len(text), len(text), yamltext.newline_of(text).join(["hooks:", *_block(wanted, 2), ""]))]
    hooks = root.get("hooks")
    if hooks is None and not root.flow:
        end = root.last if "\n..." in text[root.last :] else len(text)
        return [yamltext.insert_line(text, end, ["hooks:", *_block(wanted, 2)])]
    if hooks is None or hooks.is_null:
        if root.flow and hooks is not None:
            raise HostError(f"`hooks` in {path} is empty, within braces.", why="It maps events to lists.", fix=_FIX)
        if hooks is None:
            inside = ", ".join(f"{event}: [{_flow(command)}]" for event, command in wanted.items())
            return [yamltext.insert_flow(text, root, [f"hooks: {{{inside}}}"])]
        return [(hooks.start, hooks.end, ""), yamltext.insert_line(text, hooks.begin + 1, _block(wanted, 2))]
    places: Places = []
    for event, command in wanted.items():
        listed = hooks.get(event)
        if listed is not None:
            places += _in_list(text, listed, command, hooks.column + 2)
    missing = {event: command for event, command in wanted.items() if hooks.get(event) is None}
    if missing and hooks.flow:
        items = [f"{event}: [{_flow(command)}]" for event, command in missing.items()]
        places.append(yamltext.insert_flow(text, hooks, items))
    elif missing:
        places.append(yamltext.insert_line(text, hooks.last, _block(missing, hooks.column)))
    return places + _cuts(text, root, besides=wanted)


def _in_list(text: str, listed: Node, command: str, indent: int) -> Places:
    ours = [position for position, entry in enumerate(listed.children) if _is_ours(entry)]
    if listed.is_null:
        return [(listed.start, listed.end, ""), yamltext.insert_line(text, listed.begin + 1, _item(command, indent))]
    if not ours and listed.flow:
        return [yamltext.insert_flow(text, listed, [_flow(command)])]
    if not ours:
        return [yamltext.insert_line(text, listed.last, _item(command, listed.column))]
    stands = listed.children[ours[0]].get("command")
    places = yamltext.without(text, listed, ours[1:])
    if stands is not None and stands.value != command:
        newline = yamltext.newline_of(text) if text[stands.end - 1] == "\n" else ""
        places.append((stands.start, stands.end, yamltext.quoted(command) + newline))
    return places


def _cuts(text: str, root: Node | None, besides: Mapping[str, str] | None = None) -> Places:
    """What takes our entries out of all events but these, and with them what only they filled."""
    hooks = root.get("hooks") if root else None
    if root is None or hooks is None:
        return []
    places: Places = []
    empty: list[int] = []
    for number, listed in enumerate(hooks.children):
        ours = [position for position, entry in enumerate(listed.children) if _is_ours(entry)]
        if not ours or listed.key in (besides or ()):
            continue
        if len(ours) == len(listed.children):
            empty.append(number)
        else:
            places += yamltext.without(text, listed, ours)
    if not empty:
        return places
    if len(empty) == len(hooks.children) and not besides:
        return yamltext.without(text, root, [root.children.index(hooks)])
    return places + yamltext.without(text, hooks, empty)


def _edit(path: Path, before: bytes | None, text: str, body: str | None, wanted: Mapping[str, str]) -> list[Edit]:
    """The change, checked to be YAML that says the same of everything but our hooks."""
    if body is None:
        return []
    old, new = _parsed(text, path), _parsed(body, path)
    kept = _foreign(text.removeprefix(_BOM), old) == _foreign(body, new)
    if not kept or sorted(_ours(new)) != sorted(wanted.items()):
        raise HostError(
            f"{path} could not be edited safely.",
            why="The edit would have changed settings that are not ours.",
            fix="Please report this, with the file if it holds nothing private.",
        )
    may_write(path)
    mark = _BOM if text.startswith(_BOM) else ""
    return [Edit(path=path, before=before, after=(mark + body).encode("utf-8"))]


def _foreign(text: str, root: Node | None) -> list[tuple[str, str]]:
    """(name, text) of each setting and each hook that is not ours."""
    others = [(one.key, text[one.begin : one.last]) for one in (root.children if root else ()) if one.key != "hooks"]
    hooks = [
        (listed.key, text[entry.begin : entry.last].rstrip())
        for listed in _listed(root)
        for entry in listed.children
        if not _is_ours(entry)
    ]
    return [(key, said.rstrip()) for key, said in others] + hooks


def _unapproved(home: Path, config_dir: Path | None, ours: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Those of our (event, command) that the person has not agreed to, as far as its files tell."""
    if _accepts_all(config_file(home, config_dir)):
        return
    try:
        consents = json.loads((folder_of(home, config_dir) / _CONSENTS).read_bytes())
    except (OSError, ValueError, RecursionError):
        consents = None
    listed = values.mapping(consents).get("approvals")
    agreed = {
        (values.string(values.mapping(one), "event"), values.string(values.mapping(one), "command"))
        for one in (listed if isinstance(listed, list) else ())
    }
    yield from (one for one in ours if one not in agreed)


def _accepts_all(path: Path) -> bool:
    try:
        root = _parsed(read_text(path)[1], path)
    except HostError:
        return False
    accept = root.get("hooks_auto_accept") if root else None
    return accept is not None and accept.value.lower() == "true"
