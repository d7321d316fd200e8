"""Our entries in Gemini CLI's `settings.json`, which may hold comments."""

import sys
from collections.abc import Iterator
from pathlib import Path

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts.base import Edit
from hivemind_cli.hosts.command import unfailing
from hivemind_cli.hosts.gemini.answer import EVENTS
from hivemind_cli.hosts.gemini.reader import root_folder
from hivemind_cli.hosts.hookfile import Entry, HookFile
from hivemind_cli.hosts.jsontext import Dialect, Node

TIMEOUT_MS = 10_000
"""Of a hook; nowhere do we come near it. The host counts in milliseconds."""
NAME = "hivemind"
"""What our entries are called in its list of hooks, where a person can switch them off."""
SYSTEM = Path(
    "/Library/Application Support/GeminiCli/settings.json"
    if sys.platform == "darwin"
    else "/etc/gemini-cli/settings.json"
)
"""Overrides the person's own."""

_FILE = HookFile(label="Gemini CLI", dialect=Dialect.JSONC)
_MATCHED = frozenset({"BeforeTool", "AfterTool"})


def settings_file(home: Path, config_dir: Path | None = None) -> Path:
    """The person's own settings."""
    return root_folder(home, config_dir) / "settings.json"


def installed(home: Path, *, config_dir: Path | None = None) -> bool:
    """Is Gemini CLI here: its folder, or the one the person names for it?"""
    return root_folder(home, config_dir).is_dir() or (config_dir is not None and config_dir.is_dir())


def wired(home: Path, command: str, *, config_dir: Path | None = None) -> bool:
    """Does every event run `command`? False too if the settings cannot be read."""
    try:
        return not plan_install(home, command, config_dir=config_dir)
    except HostError:
        return False


def notices(home: Path, *, config_dir: Path | None = None, system: Path = SYSTEM) -> list[str]:
    """What keeps our hooks from running although they are wired."""
    said: list[str] = []
    for path in (settings_file(home, config_dir), system):
        try:
            root = _FILE.read(path).root
        except HostError:
            continue
        said += [f"{why} in {path}: Gemini CLI runs no hook of ours until that is changed." for why in _switched(root)]
    return said


def _switched(root: Node) -> Iterator[str]:
    switches = root.get("hooksConfig")
    enabled = switches.get("enabled") if switches else None
    if enabled is not None and enabled.value is False:
        yield "`hooksConfig.enabled` is false"
    disabled = switches.get("disabled") if switches else None
    if disabled is not None and disabled.is_array and NAME in disabled.value:
        yield f"`hooksConfig.disabled` names {NAME!r}"


def plan_install(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """One edit of settings.json, or none if all stands as it should. HostError: we would not dare."""
    entries = [_entry(event, command) for event in EVENTS]
    note = " ".join(notices(home, config_dir=config_dir))
    return _FILE.plan(settings_file(home, config_dir), entries, note)


def plan_uninstall(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """One edit that cuts every entry of ours, whatever hivemind wrote it, and what is empty by that."""
    return _FILE.plan_removal(settings_file(home, config_dir))


def _entry(event: str, command: str) -> Entry:
    """An exit code other than 0, with any text, would be taken for a refusal of the prompt or the call."""
    handler = {
        "type": "command",
        "name": NAME,
        "command": unfailing(f"{command} {event}"),
        "timeout": TIMEOUT_MS,
    }
    return Entry(event, handler, "*" if event in _MATCHED else None)
