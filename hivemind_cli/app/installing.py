"""Wiring the hosts: copy the hook, write its settings, edit each host's files. `uninstalling` takes it back."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hivemind_cli import __version__
from hivemind_cli.app import memory_skill, skill_places
from hivemind_cli.app.sayings import sayings
from hivemind_cli.core.assets import asset
from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import HivemindError, HostError
from hivemind_cli.core.hook_settings import HookSettings
from hivemind_cli.core.hook_settings import write as write_hook_settings
from hivemind_cli.core.paths import FILE_MODE, Paths
from hivemind_cli.core.records import Moment
from hivemind_cli.hosts.apply import apply
from hivemind_cli.hosts.base import Edit, Host, Reader
from hivemind_cli.hosts.command import base_python, hook_command
from hivemind_cli.llm import ENVIRONMENT
from hivemind_cli.skills import disk

HOOK_FILES = ("hivemind_hook.py", "hivemind_hook_recall.py", "hivemind_hook_snapshot.py")
SILENT = HookSettings(capture=False)
"""No capture, no recall, no daemon."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What install would do for one host."""

    host: Host
    edits: list[Edit]
    notices: list[str]
    problem: HostError | None = None
    """Why this host cannot be wired."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What install would do."""

    hosts: tuple[Planned, ...]
    skill: tuple[memory_skill.Place, ...] = ()
    """Where agents are told how to use hivemind."""
    skill_edits: tuple[Edit, ...] = ()
    """What would be written there."""
    skill_notices: tuple[str, ...] = ()
    """What would be left there as it is, in sentences."""

    @property
    def links(self) -> list[Path]:
        """Links that would be made to the skill's folder."""
        return [link for place in self.skill for link in place.links if not os.path.lexists(link)]

    @property
    def edits(self) -> list[Edit]:
        """Every file that would be written."""
        return [*(edit for one in self.hosts for edit in one.edits), *self.skill_edits]


@dataclass(frozen=True, slots=True)
class Installed:
    """What came of a plan."""

    problems: Mapping[str, HostError]
    """Host id -> why it could not be wired."""
    notices: Mapping[str, list[str]]
    """Host id -> what keeps its hooks from running although they are wired, a sentence each."""
    left: tuple[str, ...]
    """What was left as it is besides the plan's notices, in sentences."""


def chosen_hosts(paths: Paths, hosts: Mapping[str, Host], only: Sequence[str], env: Mapping[str, str]) -> list[Host]:
    """The hosts named in `only`, else those on this machine."""
    if only:
        return [hosts[name] for name in dict.fromkeys(only)]
    return [host for host in hosts.values() if host.installed(paths.home, config_dir=config_dir(host, env))]


def plan(paths: Paths, chosen: Sequence[Host], env: Mapping[str, str], hosts: Mapping[str, Host]) -> Plan:
    """What would change, host by host; nothing is written. `hosts`: all that are known."""
    planned = tuple(_planned(paths, host, config_dir(host, env)) for host in chosen)
    there = skill_places.wired(paths, hosts)
    there |= {one.host.NAME: config_dir(one.host, env) for one in planned if not one.problem}
    there = {name: there[name] for name in hosts if name in there}
    places = tuple(memory_skill.places(paths, hosts, there))
    told, left = memory_skill.plan(paths, places)
    return Plan(planned, places, tuple(told), tuple(left))


def _planned(paths: Paths, host: Host, folder: Path | None) -> Planned:
    try:
        edits = host.plan_install(paths.home, command_for(paths, host), config_dir=folder)
        return Planned(host, edits, host.notices(paths.home, config_dir=folder))
    except HostError as problem:
        return Planned(host, [], [], problem)


def install(
    paths: Paths,
    config: Config,
    plan: Plan,
    *,
    daemon: Sequence[str],
    env: Mapping[str, str],
    now: datetime,
    hosts: Mapping[str, Host],
) -> Installed:
    """Carry out a plan. One host's problem never stops the others."""
    paths.make()
    copy_hook(paths)
    write_settings(paths, config, list(hosts.values()), daemon=daemon)
    stamp = f"{now.isoformat(timespec='seconds')} hivemind {__version__}"
    problems = {one.host.NAME: one.problem for one in plan.hosts if one.problem}
    for one in plan.hosts:
        if one.problem is None:
            folder = config_dir(one.host, env)
            try:
                edits = one.edits if _stands(one.edits) else _planned_anew(paths, one.host, folder)
                apply(edits, paths.receipts, one.host.NAME, stamp, config_dir=str(folder or ""))
            except HostError as problem:
                problems[one.host.NAME] = problem
    # After the settings, whose receipt then knows the folders that both need.
    left = memory_skill.publish(paths, memory_skill.places(paths, hosts, skill_places.wired(paths, hosts)))
    left += _show_skills(paths, hosts)
    wired = [one.host for one in plan.hosts if one.host.NAME not in problems]
    notices = {host.NAME: host.notices(paths.home, config_dir=config_dir(host, env)) for host in wired}
    return Installed(problems, notices, tuple(notice for notice in left if notice not in plan.skill_notices))


