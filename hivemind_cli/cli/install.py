"""`hivemind install` and `hivemind uninstall`."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import counted, note, print_json, quoted, say

if TYPE_CHECKING:
    from pathlib import Path

    from hivemind_cli.app.installing import Planned
    from hivemind_cli.skills.disk import Withdrawn

_CUT = "only our entries were cut: you changed it meanwhile"
_CHANGED = {"left": "you changed it: it is yours"}
PROJECTS_SHOWN = 5
Only = Annotated[str, typer.Option("--only", help="Wire these alone; ids with commas between: claude.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]


def install(
    only: Only = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, as a diff; write nothing.")
    ] = False,
    with_embeddings: Annotated[
        bool, typer.Option("--with-embeddings", help="Recall by meaning, too, with the local model on this machine.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Wire the agents on this machine. Their sessions are captured, and skills reach them before they act."""
    from hivemind_cli.app import installing
    from hivemind_cli.cli import install_model
    from hivemind_cli.hosts import known_host
    from hivemind_cli.hosts.apply import diff

    door = Door.open()
    names = [known_host(name.strip()).NAME for name in only.split(",") if name.strip()]
    chosen = installing.chosen_hosts(door.paths, door.hosts, names, os.environ)
    planned = installing.plan(door.paths, chosen, os.environ)
    problems = [one.problem for one in planned if one.problem]
    if problems and len(problems) == len(planned):
        raise problems[0]
    export = with_embeddings and install_model.to_export()
    if dry_run:
        _show_plan(planned, json)
        if export:
            note("The local model would be exported, so that recall goes by meaning, too.")
        if not planned:
            _none_found(door)
        return
    if not yes and not json and not _agreed(planned):
        raise typer.Exit(1)
    from hivemind_cli.daemon.spawn import command

    if planned and not yes and not json:
        door = _allowing_model(door)
        export = export or (not with_embeddings and install_model.agreed(planned))
    left = installing.install(door.paths, door.config, planned, daemon=command(), env=os.environ, now=datetime.now(UTC))
    _keep_workspace(door, tell=note if json else say)
    if json:
        print_json([_as_json(one, diff([*one.edits, *one.skill_edits])) for one in planned])
    else:
        _tell_wired(door, planned, left)
    if with_embeddings or export:
        install_model.set_up(export, quiet=json)


def uninstall(
    purge: Annotated[
        bool, typer.Option("--purge", help="Also remove all it has recorded, and its skills for every project.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a purge.")] = False,
    json: Json = False,
) -> None:
    """Take our entries out of every agent's settings, and prove it. The daemon is stopped.

    Skills in projects are files of those projects, and stay; so does every skill that you wrote in.
    """
    from hivemind_cli.app import installing, purging
    from hivemind_cli.daemon.client import Client
    from hivemind_cli.hosts.apply import as_json

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
    results = installing.uninstall(door.paths, door.hosts)
    Client(door.paths).stop()
    if purge or not was_there:
        installing.purge(door.paths)
    if json:
        told: dict[str, object] = {name: as_json(files) for name, files in results.items()}
        if purge:
            told["skills"] = [{"path": str(one.path), "removed": one.removed, "why": one.why} for one in skills]
            told["projects"] = {str(tree): count for tree, count in projects.items()}
        print_json(told)
        return
    for name, files in results.items():
        for file in files:
            proof = "byte for byte as before" if file.proven else _CHANGED.get(file.outcome, _CUT)
            say(
                f"[green]✓[/] {door.hosts[name].LABEL}: {quoted(str(file.path), 200)} {file.outcome}, {proof}", indent=2
            )
            if file.diff:
                print(file.diff, end="")
    if purge:
        _tell_skills(skills)
        say(f"[green]✓[/] {quoted(str(door.paths.root), 200)} removed.")
    else:
        if not any(results.values()):
            say("No agent was wired.")
        if door.paths.root.exists():
            too = f", and {counted(len(wide), 'skill')} for every project with them" if wide else ""
            say(
                f"Your records stay in {quoted(str(door.paths.root), 200)}{too}; `hivemind uninstall --purge` removes "
                f"{'both' if wide else 'them'}.",
                indent=2,
            )
    _tell_projects(projects)


