"""`hivemind install`: finds the agents, shows what it will change, does it, and sees that each hook answers."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli import mcp
from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import note, print_json, quoted, say

if TYPE_CHECKING:
    from hivemind_cli.app.installing import Plan
    from hivemind_cli.core.errors import HostError

Only = Annotated[str, typer.Option("--only", help="Wire these alone; ids with commas between: claude,codex.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, as a diff; write nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]


def install(
    only: Only = "",
    dry_run: DryRun = False,
    with_embeddings: Annotated[
        bool, typer.Option("--with-embeddings", help="Recall by meaning, too, with the local model on this machine.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Wire the agents on this machine. Their sessions are captured, and skills reach them before they act.

    One agent alone: `hivemind codex install`, `hivemind codex uninstall`, `hivemind codex status`.
    """
    from hivemind_cli.app import installing
    from hivemind_cli.cli import install_model, install_screen

    door = Door.open()
    names = named_hosts(only)
    chosen = installing.chosen_hosts(door.paths, door.hosts, names, os.environ)
    plan = installing.plan(door.paths, chosen, os.environ, door.hosts)
    problems = [one.problem for one in plan.hosts if one.problem]
    if problems and len(problems) == len(plan.hosts):
        for other in problems[1:]:
            note(quoted(str(other), 400))
        raise problems[0]
    export = with_embeddings and install_model.to_export()
    if dry_run:
        install_screen.show_diff(plan, json)
        mcp.beside_hooks(door, [one.host for one in plan.hosts], dry_run=True)
        if export:
            note("The local model would be exported, so that recall goes by meaning, too.")
        if not plan.hosts:
            install_screen.none_found(door.hosts)
        return
    if not json:
        install_screen.show_table(plan)
    if not yes and not json and not _agreed(plan):
        raise typer.Exit(1)
    if plan.hosts and not yes and not json:
        door = _allowing_model(door)
        export = export or (not with_embeddings and install_model.agreed(plan.hosts))
    problems = _carry_out(door, plan, json)
    if with_embeddings or export:
        install_model.set_up(export, quiet=json)
    if names and problems:
        raise typer.Exit(problems[0].exit_code)  # why was told above


def named_hosts(only: str) -> list[str]:
    """The ids in `--only`. HostError, with the nearest right name, for one that is none."""
    from hivemind_cli.hosts import known_host

    return [known_host(name.strip()).NAME for name in only.split(",") if name.strip()]


def _carry_out(door: Door, plan: "Plan", json: bool) -> "list[HostError]":
    """Do it, see whether each hook answers, and tell; why some host could not be wired."""
    from hivemind_cli.app import checking, installing
    from hivemind_cli.cli import install_screen
    from hivemind_cli.daemon.spawn import command

    done = installing.install(
        door.paths,
        door.config,
        plan,
        daemon=command(),
        env=os.environ,
        now=datetime.now(UTC),
        hosts=door.hosts,
    )
    wired = [one.host for one in plan.hosts if one.host.NAME not in done.problems]
    checked = checking.check(door.paths, wired, os.environ)
    mcp.beside_hooks(door, wired, dry_run=False)
    _keep_workspace(door, tell=note if json else say)
    if json:
        print_json(install_screen.as_json(plan, done, checked))
    else:
        install_screen.tell(plan, done, checked, door.hosts)
    return list(done.problems.values())


def _agreed(plan: "Plan") -> bool:
    """Ask only where somebody can answer."""
    if not plan.edits or not sys.stdin.isatty():
        return True
    return typer.confirm("Go on? (`--dry-run` shows every line)", default=True, err=True)


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
