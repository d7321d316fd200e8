"""Our plugin below OpenClaw's state folder, and what its config (JSON5) must say for it to run.

A plugin that did not come with OpenClaw is told nothing of conversations until its entry allows that. A list of
allowed plugins is added to, where the person keeps one, and never begun.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hivemind_cli.core.assets import asset
from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import jsontext, shim
from hivemind_cli.hosts.base import Edit
from hivemind_cli.hosts.hookfile import may_write, own_file, read_text
from hivemind_cli.hosts.jsontext import Dialect, Node, Style
from hivemind_cli.hosts.shim import Plugin

LABEL = "OpenClaw"
PLUGIN_ID = "hivemind"
_ENTRIES = ("plugins", "entries")
_PLUGIN = Plugin(LABEL, ("runner.js", "openclaw/hivemind.js"))
_FIXED = ("package.json", "openclaw.plugin.json")
_FIX = "Correct the file, then run this again; nothing was changed."
_BOM = "\ufeff"


def folder_of(home: Path, config_dir: Path | None = None) -> Path:
    """Where OpenClaw keeps all that is the person's."""
    return config_dir or home / ".openclaw"


def config_file(home: Path, config_dir: Path | None = None) -> Path:
    """The person's settings."""
    return folder_of(home, config_dir) / "openclaw.json"


def plugin_folder(home: Path, config_dir: Path | None = None) -> Path:
    """Where our plugin stands."""
    return folder_of(home, config_dir) / "extensions" / PLUGIN_ID


def installed(home: Path, *, config_dir: Path | None = None) -> bool:
    """Is OpenClaw here, by its own folder?"""
    return folder_of(home, config_dir).is_dir()


def wired(home: Path, command: str, *, config_dir: Path | None = None) -> bool:
    """Do the plugin and its entry stand, with this command? False too if the config cannot be read."""
    try:
        return not plan_install(home, command, config_dir=config_dir)
    except HostError:
        return False


def notices(home: Path, *, config_dir: Path | None = None) -> list[str]:
    """What keeps our plugin from running although it is wired."""
    path = config_file(home, config_dir)
    try:
        root = _parsed(read_text(path)[1], path)
    except HostError:
        return []
    plugins = root.get("plugins")
    found = []
    off = plugins.get("enabled") if plugins else None
    denied = plugins.get("deny") if plugins else None
    if off is not None and off.value is False:
        found.append(f"`plugins.enabled` is false in {path}: OpenClaw runs no plugin until it is true.")
    if denied is not None and isinstance(denied.value, list) and PLUGIN_ID in denied.value:
        found.append(f"`plugins.deny` in {path} names hivemind: OpenClaw does not run it.")
    return found


