"""Wiring the hosts: copy the hook, write its settings, edit each host's files; and taking all of it back."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hivemind_cli import __version__
from hivemind_cli.app import memory_skill
from hivemind_cli.core.assets import asset
from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import HivemindError, HostError
from hivemind_cli.core.hook_settings import HookSettings
from hivemind_cli.core.hook_settings import write as write_hook_settings
from hivemind_cli.core.paths import FILE_MODE, Paths
from hivemind_cli.hosts.apply import UndoResult, apply, read_receipt, undo
from hivemind_cli.hosts.base import Edit, Host, Reader
from hivemind_cli.hosts.command import base_python, hook_command
from hivemind_cli.llm import ENVIRONMENT
from hivemind_cli.skills.disk import Withdrawn

HOOK_FILES = ("hivemind_hook.py", "hivemind_hook_recall.py")
_SILENT = HookSettings(capture=False)
"""No capture, no recall, no daemon."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What install would do for one host."""

    host: Host
    edits: list[Edit]
    notices: list[str]
    problem: HostError | None = None
    """Why this host cannot be wired."""
    skill: tuple[memory_skill.Place, ...] = ()
    """Where it is told how to use hivemind."""
    skill_edits: tuple[Edit, ...] = ()
    """What would be written there."""

    @property
    def links(self) -> list[Path]:
        """Links that would be made to the skill's folder."""
        made = {edit.path for edit in self.skill_edits if edit.before is None}
        return [link for place in self.skill if place.path in made for link in place.links]


def chosen_hosts(paths: Paths, hosts: Mapping[str, Host], only: Sequence[str], env: Mapping[str, str]) -> list[Host]:
    """The hosts named in `only`, else those on this machine."""
    if only:
        return [hosts[name] for name in only]
    return [host for host in hosts.values() if host.installed(paths.home, config_dir=config_dir(host, env))]


def plan(paths: Paths, chosen: Sequence[Host], env: Mapping[str, str]) -> list[Planned]:
    """What would change, host by host; nothing is written."""
    planned = []
    for host in chosen:
        folder = config_dir(host, env)
        try:
            edits = host.plan_install(paths.home, command_for(paths, host), config_dir=folder)
            places = tuple(memory_skill.places(paths, host, folder))
            told, left = memory_skill.plan(paths, places)
            notices = [*host.notices(paths.home, config_dir=folder), *left]
            planned.append(Planned(host, edits, notices, skill=places, skill_edits=tuple(told)))
        except HostError as problem:
            planned.append(Planned(host, [], [], problem))
    return planned


def install(
    paths: Paths,
    config: Config,
    planned: Sequence[Planned],
    *,
    daemon: Sequence[str],
    env: Mapping[str, str],
    now: datetime,
) -> list[str]:
    """Carry out a plan; what was left as it is besides the plan's notices, in sentences.

    HostError: a host's file could not be written; what was written before it stays.
    """
    paths.make()
    copy_hook(paths)
    write_settings(paths, config, [one.host for one in planned], daemon=daemon)
    for one in planned:
        if one.problem is None:
            folder = config_dir(one.host, env)
            stamp = f"{now.isoformat(timespec='seconds')} hivemind {__version__}"
            apply(one.edits, paths.receipts, one.host.NAME, stamp, config_dir=str(folder or ""))
    # After the settings, whose receipt then knows the folders that both need.
    places = dict.fromkeys(place for one in planned if one.problem is None for place in one.skill)
    told = {notice for one in planned for notice in one.notices}
    return [notice for notice in memory_skill.publish(paths, places) if notice not in told]


def uninstall(paths: Paths, hosts: Mapping[str, Host]) -> dict[str, list[UndoResult]]:
    """Take our entries out of every host's files and silence the hook; what became of each file.

    Stop the daemon afterwards: a host that read its hooks at its start goes on running them, and would start it again.
    HivemindError, once all else is done: the skill about hivemind could not be taken back.
    """
    results: dict[str, list[UndoResult]] = {}
    unwritable: HivemindError | None = None
    skills: list[UndoResult] = []
    try:  # Before the settings: folders that were made for both must be empty when theirs are undone.
        skills = [_skill_result(one) for one in memory_skill.withdraw(paths)]
    except HivemindError as problem:
        unwritable = problem
    for name, host in hosts.items():
        receipt = read_receipt(paths.receipts, name)
        folder = Path(receipt.config_dir) if receipt and receipt.config_dir else None
        command = command_for(paths, host)
        results[name] = undo(
            name,
            paths.receipts,
            lambda host=host, command=command, folder=folder: host.plan_uninstall(  # type: ignore[misc]
                paths.home, command, config_dir=folder
            ),
        )
    if paths.hook.parent.exists():
        write_hook_settings(paths.hook_settings, _SILENT)
    if unwritable:
        raise unwritable
    if skills:
        first = next(iter(results))
        results[first] = [*results[first], *skills]
    return results


def _skill_result(gone: Withdrawn) -> UndoResult:
    return UndoResult(gone.path, "deleted" if gone.removed or not gone.path.exists() else "left")


def silenced(paths: Paths) -> bool:
    """Has uninstall silenced the hook, and no install woken it since?"""
    try:
        return paths.hook_settings.read_bytes() == _SILENT.render()
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
        wait=tuple((one.HOOK_NAME, event, moment) for one in hosts for event, moment in one.EVENTS.items() if moment),
        wake=tuple((host.HOOK_NAME, event) for host in hosts for event in host.ENDS),
    )
    return write_hook_settings(paths.hook_settings, settings)


def command_for(paths: Paths, host: Host) -> str:
    """What the host runs, before the event's name."""
    return hook_command(base_python(), paths.hook, host.HOOK_NAME)


def installed_dirs(paths: Paths, hosts: Iterable[str]) -> dict[str, Path | None]:
    """Where each host's folder stood at its install, if the person's environment had moved it."""
    folders: dict[str, Path | None] = {}
    for name in hosts:
        try:
            receipt = read_receipt(paths.receipts, name)
        except HostError:
            receipt = None
        folders[name] = Path(receipt.config_dir) if receipt and receipt.config_dir else None
    return folders


def config_dir(host: Reader, env: Mapping[str, str]) -> Path | None:
    """Where the person's environment has moved the host's folder, or None."""
    moved = env.get(host.CONFIG_ENV, "") if host.CONFIG_ENV else ""
    return Path(moved) if moved else None
