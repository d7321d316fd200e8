"""What Claude Code's own files say of its list of skills: plugins, settings, and how often each skill was used.

Source: the program 2.1.329. Every file may be missing, torn or of another shape: then it says nothing.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_WINDOW_TOKENS = 200_000
_CHARS_PER_TOKEN = 4
_HALF_LIFE_DAYS = 7.0
_KEPT_MIN = 0.1
"""A use that is long ago still counts so much."""
_BYTES_MAX = 64 << 20


def chars_max(folder: Path, cwd: Path, env: Mapping[str, str]) -> int | None:
    """The room that the person gave it; None: they changed nothing."""
    pinned = env.get("SLASH_COMMAND_TOOL_CHAR_BUDGET", "")
    if pinned.isdigit() and int(pinned):
        return int(pinned)
    fraction = _setting(folder, cwd, "skillListingBudgetFraction")
    if isinstance(fraction, (int, float)) and not isinstance(fraction, bool) and 0 < fraction <= 1:
        return int(_WINDOW_TOKENS * _CHARS_PER_TOKEN * fraction)
    return None


def description_chars_max(folder: Path, cwd: Path) -> int | None:
    """Where a description is cut, if the person set it."""
    told = _setting(folder, cwd, "skillListingMaxDescChars")
    return told if isinstance(told, int) and told > 0 else None


def usage(folder: Path, home: Path) -> dict[str, float]:
    """How much each skill was used, recent uses counting more; by name."""
    state = folder / ".claude.json" if folder != home / ".claude" else home / ".claude.json"
    told = _read(state).get("skillUsage")
    used: dict[str, float] = {}
    for name, one in told.items() if isinstance(told, dict) else ():
        try:
            days = (time.time() - float(one["lastUsedAt"]) / 1000) / 86_400
            used[str(name)] = float(one["usageCount"]) * max(0.5 ** (days / _HALF_LIFE_DAYS), _KEPT_MIN)
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    return used


def plugin_roots(folder: Path, cwd: Path) -> Sequence[tuple[str, Path]]:
    """(plugin's name, folder of its skills) of each installed plugin that is not switched off."""
    enabled = _setting(folder, cwd, "enabledPlugins")
    told = _read(folder / "plugins" / "installed_plugins.json").get("plugins")
    found: list[tuple[str, Path]] = []
    for key, copies in told.items() if isinstance(told, dict) else ():
        if isinstance(enabled, dict) and enabled.get(key) is False:
            continue
        for copy in copies if isinstance(copies, list) else [copies]:
            path = copy.get("installPath") if isinstance(copy, dict) else None
            if isinstance(path, str) and Path(path).is_absolute():
                found.append((str(key).partition("@")[0], Path(path) / "skills"))
    return found


def _setting(folder: Path, cwd: Path, name: str) -> Any:
    """The nearest file's word."""
    for path in (
        cwd / ".claude" / "settings.local.json",
        cwd / ".claude" / "settings.json",
        folder / "settings.json",
    ):
        told = _read(path).get(name)
        if told is not None:
            return told
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _BYTES_MAX:
            return {}
        told = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
