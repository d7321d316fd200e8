"""Whether the person agreed that Codex runs our hooks: read from its `config.toml`, without asking it.

Codex runs a hook only once it has been reviewed, in its `/hooks` screen. What was agreed to it keeps as
`[hooks.state."<hooks.json>:<event>:<group>:<handler>"] trusted_hash = "sha256:..."`. The hash is of the definition, as
`app-server` tells it of every hook (0.169.0; all events compared). What the program itself says: appserver.py.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from hivemind_cli.hosts import values
from hivemind_cli.hosts.hookfile import is_ours

_DEFAULT_S, _SHORT_DEFAULT_S, _SHORT_MAX_S = 600, 1, 3
_SHORT = frozenset({"session_end", "interrupt"})
_UNMATCHED = frozenset({"user_prompt_submit", "stop", "interrupt"})
"""Events whose matcher counts for nothing."""
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Consent(StrEnum):
    """What a person said to one hook."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    """Nobody has looked at it yet."""
    MODIFIED = "modified"
    """Another definition was agreed to in its place: Codex asks again."""
    DISABLED = "disabled"
    """Agreed to, and switched off."""
    UNKNOWN = "unknown"
    """The file that would say so cannot be read."""


@dataclass(frozen=True, slots=True)
class HookTrust:
    """One hook of ours in hooks.json."""

    event: str
    """As hooks.json calls it."""
    key: str
    """As Codex names it."""
    command: str
    digest: str
    """`sha256:...` of its definition as it stands."""
    consent: Consent


def trust(folder: Path) -> list[HookTrust]:
    """Every hook of ours in `folder`/hooks.json, and whether the person agreed to it; [] if there is none."""
    state = _state(folder / "config.toml")
    found = []
    for event, key, group, handler in _ours(folder):
        digest = definition_digest(event, group.get("matcher"), handler)
        found.append(HookTrust(event, key, str(handler["command"]), digest, _consent(state, key, digest)))
    return found


def definition_digest(event: str, matcher: object, handler: Mapping[str, Any]) -> str:
    """The hash that Codex makes of a hook's definition."""
    name = snake(event)
    told: dict[str, Any] = {
        "async": handler.get("async") is True,
        "command": handler["command"],
        "timeout": _timeout(name, handler.get("timeout")),
        "type": "command",
    }
    for member in ("statusMessage", "additionalContextLimit"):
        if handler.get(member) is not None:
            told[member] = handler[member]
    definition: dict[str, Any] = {"event_name": name, "hooks": [told]}
    if isinstance(matcher, str) and name not in _UNMATCHED:
        definition["matcher"] = matcher
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def snake(event: str) -> str:
    """`PreToolUse` as Codex's keys write it: pre_tool_use."""
    return _HUMP.sub("_", event).lower()


def _timeout(event: str, given: object) -> int:
    short = event in _SHORT
    if not isinstance(given, int) or isinstance(given, bool):
        return _SHORT_DEFAULT_S if short else _DEFAULT_S
    return max(1, min(given, _SHORT_MAX_S) if short else given)


def _ours(folder: Path) -> Iterator[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]:
    """(event, Codex's key, group, handler) of each handler of ours."""
    path = folder.resolve() / "hooks.json"  # the folder's links are resolved, the file's are not
    try:
        hooks = values.mapping(json.loads(path.read_bytes())).get("hooks")
    except (OSError, ValueError, RecursionError):
        return
    for event, groups in hooks.items() if isinstance(hooks, dict) else ():
        for place, group in enumerate(groups if isinstance(groups, list) else ()):
            handlers = group.get("hooks") if isinstance(group, dict) else None
            for position, handler in enumerate(handlers if isinstance(handlers, list) else ()):
                if is_ours(handler):
                    yield event, f"{path}:{snake(event)}:{place}:{position}", group, handler


def _state(path: Path) -> Mapping[str, Any] | None:
    """Codex's own notes on hooks, by key; None if they cannot be read."""
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return None
    return values.mapping(values.mapping(told.get("hooks")).get("state"))


def _consent(state: Mapping[str, Any] | None, key: str, digest: str) -> Consent:
    if state is None:
        return Consent.UNKNOWN
    told = values.mapping(state.get(key))
    agreed = told.get("trusted_hash")
    if agreed is None:
        return Consent.UNTRUSTED
    if agreed != digest:
        return Consent.MODIFIED
    return Consent.DISABLED if told.get("enabled") is False else Consent.TRUSTED