def plan_install(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """The plugin's three files and its entry. HostError: we would not dare."""
    folder = plugin_folder(home, config_dir)
    script = _PLUGIN.plan(folder / "index.js", command)
    ours = not (folder / "index.js").exists() or _is_ours(folder / "index.js")
    fixed = [edit for name in _FIXED if (edit := _fixed(folder / name, _shipped(name), ours)) is not None]
    return [*fixed, *script, *_config_edit(config_file(home, config_dir), add=True)]


def plan_uninstall(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """The plugin's files are removed, unless a person changed them, and its entry is cut."""
    folder = plugin_folder(home, config_dir)
    gone = [
        Edit(path=folder / name, before=content, after=None)
        for name in _FIXED
        if (content := _content(folder / name)) == _shipped(name)
    ]
    return [*_PLUGIN.plan_removal(folder / "index.js"), *gone, *_config_edit(config_file(home, config_dir), add=False)]


def _shipped(name: str) -> bytes:
    return asset("hooks", f"plugins/openclaw/{name}").read_bytes()


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _is_ours(path: Path) -> bool:
    content = _content(path)
    return content is not None and shim.is_ours(content)


def _fixed(path: Path, content: bytes, ours: bool) -> Edit | None:
    """`ours`: does the plugin beside it stand as some hivemind wrote it, or not at all?"""
    before = _content(path)
    if before == content:
        return None
    if before is not None and not ours:
        raise HostError(f"{path} is not as hivemind wrote it.", why="It is another plugin's.", fix="Move it away.")
    may_write(path)
    return Edit(path=path, before=before, after=content)


def _parsed(text: str, path: Path) -> Node:
    try:
        root = jsontext.parse((text.removeprefix(_BOM).strip() and text.removeprefix(_BOM)) or "{}\n", Dialect.JSON5)
    except (ValueError, RecursionError) as exc:
        raise HostError(f"{path} is not JSON5 that hivemind can edit.", why=f"{exc}.", fix=_FIX) from exc
    if not root.is_object:
        raise HostError(f"{path} holds no object.", why="OpenClaw's settings are one object.", fix=_FIX)
    return root


def _config_edit(named: Path, *, add: bool) -> list[Edit]:
    path = own_file(named)
    before, text = read_text(path)
    if before is None and not add:
        return []
    mark, body = (_BOM, text.removeprefix(_BOM)) if text.startswith(_BOM) else ("", text)
    body = body if body.strip() else "{}\n"
    _parsed(body, path)
    changed = _allowed(_with_entry(body, path), path) if add else _without_entry(body, path)
    if changed == body:
        return []
    if _others(_parsed(changed, path).value) != _others(_parsed(body, path).value):
        raise HostError(
            f"{path} could not be edited safely.",
            why="The edit would have changed settings that are not ours.",
            fix="Please report this, with the file if it holds nothing private.",
        )
    may_write(path)
    return [Edit(path=path, before=before, after=(mark + changed).encode("utf-8"))]


def _with_entry(text: str, path: Path) -> str:
    for keys, wanted in (
        ((*_ENTRIES, PLUGIN_ID, "enabled"), True),
        ((*_ENTRIES, PLUGIN_ID, "hooks", "allowConversationAccess"), True),
    ):
        text = _set(text, keys, wanted, path)
    return text


def _set(text: str, keys: Sequence[str], wanted: object, path: Path) -> str:
    """`text` with one value at the end of these keys; objects on the way are made."""
    node, style = _parsed(text, path), Style.of(text)
    for depth, key in enumerate(keys):
        if not node.is_object:
            name = ".".join(keys[:depth])
            raise HostError(f"`{name}` in {path} is no object.", why="OpenClaw keeps plugins there.", fix=_FIX)
        child = node.get(key)
        if child is None:
            value = _nested(keys[depth + 1 :], wanted)
            return jsontext.changed(text, [jsontext.append(text, node, key, value, style, depth)])
        node = child
    return text if node.value is wanted else jsontext.changed(text, [(node.start, node.end, style.render(wanted, 0))])


def _nested(keys: Sequence[str], value: object) -> object:
    for key in reversed(keys):
        value = {key: value}
    return value


def _allowed(text: str, path: Path) -> str:
    """Where the person lists the plugins that may run, ours is among them."""
    plugins = _parsed(text, path).get("plugins")
    allow = plugins.get("allow") if plugins else None
    if allow is None or not allow.is_array or PLUGIN_ID in allow.value:
        return text
    style = Style.of(text)
    if "\n" not in text[allow.start : allow.end]:
        style = Style("", style.newline)
    return jsontext.changed(text, [jsontext.append(text, allow, None, PLUGIN_ID, style, 2)])


def _without_entry(text: str, path: Path) -> str:
    plugins = _parsed(text, path).get("plugins")
    allow = plugins.get("allow") if plugins else None
    if allow is not None and allow.is_array and PLUGIN_ID in allow.value:
        text = jsontext.changed(text, jsontext.without(text, allow, {allow.value.index(PLUGIN_ID)}))
    for length in (3, 2, 1):
        text = _cut(text, (*_ENTRIES, PLUGIN_ID)[:length], path, only_empty=length < 3)
    return text


def _cut(text: str, keys: Sequence[str], path: Path, *, only_empty: bool) -> str:
    """`text` without the member at the end of these keys, if it is there (and holds nothing, not even a comment)."""
    parent: Node | None = _parsed(text, path)
    for key in keys[:-1]:
        parent = parent.get(key) if parent and parent.is_object else None
    child = parent.get(keys[-1]) if parent and parent.is_object else None
    if parent is None or child is None or (only_empty and (child.value != {} or child.comments)):
        return text
    return jsontext.changed(text, jsontext.without(text, parent, {parent.children.index(child)}))


def _others(settings: dict[str, Any]) -> dict[str, Any]:
    """All that is not ours, and no object that holds nothing."""
    plugins = settings.get("plugins", {})
    if not isinstance(plugins, dict):
        return settings
    entries, allow = plugins.get("entries", {}), plugins.get("allow", [])
    return {
        "settings": {key: value for key, value in settings.items() if key != "plugins"},
        "plugins": {key: value for key, value in plugins.items() if key not in ("entries", "allow")},
        "entries": {key: one for key, one in entries.items() if key != PLUGIN_ID} if isinstance(entries, dict) else 0,
        "allow": [one for one in allow if one != PLUGIN_ID] if isinstance(allow, list) else 0,
    }
