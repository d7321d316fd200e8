"""Our entries in Cursor's `hooks.json`: flat, with the keys it documents and no other."""

import sys
from pathlib import Path

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts.base import Edit
from hivemind_cli.hosts.cursor.answer import EVENTS
from hivemind_cli.hosts.hookfile import Entry, HookFile

TIMEOUT_S = 10
KNOWN_EVENTS = frozenset(EVENTS) | {
    "beforeShellExecution",
    "afterShellExecution",
    "beforeMCPExecution",
    "afterMCPExecution",
    "beforeReadFile",
    "afterFileEdit",
    "afterAgentThought",
    "beforeTabFileRead",
    "afterTabFileEdit",
    "workspaceOpen",
}
"""All events of its documentation."""
_FILE = HookFile(label="Cursor", grouped=False, fresh={"version": 1})
_DATA = Path("Library/Application Support/Cursor") if sys.platform == "darwin" else Path(".config/Cursor")


def hooks_file(home: Path, config_dir: Path | None = None) -> Path:
    """The person's own hooks."""
    return (config_dir or home / ".cursor") / "hooks.json"


def installed(home: Path, *, config_dir: Path | None = None) -> bool:
    """Is Cursor here: its folder, its editor's data, or its CLI in the place of its installer?"""
    return any(
        path.exists() for path in (config_dir or home / ".cursor", home / _DATA, home / ".local/bin/cursor-agent")
    )


def wired(home: Path, command: str, *, config_dir: Path | None = None) -> bool:
    """Does every event run `command`? False too if the file cannot be read."""
    try:
        return not plan_install(home, command, config_dir=config_dir)
    except HostError:
        return False


def notices(home: Path, *, config_dir: Path | None = None) -> list[str]:
    """What keeps our hooks from running although they are wired: Cursor drops a file with anything it does not know."""
    path = hooks_file(home, config_dir)
    try:
        root = _FILE.read(path).root
    except HostError:
        return []
    said = []
    hooks, version = root.get("hooks"), root.get("version")
    strange = [child.key for child in (hooks.children if hooks else ()) if child.key not in KNOWN_EVENTS]
    if strange:
        named = ", ".join(strange)
        said.append(f"{path} names events that Cursor may not know ({named}): it then ignores the whole file.")
    if version is None or version.value != 1:
        said.append(f'{path} does not say `"version": 1`: Cursor may ignore the whole file.')
    return said


def plan_install(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """One edit of hooks.json, or none if all stands as it should. HostError: we would not dare."""
    entries = [Entry(event, {"command": f"{command} {event}", "timeout": TIMEOUT_S}) for event in EVENTS]
    return _FILE.plan(hooks_file(home, config_dir), entries, " ".join(notices(home, config_dir=config_dir)))


def plan_uninstall(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """One edit that cuts every entry of ours, whatever hivemind wrote it, and what is empty by that."""
    return _FILE.plan_removal(hooks_file(home, config_dir))
