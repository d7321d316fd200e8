"""`hivemind uninstall`: our entries out of every agent's settings, and the proof of it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.install import Json, named_hosts
from hivemind_cli.cli.output import counted, note, print_json, quoted, say

if TYPE_CHECKING:
    from pathlib import Path

    from hivemind_cli.app.uninstalling import Uninstalled
    from hivemind_cli.skills.disk import Withdrawn

_CUT = "only our entries were cut: you changed it meanwhile"
_CHANGED = {"left": "you changed it: it is yours"}
PROJECTS_SHOWN = 5


def uninstall(
    only: Annotated[str, typer.Option("--only", help="These alone; ids with commas between: claude,codex.")] = "",
    purge: Annotated[
        bool,
        typer.Option(
            "--purge", help="Also remove all it has recorded, agents' own tables, and its skills for every project."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a purge.")] = False,
    json: Json = False,
) -> None:
    """Take our entries out of every agent's settings, and prove it. The daemon is stopped.

    Skills in projects are files of those projects, and stay; so does every skill that you wrote in.
    """
    from hivemind_cli.app import installing, purging, uninstalling
    from hivemind_cli.daemon.client import Client

    names = named_hosts(only)
    if names and purge:
        raise typer.BadParameter("--purge removes what every agent left; it goes without --only.")
    door = Door.open()
    wide = purging.user_skills(door.paths)
    if purge and not (yes or json):
        too = f", and {counted(len(wide), 'skill')} for every project" if wide else ""
        if not typer.confirm(f"Remove everything in {door.paths.root}{too}?", err=True):
            raise typer.Exit(1)
    was_there = door.paths.root.exists()
    projects = purging.in_projects(door.paths)
    # Before the rest: what stands in folders that install made would keep them from being taken back.
    skills = purging.withdraw_user_skills(door.paths) if purge else []
    done = uninstalling.uninstall(door.paths, door.hosts, names)
    Client(door.paths).stop()
    clean = not done.problems  # a receipt that is still needed is not thrown away
    if clean and (purge or not was_there):
        installing.purge(door.paths)
    if json:
        _print_json(done, skills if purge else None, projects)
    else:
        _tell(door, done)
        if purge and clean:
            _tell_skills(skills)
            say(f"[green]✓[/] {quoted(str(door.paths.root), 200)} removed.")
        elif not names:
            _tell_kept(door, done, len(wide))
        if not names:
            _tell_projects(projects)
    if done.problems:
        raise next(iter(done.problems.values()))


def _tell(door: Door, done: "Uninstalled") -> None:
    for name, files in done.files.items():
        label = door.hosts[name].LABEL
        for file in files:
            proof = "byte for byte as before" if file.proven else _CHANGED.get(file.outcome, _CUT)
            say(f"[green]✓[/] {label}: {quoted(str(file.path), 200)} {file.outcome}, {proof}", indent=2)
            if file.diff:
                print(file.diff, end="")
        if name in done.shared:
            other = door.hosts[done.shared[name]].LABEL
            say(f"[yellow]![/] {label} and {other} share their hooks: they stay while {other} is wired.", indent=2)
    for name, problem in done.unread.items():
        left = f"{door.hosts[name].LABEL} was left alone; hivemind did not wire it."
        note(f"[yellow]![/] {quoted(f'{left} {problem.what} {problem.why}'.strip(), 400)}", indent=2)
    for name, problem in [*done.problems.items()][1:]:  # the first is told at the end
        label = door.hosts[name].LABEL if name else "hivemind's skill"
        note(f"[yellow]![/] {label}: {quoted(str(problem), 400)}", indent=2)


def _tell_kept(door: Door, done: "Uninstalled", wide: int) -> None:
    if not any(done.files.values()) and not done.problems:
        say("No agent was wired.")
    if door.paths.root.exists():
        too = f", and {counted(wide, 'skill')} for every project with them" if wide else ""
        say(
            f"Your records stay in {quoted(str(door.paths.root), 200)}{too}; `hivemind uninstall --purge` removes "
            f"{'both' if wide else 'them'}.",
            indent=2,
        )


def _print_json(done: "Uninstalled", skills: "Sequence[Withdrawn] | None", projects: "Mapping[Path, int]") -> None:
    from hivemind_cli.hosts.apply import as_json

    told: dict[str, object] = {name: as_json(list(files)) for name, files in done.files.items()}
    if skills is not None:
        told["skills"] = [{"path": str(one.path), "removed": one.removed, "why": one.why} for one in skills]
        told["projects"] = {str(tree): count for tree, count in projects.items()}
    if done.shared:
        told["shared"] = done.shared
    print_json(told)


def _tell_skills(skills: "Sequence[Withdrawn]") -> None:
    removed = [one.name for one in skills if one.removed]
    if removed:
        names = ", ".join(dict.fromkeys(removed))
        say(
            f"[green]✓[/] {counted(len(set(removed)), 'skill')} for every project removed: {quoted(names, 400)}",
            indent=2,
        )
    for one in skills:
        if not one.removed and one.path.exists():
            say(f"[yellow]![/] {quoted(str(one.path), 200)} stays: {one.why}.", indent=2)


def _tell_projects(projects: "Mapping[Path, int]") -> None:
    if not projects:
        return
    places = ", ".join(quoted(str(tree), 200) for tree in [*projects][:PROJECTS_SHOWN])
    more = f" and {len(projects) - PROJECTS_SHOWN} more" if len(projects) > PROJECTS_SHOWN else ""
    total = sum(projects.values())
    say(
        f"{counted(total, 'skill')} in your projects {'stays' if total == 1 else 'stay'}; they are the projects' own: "
        f"{places}{more}",
        indent=2,
    )
