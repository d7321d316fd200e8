"""Does each host's installed command reach us? It is run as a host runs it, with an event that leaves no record."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hivemind_cli.app.installing import command_for, installed_dirs
from hivemind_cli.core.hook_settings import HookSettings
from hivemind_cli.core.paths import Paths
from hivemind_cli.hosts.base import Host
from hivemind_cli.pipeline.spool import CHECK_EVENT

WAIT_S = 20.0
"""A hook takes 20 ms; a machine that is busy takes longer."""
_STRAY = ("HIVEMIND_", "CLAUDE_CODE_")
"""Variables that tell a hook to be silent."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one host's command."""

    host: str
    why: str = ""
    """Why nothing arrived, a sentence; "": its hooks answer."""


def check(paths: Paths, hosts: Sequence[Host], env: Mapping[str, str]) -> list[Checked]:
    """Runs each host's command once; hosts that share one share the answer."""
    off = _capture_off(paths)
    folders = installed_dirs(paths, [host.NAME for host in hosts])
    answers: dict[str, str] = {}
    checked = []
    for host in hosts:
        command = command_for(paths, host)
        if not host.wired(paths.home, command, config_dir=folders[host.NAME]):
            checked.append(Checked(host.NAME, "Its settings do not hold our hooks."))
            continue
        if command not in answers:
            answers[command] = off or _why_silent(paths, command, env)
        checked.append(Checked(host.NAME, answers[command]))
    return checked


def _why_silent(paths: Paths, command: str, env: Mapping[str, str]) -> str:
    """Runs the command; "" if what it was given arrived and it said nothing, else a sentence."""
    before = _names(paths)
    mark = os.urandom(16).hex()
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", f"{command} {CHECK_EVENT}"],
            input=f'{{"check": "{mark}"}}'.encode(),
            capture_output=True,
            timeout=WAIT_S,
            cwd=paths.home,
            env={name: value for name, value in env.items() if not name.startswith(_STRAY)},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return f"The hook could not be run: {exc}."
    arrived = _taken(paths, before, mark.encode())
    if done.returncode or done.stderr:
        return f"The hook ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace').strip()[:200]}"
    if done.stdout:
        return "The hook said something where it was not asked."
    return "" if arrived else f"The hook ran, but what it was given did not arrive in {paths.spool_new}."


def _taken(paths: Paths, before: set[str], mark: bytes) -> bool:
    """Is the delivery with `mark` there? Whether it waits, or the daemon was faster: it is removed."""
    for path in (*(paths.spool_new / name for name in _names(paths) - before), paths.spool_checked):
        try:
            ours = mark in path.read_bytes()
        except OSError:  # the daemon took it just now
            continue
        if ours:
            path.unlink(missing_ok=True)
            return True
    return False


def _names(paths: Paths) -> set[str]:
    try:
        return set(os.listdir(paths.spool_new))  # noqa: PTH208  names are enough
    except FileNotFoundError:
        return set()


def _capture_off(paths: Paths) -> str:
    try:
        settings = HookSettings.parse(Path(paths.hook_settings).read_bytes())
    except OSError:
        return ""
    return "" if settings.capture else "Capture is off: `hivemind config set capture.enabled true` switches it on."
