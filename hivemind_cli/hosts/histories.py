"""Histories that stand within projects: found by a walk of the home folder that has its bounds.

The walk goes FOLDERS_DEEP below home, shallow folders first, and looks at no more than FOLDERS_MAX of them. It follows
no links and enters no hidden folder, no package or build output, no cache and none of the system's own folders.
A project elsewhere is found by its root, which the importer knows: see hosts.base.Keeper.
"""

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

FOLDERS_DEEP = 4
FOLDERS_MAX = 20_000
_PASSED_BY = frozenset(
    {
        "node_modules",
        "site-packages",
        "__pycache__",
        "venv",
        "vendor",
        "target",
        "dist",
        "build",
        "cache",
        "caches",
        "library",
        "applications",
        "appdata",
        "snap",
        "pictures",
        "music",
        "movies",
        "videos",
        "trash",
    }
)


def folders(home: Path) -> Iterator[Path]:
    """`home` and the folders below it that may be projects."""
    waiting = deque([(home, 0)])
    visited = 0
    while waiting and visited < FOLDERS_MAX:
        folder, depth = waiting.popleft()
        visited += 1
        yield folder
        if depth < FOLDERS_DEEP:
            waiting.extend((below, depth + 1) for below in _below(folder))


def _below(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _wanted(entry)]
    except OSError:  # not ours to read, or gone
        return []
    return [folder / name for name in sorted(names)]


def _wanted(entry: "os.DirEntry[str]") -> bool:
    if entry.name.startswith(".") or entry.name.lower() in _PASSED_BY:
        return False
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
