"""Taking our entries out of the hosts' files again, of all hosts or of some, and proving it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hivemind_cli.app import memory_skill, registering, skill_places
from hivemind_cli.app.installing import SILENT, command_for
from hivemind_cli.core.errors import HivemindError, HostError
from hivemind_cli.core.hook_settings import write as write_hook_settings
from hivemind_cli.core.paths import Paths
from hivemind_cli.hosts.apply import UndoResult, hand_over, read_receipt, undo
from hivemind_cli.hosts.base import Host
from hivemind_cli.skills import disk


@dataclass(frozen=True, slots=True)
class Uninstalled:
    """What became of each file."""

    files: Mapping[str, Sequence[UndoResult]]
    """Host id -> its files."""
    shared: Mapping[str, str]
    """Host id -> the host that still needs its entries, which therefore stay."""
    problems: Mapping[str, HivemindError]
    """Host id, "" for what is no host's -> what could not be taken back."""
    unread: Mapping[str, HivemindError]
    """Host id of one that no receipt names -> why its file cannot be searched for entries all the same."""


def uninstall(paths: Paths, hosts: Mapping[str, Host], only: Sequence[str] = ()) -> Uninstalled:
    """Take our entries out of every host's files (those in `only`), and silence the hook once none is wired.

    Stop the daemon afterwards: a host that read its hooks at its start goes on running them, and would start it again.
    One host's problem never stops the others.
    """
    chosen = [name for name in hosts if not only or name in only]
    files: dict[str, list[UndoResult]] = {}
    shared: dict[str, str] = {}
    unread: dict[str, HivemindError] = {}
    told_of = [name for name in chosen if name in registering.SERVER_FILES]
    beneath = [name for name in told_of if registering.before_hooks(paths, name)]
    # One file may hold both, and is as it was only when all of ours is out of it, the last first.
    servers, untold = registering.unregister(paths, [name for name in told_of if name not in beneath])
    there = skill_places.wired(paths, hosts)
    touched = {*there, *registering.with_receipt(paths, chosen), *only}
    problems: dict[str, HivemindError] = {name: untold[name] for name in untold if name in touched}
    before = memory_skill.places(paths, hosts, there)
    after = memory_skill.places(paths, hosts, {name: there[name] for name in there if name not in chosen})
    unwanted = any(memory_skill.standing(paths, place) is memory_skill.Standing.REMOVED for place in before)
    skills: list[disk.Withdrawn] = []
    try:  # Before the settings: folders that were made for both must be empty when theirs are undone.
        skills = memory_skill.withdraw(paths) if before != after or not after else []
    except HivemindError as problem:
        problems[""] = problem
    # The last that was wired first; then those without a receipt, of whose entries nothing should be left by then.
    for name in [
        *(name for name in reversed(chosen) if name in there),
        *(name for name in chosen if name not in there),
    ]:
        files[name] = []
        try:
            other = _sharer(paths, hosts, name)
            if not other:
                files[name] = _undone(paths, hosts[name])
            elif name in there:
                hand_over(name, other, paths.receipts)
            if other and other not in chosen:
                shared[name] = other
        except HostError as problem:
            (problems if name in touched else unread)[name] = problem
    others, untold = registering.unregister(paths, beneath)
    servers, problems = servers | others, problems | untold
    if after:
        problems |= _shown_to_the_others(paths, hosts, () if unwanted else after)
    elif paths.hook.parent.exists():
        write_hook_settings(paths.hook_settings, SILENT)
    files = {name: [*servers.get(name, ()), *files[name]] for name in chosen}
    told = [_skill_result(one) for one in skills if not after or not one.path.exists()]
    if told:
        files[chosen[0]] = [*files[chosen[0]], *told]
    return Uninstalled(files, shared, problems, unread)


def _undone(paths: Paths, host: Host) -> list[UndoResult]:
    receipt = read_receipt(paths.receipts, host.NAME)
    folder = Path(receipt.config_dir) if receipt and receipt.config_dir else None
    command = command_for(paths, host)
    return undo(host.NAME, paths.receipts, lambda: host.plan_uninstall(paths.home, command, config_dir=folder))


def _sharer(paths: Paths, hosts: Mapping[str, Host], name: str) -> str:
    """A host that is wired by the very entries of the host `name`; "" if there is none."""
    there = skill_places.wired(paths, hosts)
    mine = _files(paths, hosts[name], there.get(name))
    for other, folder in there.items():
        alike = other != name and hosts[other].HOOK_NAME == hosts[name].HOOK_NAME
        if alike and mine & _files(paths, hosts[other], folder):
            return other
    return ""


def _files(paths: Paths, host: Host, folder: Path | None) -> set[Path]:
    """The files in which the host's entries stand."""
    edits = host.plan_uninstall(paths.home, command_for(paths, host), config_dir=folder)
    return {edit.path for edit in edits}


def _shown_to_the_others(
    paths: Paths, hosts: Mapping[str, Host], places: Sequence[memory_skill.Place]
) -> dict[str, HivemindError]:
    """The skill about hivemind in `places`, and those for every project, for the hosts that are left."""
    try:
        memory_skill.publish(paths, places)
        left = skill_places.wired(paths, hosts)
        disk.show_again(paths.home, skill_places.in_home(paths.home, hosts, left), paths.receipts)
    except HivemindError as problem:
        return {"": problem}
    return {}


def _skill_result(gone: disk.Withdrawn) -> UndoResult:
    return UndoResult(gone.path, "deleted" if gone.removed or not gone.path.exists() else "left")
