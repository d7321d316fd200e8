"""Our entries in Codex's `hooks.json`.

Codex knows a person's consent to a hook by the place of its group in the list and by its definition: so ours is put
last, replaced where it stands, and taken out without moving another's.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import values
from hivemind_cli.hosts.base import Edit
from hivemind_cli.hosts.codex import trust
from hivemind_cli.hosts.codex.answer import EVENTS
from hivemind_cli.hosts.codex.trust import Consent
from hivemind_cli.hosts.hookfile import Entry, HookFile

TIMEOUT_S = 10
SHORT_TIMEOUT_S = 3
"""All that Codex gives a hook at a session's end, or when the person stops the agent; asked for more it warns."""
REQUIREMENTS = Path("/etc/codex/requirements.toml")
"""What the machine's administrator lays down."""

_SHORT = frozenset({"SessionEnd", "Interrupt"})
_FILE = HookFile(label="Codex", positional=True)
_HANDLERS = ("command", "mcp_tool", "prompt", "agent")
_MEMBERS = ("hooks", "description")
_SWITCHES = ("hooks", "codex_hooks")


def folder_of(home: Path, config_dir: Path | None = None) -> Path:
    """Where Codex keeps all that is the person's."""
    return config_dir or home / ".codex"


def hook_file(home: Path, config_dir: Path | None = None) -> Path:
    """The person's own hooks."""
    return folder_of(home, config_dir) / "hooks.json"


def installed(home: Path, *, config_dir: Path | None = None) -> bool:
    """Is Codex here: its folder, or its program in the place its installer uses?"""
    return folder_of(home, config_dir).is_dir() or (home / ".local/bin/codex").exists()


def wired(home: Path, command: str, *, config_dir: Path | None = None) -> bool:
    """Does every event run `command`? False too if the file cannot be read. Consent is another matter: trust.py."""
    try:
        return not plan_install(home, command, config_dir=config_dir)
    except HostError:
        return False


def plan_install(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """One edit of hooks.json, or none if all stands as it should. HostError: we would not dare."""
    entries = [Entry(event, _handler(event, command)) for event in EVENTS]
    return _FILE.plan(hook_file(home, config_dir), entries, " ".join(_silenced(home, config_dir, REQUIREMENTS)))


def plan_uninstall(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """One edit that cuts every entry of ours, whatever hivemind wrote it; none that is another's moves."""
    return _FILE.plan_removal(hook_file(home, config_dir))


def notices(home: Path, *, config_dir: Path | None = None, requirements: Path = REQUIREMENTS) -> list[str]:
    """What keeps our hooks from running although they are wired: switches, a file Codex drops, no consent yet."""
    return [*_silenced(home, config_dir, requirements), *_unapproved(home, config_dir)]


def trusted(home: Path, command: str, *, config_dir: Path | None = None) -> bool | None:
    """Did the person agree to all our hooks as they stand? None: that cannot be known."""
    consents = {one.consent for one in trust.trust(folder_of(home, config_dir))}
    if not consents or Consent.UNKNOWN in consents:
        return None
    return consents == {Consent.TRUSTED}


def _handler(event: str, command: str) -> dict[str, Any]:
    timeout = SHORT_TIMEOUT_S if event in _SHORT else TIMEOUT_S
    return {"type": "command", "command": f"{command} {event}", "timeout": timeout}


def _unapproved(home: Path, config_dir: Path | None) -> Iterator[str]:
    found = trust.trust(folder_of(home, config_dir))
    waiting = [one for one in found if one.consent is not Consent.TRUSTED]
    if not waiting:
        return
    if any(one.consent is Consent.UNKNOWN for one in waiting):
        yield f"{folder_of(home, config_dir) / 'config.toml'} cannot be read, so it is not known what Codex runs."
    elif all(one.consent is Consent.DISABLED for one in waiting):
        events = ", ".join(one.event for one in waiting)
        yield f"Codex's hooks for {events} are switched off: switch them on with `/hooks` in `codex`."
    else:
        some = "the hooks" if len(waiting) == len(found) else f"{len(waiting)} of {len(found)} hooks"
        yield (
            f"Codex skips {some} of hivemind, without a word, until you agree: type `/hooks` in `codex`,"
            " or run `hivemind codex trust`."
        )


def _silenced(home: Path, config_dir: Path | None, requirements: Path) -> Iterator[str]:
    own = folder_of(home, config_dir) / "config.toml"
    ruled = _table(requirements)
    for path, told in ((own, _table(own)), (requirements, ruled)):
        features = values.mapping(told.get("features"))
        for name in _SWITCHES:
            if features.get(name) is False:
                yield f"`features.{name}` is false in {path}: Codex runs no hook until it is removed."
    if ruled.get("allow_managed_hooks_only") is True:
        yield f"`allow_managed_hooks_only` is true in {requirements}: Codex runs no hook but the administrator's."
    yield from _refused(hook_file(home, config_dir))


def _refused(path: Path) -> Iterator[str]:
    """Why Codex drops the whole file, with a warning that few see."""
    try:
        document = _FILE.read(path)
    except HostError:
        return
    strange = [child.key for child in document.root.children if child.key not in _MEMBERS]
    strange += ["a byte order mark at its start"] if (document.before or b"").startswith(b"\xef\xbb\xbf") else []
    hooks = document.root.value.get("hooks")
    for kind in sorted({values.text(handler.get("type")) for handler in _handlers(hooks)} - {*_HANDLERS}):
        strange.append(f"a hook of type {kind!r}")
    if strange:
        yield f"{path} holds {', '.join(strange)}: Codex drops the whole file, with every hook in it, until that goes."


def _handlers(hooks: object) -> Iterator[Mapping[str, Any]]:
    for groups in hooks.values() if isinstance(hooks, dict) else ():
        for group in groups if isinstance(groups, list) else ():
            handlers = group.get("hooks") if isinstance(group, dict) else None
            yield from (one for one in (handlers if isinstance(handlers, list) else ()) if isinstance(one, dict))


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
