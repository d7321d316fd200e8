"""Our entries in Claude Code's `settings.json`."""

import sys
from pathlib import Path

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts.base import Edit
from hivemind_cli.hosts.claude.answer import EVENTS
from hivemind_cli.hosts.hookfile import Entry, HookFile

TIMEOUT_S = 10
"""SessionEnd would otherwise give us 1.5 s; nowhere do we come near it."""
MANAGED = Path(
    "/Library/Application Support/ClaudeCode/managed-settings.json"
    if sys.platform == "darwin"
    else "/etc/claude-code/managed-settings.json"
)

_FILE = HookFile(label="Claude Code")
_MATCHED = frozenset({"PreToolUse", "PostToolUse", "PostToolUseFailure", "PermissionDenied"})


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
            root = _FILE.read(path).root
        except HostError:
            continue
        switch = root.get(key)
        if switch is not None and switch.value is True:
            said.append(f"`{key}` is true in {path}: Claude Code runs no hook of ours until it is removed.")
    return said


def plan_install(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """One edit of settings.json, or none if all stands as it should. HostError: we would not dare."""
    entries = [_entry(event, command) for event in EVENTS]
    note = " ".join(notices(home, config_dir=config_dir))
    return _FILE.plan(settings_file(home, config_dir), entries, note)


def plan_uninstall(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """One edit that cuts every entry of ours, whatever hivemind wrote it, and what is empty by that."""
    return _FILE.plan_removal(settings_file(home, config_dir))


def _entry(event: str, command: str) -> Entry:
    handler = {"type": "command", "command": f"{command} {event}", "timeout": TIMEOUT_S}
    return Entry(event, handler, "" if event in _MATCHED else None)
