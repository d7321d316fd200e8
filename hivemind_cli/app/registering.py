"""Telling hosts of `hivemind mcp`, and taking that back: as hooks are wired, with receipts of their own."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from hivemind_cli import __version__
from hivemind_cli.core.errors import HostError
from hivemind_cli.core.paths import Paths
from hivemind_cli.hosts.apply import UndoResult, apply, read_receipt, undo
from hivemind_cli.hosts.base import Edit
from hivemind_cli.hosts.mcp_files import BY_HAND, SERVER_FILES, Command

__all__ = ["SERVER_FILES", "Registering", "by_hand", "command", "known", "plan", "register", "unregister"]


@dataclass(frozen=True, slots=True)
class Registering:
    """What would be done for one host."""

    host: str
    label: str
    path: Path
    edits: tuple[Edit, ...] = ()
    config_dir: Path | None = None
    problem: HostError | None = None
    """Why it cannot be told."""


def command(paths: Paths) -> Command:
    """What a host starts: this very hivemind, with its home where that is not the usual one."""
    env = {} if paths.root == paths.home / ".hivemind" else {"HIVEMIND_HOME": str(paths.root)}
    return Command((sys.executable, "-P", "-m", "hivemind_cli", "mcp"), env)


def by_hand(paths: Paths, host: str) -> str:
    """The command line with which a person tells this host of us."""
    said = command(paths)
    env = "".join(f"--env {shlex.quote(f'{name}={value}')} " for name, value in said.env.items())
    return BY_HAND[host].format(env=env, words=shlex.join(said.words))


def known(names: Sequence[str]) -> list[str]:
    """`names`, or all hosts that take servers. HostError: one of them has no list of servers that we can edit."""
    for name in names:
        if name not in SERVER_FILES and name not in BY_HAND:
            raise HostError(
                f"hivemind does not know how {name!r} lists its MCP servers.",
                why=f"It knows {', '.join(sorted([*SERVER_FILES, *BY_HAND]))}.",
            )
    return [name for name in SERVER_FILES if name in names or not names]


def plan(paths: Paths, env: Mapping[str, str], only: Sequence[str] = ()) -> list[Registering]:
    """For these hosts, else for every one that is found here. HostError: no such host."""
    planned = []
    for name in known(only):
        file = SERVER_FILES[name]
        moved = env.get(file.config_env, "") if file.config_env else ""
        folder = Path(moved) if moved else None
        path = file.path(paths.home, folder)
        if not only and not file.installed(paths.home, folder):
            continue
        try:
            edits = tuple(file.plan(paths.home, command(paths), config_dir=folder))
            planned.append(Registering(name, file.label, path, edits, folder))
        except HostError as problem:
            planned.append(Registering(name, file.label, path, (), folder, problem))
    return planned


def register(paths: Paths, one: Registering, now: datetime) -> Registering:
    """Write what was planned; with its `problem` if it cannot be."""
    if one.edits:
        stamp = f"{now.isoformat(timespec='seconds')} hivemind {__version__}"
        try:
            apply(one.edits, receipts(paths), one.host, stamp, config_dir=str(one.config_dir or ""))
        except HostError as problem:
            return replace(one, problem=problem)
    return one


def unregister(paths: Paths, names: Sequence[str]) -> tuple[dict[str, list[UndoResult]], dict[str, HostError]]:
    """(what became of the files of each of these hosts that was told, what could not be taken back).

    A file that is as we left it becomes what it was, byte for byte; from any other our entry alone is cut.
    """
    done: dict[str, list[UndoResult]] = {}
    problems: dict[str, HostError] = {}
    for name in reversed(names):
        try:
            receipt = read_receipt(receipts(paths), name)
            folder = Path(receipt.config_dir) if receipt and receipt.config_dir else None
            if receipt or SERVER_FILES[name].registered(paths.home, folder):
                done[name] = _undone(paths, name, folder)
        except HostError as problem:
            problems[name] = problem
    return done, problems


def with_receipt(paths: Paths, names: Sequence[str]) -> list[str]:
    """Those of these hosts that a receipt says were told."""
    return [name for name in names if (receipts(paths) / f"{name}.json").exists()]


def before_hooks(paths: Paths, name: str) -> bool:
    """Was the host told before its hooks were written into the same file?"""
    try:
        told, wired = read_receipt(receipts(paths), name), read_receipt(paths.receipts, name)
    except HostError:
        return False
    found = {file.path: file.before_sha256 for file in wired.files} if wired else {}
    return any(found.get(file.path) == file.after_sha256 for file in told.files) if told else False


def _undone(paths: Paths, name: str, folder: Path | None) -> list[UndoResult]:
    file = SERVER_FILES[name]
    return undo(name, receipts(paths), lambda: file.plan_removal(paths.home, config_dir=folder))


def receipts(paths: Paths) -> Path:
    """Apart from those of the hooks: one file may hold both."""
    return paths.receipts / "mcp"