def _stands(edits: Sequence[Edit]) -> bool:
    """Are the files as they were when this was planned? A host that shares one may have been wired meanwhile."""
    return all((edit.path.read_bytes() if edit.path.exists() else None) == edit.before for edit in edits)


def _planned_anew(paths: Paths, host: Host, folder: Path | None) -> list[Edit]:
    return host.plan_install(paths.home, command_for(paths, host), config_dir=folder)


def _show_skills(paths: Paths, hosts: Mapping[str, Host]) -> list[str]:
    """Let every wired host see the skills for every project; what could not be shown, in sentences."""
    there = skill_places.wired(paths, hosts)
    try:
        return disk.show_again(paths.home, skill_places.in_home(paths.home, hosts, there), paths.receipts)
    except HivemindError as problem:
        return [f"{problem.what} {problem.why}".strip()]


def silenced(paths: Paths) -> bool:
    """Has uninstall silenced the hook, and no install woken it since?"""
    try:
        return paths.hook_settings.read_bytes() == SILENT.render()
    except OSError:
        return False


def purge(paths: Paths) -> None:
    """Remove everything hivemind owns. Skills in projects are the project's and stay."""
    shutil.rmtree(paths.root, ignore_errors=True)


def copy_hook(paths: Paths) -> None:
    """Install this version's hook over an older copy, each file atomically."""
    for name in HOOK_FILES:
        content = asset("hooks", name).read_bytes()
        target = paths.hook.parent / name
        if target.exists() and target.read_bytes() == content:
            continue
        aside = target.with_name(f"{name}.tmp")
        aside.write_bytes(content)
        aside.chmod(FILE_MODE)
        aside.replace(target)


def write_settings(paths: Paths, config: Config, hosts: Sequence[Host], *, daemon: Sequence[str]) -> bool:
    """Tell the hook what it must know; was anything new?"""
    settings = HookSettings(
        capture=config.capture.enabled,
        only_cli=config.capture.only_cli,
        recall=config.recall.enabled,
        deadline_ms=config.recall.deadline_ms,
        deadline_start_ms=config.recall.deadline_start_ms,
        daemon=tuple(daemon),
        env=(config.llm.key_env, *ENVIRONMENT) if config.llm.allow else (),
        wait=tuple(dict.fromkeys(_waits(hosts))),
        wake=tuple(dict.fromkeys((host.HOOK_NAME, event) for host in hosts for event in host.ENDS)),
        say=sayings(hosts),
    )
    return write_hook_settings(paths.hook_settings, settings)


def _waits(hosts: Sequence[Host]) -> Iterator[tuple[str, str, Moment]]:
    """(host in the command, event, moment); hosts that share entries name some twice."""
    for host in hosts:
        yield from ((host.HOOK_NAME, event, moment) for event, moment in host.EVENTS.items() if moment)


def command_for(paths: Paths, host: Host) -> str:
    """What the host runs, before the event's name."""
    return hook_command(base_python(), paths.hook, host.HOOK_NAME)


def installed_dirs(paths: Paths, hosts: Iterable[str]) -> Mapping[str, Path | None]:
    """Where each host's folder stood at its install, if the person's environment had moved it.

    Looked up each time it is asked: hosts are installed while a daemon lives.
    """
    return _InstalledDirs(paths, hosts)


class _InstalledDirs(Mapping[str, Path | None]):
    def __init__(self, paths: Paths, hosts: Iterable[str]) -> None:
        self._paths, self._hosts = paths, tuple(hosts)

    def __getitem__(self, name: str) -> Path | None:
        if name not in self._hosts:
            raise KeyError(name)
        return skill_places.wired(self._paths, [name]).get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def __len__(self) -> int:
        return len(self._hosts)


def config_dir(host: Reader, env: Mapping[str, str]) -> Path | None:
    """Where the person's environment has moved the host's folder, or None."""
    moved = env.get(host.CONFIG_ENV, "") if host.CONFIG_ENV else ""
    return Path(moved) if moved else None
