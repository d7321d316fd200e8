"""Our own hook file, `~/.copilot/hooks/hivemind.json`: the host reads every file in that folder."""

from dataclasses import replace
from pathlib import Path

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts.base import Edit
from hivemind_cli.hosts.command import unfailing
from hivemind_cli.hosts.copilot.answer import EVENTS
from hivemind_cli.hosts.hookfile import Entry, HookFile
from hivemind_cli.hosts.jsontext import Dialect

TIMEOUT_S = 10
"""Of a hook; nowhere do we come near it."""
FRESH = {"version": 1}

_FILE = HookFile(label="Copilot CLI", grouped=False, fresh=FRESH)
_SETTINGS = HookFile(label="Copilot CLI", grouped=False, dialect=Dialect.JSONC)
_OFF = "disableAllHooks"


def folder(home: Path, config_dir: Path | None = None) -> Path:
    """The host's own."""
    return config_dir or home / ".copilot"


def hooks_file(home: Path, config_dir: Path | None = None) -> Path:
    """Ours alone."""
    return folder(home, config_dir) / "hooks" / "hivemind.json"


def installed(home: Path, *, config_dir: Path | None = None) -> bool:
    """Is Copilot CLI here, by its own folder?"""
    return folder(home, config_dir).is_dir()


def wired(home: Path, command: str, *, config_dir: Path | None = None) -> bool:
    """Does every event run `command`? False too if our file cannot be read."""
    try:
        return not plan_install(home, command, config_dir=config_dir)
    except HostError:
        return False


def notices(home: Path, *, config_dir: Path | None = None) -> list[str]:
    """What keeps our hooks from running although they are wired."""
    said: list[str] = []
    named = (folder(home, config_dir) / "settings.json", _SETTINGS), (hooks_file(home, config_dir), _FILE)
    for path, shape in named:
        try:
            switch = shape.read(path).root.get(_OFF)
        except HostError:
            continue
        if switch is not None and switch.value is True:
            said.append(f"`{_OFF}` is true in {path}: Copilot CLI runs no hook of ours until it is removed.")
    return said


def plan_install(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """One edit of our file, or none if it stands as it should. HostError: we would not dare."""
    note = " ".join(notices(home, config_dir=config_dir))
    return _FILE.plan(hooks_file(home, config_dir), [_entry(event, command) for event in EVENTS], note)


def plan_uninstall(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """Our file goes; where a person added something to it, that stays."""
    edits = _FILE.plan_removal(hooks_file(home, config_dir))
    return [replace(edit, after=None) if _only_ours(edit) else edit for edit in edits]


def _only_ours(edit: Edit) -> bool:
    """Is nothing left in the file but what we begin it with?"""
    return edit.after is not None and _FILE.root(edit.after.decode(), edit.path).value == FRESH


def _entry(event: str, command: str) -> Entry:
    """An exit code other than 0 before a call would be taken for a refusal of it."""
    handler = {"type": "command", "bash": unfailing(f"{command} {event}"), "timeoutSec": TIMEOUT_S}
    return Entry(event, handler)
