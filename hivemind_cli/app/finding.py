"""Where past sessions lie: at a path a person names, or in every host's own folders and the projects' histories."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hivemind_cli.app.installing import config_dir, installed_dirs
from hivemind_cli.core.errors import HostError
from hivemind_cli.core.paths import Paths
from hivemind_cli.hosts import HOSTS, databases
from hivemind_cli.hosts.base import Keeper, Reader

_PASSED_BY = frozenset({".git", "node_modules"})
"""Folders that hold many files and no session."""
_UNSEARCHABLE = (OSError, RuntimeError, ValueError)
"""What a folder raises that cannot be searched: a RuntimeError for links in a circle, before Python 3.13."""


@dataclass(frozen=True, slots=True)
class Found:
    """One session, and who reads it."""

    reader: Reader
    path: Path
    """Of the session: `file`, or `file#id` where one file holds many."""
    bytes: int = 0
    """Its share of the file, for a progress bar."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a search gave."""

    sessions: Sequence[Found] = ()
    strangers: int = 0
    """Files that are no host's."""
    faults: Sequence[str] = field(default_factory=tuple)
    """Folders that could not be searched, a line each."""


def find(
    paths: Paths, readers: Mapping[str, Reader], path: Path | None, *, env: Mapping[str, str] | None = None
) -> Finding:
    """The sessions at `path` (a file or a folder), or in the own folders of every host. HostError: `path` has none.

    Agents' own sessions stand before histories that others kept: `readers` is in that order.
    """
    return _everywhere(paths, readers, env or {}) if path is None else _at(readers, path)


def kept_in(roots: Iterable[Path], keepers: Mapping[str, Keeper]) -> Finding:
    """The histories that lie in working trees."""
    found: list[tuple[Reader, Path]] = []
    faults = []
    for root in sorted(set(roots)):
        for keeper in keepers.values():
            try:
                found += [(keeper, path) for path in keeper.histories_in(root)]
            except _UNSEARCHABLE as fault:
                faults.append(f"{root}: {_why(fault)}")
    return Finding(_sized(found), faults=tuple(faults))


def file_of(session: Path) -> Path:
    """The file that holds a session: the path before `#`, unless a file has that whole name."""
    if "#" not in session.name or session.exists():
        return session
    return session.with_name(session.name.partition("#")[0])


def _everywhere(paths: Paths, readers: Mapping[str, Reader], env: Mapping[str, str]) -> Finding:
    folders = installed_dirs(paths, readers)
    found: list[tuple[Reader, Path]] = []
    faults = []
    for name, reader in readers.items():
        try:
            for path in reader.find_sessions(paths.home, config_dir=_moved(reader, folders[name], env)):
                found.append((reader, path))  # noqa: PERF401  what was found before a fault counts
        except _UNSEARCHABLE as fault:
            faults.append(f"{name}: {getattr(fault, 'filename', None) or 'its folder'}: {_why(fault)}")
    return Finding(_sized(found), faults=tuple(faults))


def _moved(reader: Reader, installed: Path | None, env: Mapping[str, str]) -> Path | None:
    """Where the person's environment moved its sessions. What install kept is that only for one variable of both."""
    host = HOSTS.get(reader.NAME)
    same = host is None or host.CONFIG_ENV == reader.CONFIG_ENV
    return (installed if same else None) or config_dir(reader, env)


def _why(fault: Exception) -> str:
    if isinstance(fault, RuntimeError):
        return "links that lead in a circle"
    return getattr(fault, "strerror", None) or type(fault).__name__


def _at(readers: Mapping[str, Reader], path: Path) -> Finding:
    whole = file_of(path)
    if not whole.exists():
        raise HostError(f"{path} is not there.", fix="Give a session file or a folder that holds some.")
    if whole.is_dir():
        return _in_folder(readers, whole)
    named = [(reader, one) for reader, one in _in_file(readers, whole) if path in (whole, one)]
    if not named and (fault := _unreadable(whole)):
        raise HostError(f"{path} cannot be read.", why=fault, fix="Make it readable, or give another file or a folder.")
    if not named:
        why = f"It holds no session called {path.name.partition('#')[2]!r}." if path != whole else ""
        raise HostError(
            f"{path} is no session file of an agent that hivemind knows.",
            why=why or f"It knows those of {', '.join(readers)}.",
            fix="Give another file, a folder, or --all for every session on this machine.",
        )
    return Finding(_sized(named))


def _unreadable(file: Path) -> str:
    """Why nothing in the file can be read, "" if it can: no reader claims what it cannot read."""
    try:
        with file.open("rb"):
            pass
        if databases.is_database(file):
            with databases.opened(file):
                pass
    except OSError as fault:
        return f"{fault.strerror}." if fault.strerror else str(fault)
    return ""


def _in_folder(readers: Mapping[str, Reader], folder: Path) -> Finding:
    found: list[tuple[Reader, Path]] = []
    strangers = 0
    for file in sorted(_files(folder), key=lambda one: one.with_suffix("").parts):
        held = _in_file(readers, file)
        found += held
        strangers += not held
    if not found:
        raise HostError(
            f"{folder} holds no session file.",
            why=f"None of its {strangers} files is one of {', '.join(readers)}." if strangers else "It is empty.",
            fix="Give another folder, or --all for every session on this machine.",
        )
    order = {id(reader): n for n, reader in enumerate(readers.values())}
    return Finding(_sized(sorted(found, key=lambda one: order[id(one[0])])), strangers)


def _in_file(readers: Mapping[str, Reader], file: Path) -> list[tuple[Reader, Path]]:
    for reader in readers.values():
        if held := reader.sessions_in(file):
            return [(reader, one) for one in held]
    return []


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if one not in _PASSED_BY]
        yield from (Path(place, name) for name in names)


def _sized(found: Iterable[tuple[Reader, Path]]) -> tuple[Found, ...]:
    """Each session once; a file that holds many is divided among them."""
    once = list({path: (reader, path) for reader, path in found}.values())
    files: dict[Path, list[Path]] = {}
    for _, path in once:
        files.setdefault(file_of(path), []).append(path)
    shares = {path: _size(file) // len(held) for file, held in files.items() for path in held}
    return tuple(Found(reader, path, shares[path]) for reader, path in once)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