def _tell_wired(door: Door, planned: "Sequence[Planned]", left: Sequence[str]) -> None:
    for notice in left:
        note(f"[yellow]![/] {quoted(notice, 400)}", indent=2)
    for one in planned:
        if one.problem:
            note(f"[yellow]{one.host.LABEL} was left alone.[/] {quoted(str(one.problem), 400)}", indent=2)
            continue
        done = "wired" if one.edits else "was wired already"
        say(f"[green]✓[/] {one.host.LABEL} {done}")
        for notice in one.notices:
            note(f"[yellow]![/] {quoted(notice, 400)}", indent=2)
    if not planned:
        _none_found(door)
        return
    say(
        "Work as always; agents that are open take the hooks up when they are started anew. `hivemind status` shows "
        "what was learned, `hivemind uninstall` takes everything back."
    )


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


def _none_found(door: Door) -> None:
    labels = ", ".join(f"{host.LABEL} ({name})" for name, host in door.hosts.items())
    first = next(iter(door.hosts))
    note(
        f"No agent was found on this machine, so none was wired. hivemind knows {labels}; "
        f"`hivemind install --only {first}` wires it before it is there."
    )


def _show_plan(planned: "Sequence[Planned]", json: bool) -> None:
    from hivemind_cli.hosts.apply import diff

    if json:
        print_json([_as_json(one, diff([*one.edits, *one.skill_edits])) for one in planned])
        return
    for one in planned:
        if one.problem:
            note(f"[yellow]{one.host.LABEL}: {quoted(str(one.problem), 400)}[/]")
        elif not one.edits and not one.skill_edits:
            note(f"{one.host.LABEL}: nothing to change")
        for notice in one.notices:
            note(f"[yellow]![/] {quoted(notice, 400)}", indent=2)
        print(diff([*one.edits, *one.skill_edits]), end="")
        for link in one.links:
            note(f"{quoted(str(link), 200)}: a link to it, for agents that look there")


def _as_json(one: "Planned", changes: str) -> dict[str, object]:
    return {
        "host": one.host.NAME,
        "files": [str(edit.path) for edit in (*one.edits, *one.skill_edits)],
        "diff": changes,
        "links": [str(link) for link in one.links],
        "notices": one.notices,
        "problem": str(one.problem) if one.problem else "",
    }


def _agreed(planned: "Sequence[Planned]") -> bool:
    """Ask only where somebody can answer."""
    files = [edit.path for one in planned for edit in (*one.edits, *one.skill_edits)]
    if not files or not sys.stdin.isatty():
        return True
    for file in files:
        note(f"  {quoted(str(file), 200)}")
    return typer.confirm(
        "hivemind adds its hooks to these files, and a skill that tells agents how to ask it (`--dry-run` shows how). "
        "Go on?",
        default=True,
        err=True,
    )


def _allowing_model(door: Door) -> Door:
    """The door with its settings read anew, if the person has just allowed a model."""
    if not _model_allowed(door):
        return door
    door.client.stop()
    return Door(door.paths)


def _model_allowed(door: Door) -> bool:
    """Ask, where somebody can answer and has not yet, whether the provider that is there may draft; True: a new yes."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or door.loaded.origin["llm.allow"] != "default":
        return False
    from hivemind_cli.app import llm_setting
    from hivemind_cli.core.settings import set_value
    from hivemind_cli.llm import choose

    allowing = replace(door.config, llm=replace(door.config.llm, allow=True))
    choice = choose(llm_setting(door.paths, allowing, os.environ))
    if choice.provider is None:
        return False
    agreed = typer.confirm(
        f"May hivemind ask {choice.provider.name} to draft skills, and to judge what may be a correction? "
        f"(redacted words of your sessions are sent to it, by {choice.reason}; "
        f"at most ${door.config.llm.usd_per_day:.2f} a day)",
        default=False,
        err=True,
    )
    set_value(door.paths, "llm.allow", agreed)  # a no is kept, too: it is asked once
    return agreed


def _keep_workspace(door: Door, tell: Callable[[str], None]) -> None:
    """`HIVEMIND_WORKSPACE_ID=x hivemind install` keeps x for this project."""
    from hivemind_cli.core.project import identify, keep_workspace

    wanted = os.environ.get("HIVEMIND_WORKSPACE_ID", "")
    project = identify(str(door.cwd), door.paths.home)
    if wanted and project.id:
        keep_workspace(door.paths, project.id, wanted)
        door.client.stop()  # it read the old ones at its start; the next delivery starts it anew
        tell(f"[green]✓[/] {quoted(project.name)} belongs to workspace {quoted(wanted)}")
