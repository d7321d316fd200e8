"""`hivemind install` and `hivemind uninstall`."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import note, print_json, quoted, say

if TYPE_CHECKING:
    from hivemind_cli.app.installing import Planned

_CUT = "only our entries were cut: you changed it meanwhile"
_CHANGED = {"left": "you changed it: it is yours"}
Only = Annotated[str, typer.Option("--only", help="Wire these alone; ids with commas between: claude.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]


def install(
    only: Only = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, as a diff; write nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Wire the agents on this machine. Their sessions are captured, and skills reach them before they act."""
    from hivemind_cli.app import installing
    from hivemind_cli.hosts import known_host
    from hivemind_cli.hosts.apply import diff

    door = Door.open()
    names = [known_host(name.strip()).NAME for name in only.split(",") if name.strip()]
    chosen = installing.chosen_hosts(door.paths, door.hosts, names, os.environ)
    planned = installing.plan(door.paths, chosen, os.environ)
    problems = [one.problem for one in planned if one.problem]
    if problems and len(problems) == len(planned):
        raise problems[0]
    if dry_run:
        _show_plan(planned, json)
        if not planned:
            _none_found(door)
        return
    if not yes and not json and not _agreed(planned):
        raise typer.Exit(1)
    from hivemind_cli.daemon.spawn import command

    if planned and not yes and not json and _model_allowed(door):
        door = Door(door.paths)  # reads the settings anew
        door.client.stop()
    left = installing.install(door.paths, door.config, planned, daemon=command(), env=os.environ, now=datetime.now(UTC))
    _keep_workspace(door, tell=note if json else say)
    if json:
        print_json([_as_json(one, diff([*one.edits, *one.skill_edits])) for one in planned])
        return
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


def uninstall(
    purge: Annotated[bool, typer.Option("--purge", help="Also remove everything hivemind has recorded.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a purge.")] = False,
    json: Json = False,
) -> None:
    """Take our entries out of every agent's settings, and prove it. The daemon is stopped."""
    from hivemind_cli.app import installing
    from hivemind_cli.daemon.client import Client
    from hivemind_cli.hosts.apply import as_json

    door = Door.open()
    if purge and not (yes or json) and not typer.confirm(f"Remove everything in {door.paths.root}?", err=True):
        raise typer.Exit(1)
    was_there = door.paths.root.exists()
    results = installing.uninstall(door.paths, door.hosts)
    Client(door.paths).stop()
    if purge or not was_there:
        installing.purge(door.paths)
    if json:
        print_json({name: as_json(files) for name, files in results.items()})
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
        say(f"[green]✓[/] {quoted(str(door.paths.root), 200)} removed. Skills in your projects are yours and stay.")
    else:
        if not any(results.values()):
            say("No agent was wired.")
        if door.paths.root.exists():
            say(f"Your records stay in {quoted(str(door.paths.root), 200)}; `hivemind uninstall --purge` removes them.")


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
