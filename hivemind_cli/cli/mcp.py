"""`hivemind mcp`: tools for agents over the Model Context Protocol, on standard streams or over HTTP."""

import os
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import note, print_json, quoted, say
from hivemind_cli.cli.over_http import HOST, MCP_PORT, Cert, HostName, Key, Names, Port, WithoutTLS, needs, over_http

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hivemind_cli.hosts.base import Host

Only = Annotated[str, typer.Option("--only", help="These agents alone; ids with commas between: cursor,codex.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]
_SIGNS = {
    "failed": "[red]✗[/]",
    "would change": "[yellow]~[/]",
    "registered": "[green]✓[/]",
    "unchanged": "[green]✓[/]",
}

app = typer.Typer(help="Serve what is known of this folder's project, and experiences, to an agent over MCP.")


@app.callback(invoke_without_command=True)
def mcp(
    ctx: typer.Context,
    http: Annotated[bool, typer.Option("--http", help="Over streamable HTTP, to who has a token; else stdio.")] = False,
    host: HostName = HOST,
    port: Port = MCP_PORT,
    tls_cert: Cert = None,
    tls_key: Key = None,
    without_tls: WithoutTLS = False,
    name: Names = None,
) -> None:
    """Serve what is known of this folder's project, and experiences, to an agent over MCP.

    On standard streams, unless --http is given; what stands behind it is for --http alone.
    """
    if ctx.invoked_subcommand is not None:
        return
    from hivemind_cli.core.project import identify, kept_workspaces, workspace_for
    from hivemind_cli.memory.link import Link
    from hivemind_cli.serve import mcp as served
    from hivemind_cli.serve.http.listening import Place as Listens
    from hivemind_cli.serve.known import Known, Place
    from hivemind_cli.serve.tried import Tried

    door = Door.open()
    project = identify(str(door.cwd), door.paths.home)
    named = os.environ.get("HIVEMIND_WORKSPACE_ID", "")
    workspace = workspace_for(named, project, kept_workspaces(door.paths), door.config.workspace)
    known = Known(door.ask, door.store, Place(str(door.cwd), workspace.id, project.id, project.name))
    tried = Tried(Link(door.paths).ask, workspace.id)
    if not http:
        if sys.stdin.isatty():
            note("An agent's host starts this and talks to it in JSON; `hivemind mcp install` tells hosts of it.")
        served.serve(known, tried)
        return
    needs("hivemind mcp --http", "mcp", "uvicorn")
    over_http(
        lambda _: served.over_http(known, tried, workspace.id),
        Listens(host, port, tls_cert, tls_key, without_tls),
        door.paths,
        names=name or (),
        path=served.PATH,
    )


@app.command("install")
def install(
    only: Only = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be written.")] = False,
    json: Json = False,
) -> None:
    """Tell the agents on this machine of `hivemind mcp`; each then starts it by itself.

    Not needed where hooks are wired: they bring what matters without being asked.
    """
    from hivemind_cli.app import registering
    from hivemind_cli.hosts.apply import diff
    from hivemind_cli.hosts.mcp_files import BY_HAND

    door = Door.open()
    names = _names(only)
    planned = registering.plan(door.paths, os.environ, names)
    if not dry_run:
        now = datetime.now(UTC)
        planned = [one if one.problem else registering.register(door.paths, one, now) for one in planned]
    problems = [one.problem for one in planned if one.problem]
    told: list[dict[str, Any]] = []
    for one in planned:
        change = diff(one.edits) if dry_run else ""
        state = "failed" if one.problem else ("would change" if dry_run else "registered") if one.edits else "unchanged"
        told.append({"host": one.host, "path": str(one.path), "state": state, "diff": change})
        if not json:
            say(f"{_SIGNS[state]} {one.label}: {quoted(str(one.path), 200)} {state}", indent=2)
            print(change, end="")
    by_hand = {name: registering.by_hand(door.paths, name) for name in BY_HAND if name in names or not names}
    if json:
        print_json({"hosts": told, "by_hand": by_hand})
    for name, line in by_hand.items() if not json else ():
        note(f"{door.hosts[name].LABEL} keeps its list itself. To tell it: {quoted(line, 400)}")
    if problems:
        raise problems[0]


@app.command("uninstall")
def uninstall(only: Only = "", json: Json = False) -> None:
    """Take `hivemind mcp` out of the agents' lists again, and prove it."""
    from hivemind_cli.app import registering
    from hivemind_cli.hosts.apply import as_json

    done, problems = registering.unregister(Door.open().paths, registering.known(_names(only)))
    if json:
        print_json({"hosts": {name: as_json(files) for name, files in done.items()}})
    for file in [] if json else [file for files in done.values() for file in files]:
        proof = "byte for byte as before" if file.proven else "only our entry was cut: it was changed meanwhile"
        say(f"[green]✓[/] {quoted(str(file.path), 200)} {file.outcome}, {proof}", indent=2)
    if not done and not problems and not json:
        say("No agent was told of `hivemind mcp`.")
    for problem in problems.values():
        raise problem


def beside_hooks(door: Door, hosts: "Sequence[Host]", *, dry_run: bool) -> None:
    """With `hivemind install`: a host whose hooks can tell it nothing is told of `hivemind mcp`, on stderr."""
    from hivemind_cli.app import registering
    from hivemind_cli.hosts.apply import diff

    silent = [one.NAME for one in hosts if not any(one.EVENTS.values()) and one.NAME in registering.SERVER_FILES]
    there = find_spec("mcp") is not None
    for one in registering.plan(door.paths, os.environ, silent) if silent else ():
        if one.problem:
            note(f"[yellow]![/] {one.label}: {quoted(str(one.problem), 400)}")
        elif not there:
            note(f'[yellow]![/] {one.label} takes what is known only over MCP: `pip install "hivemind-loop\\[serve]"`,')
            note(f"then `hivemind mcp install --only {one.host}`.", indent=2)
        elif dry_run:
            print(diff(one.edits), end="", file=sys.stderr)
        elif one.edits and (problem := registering.register(door.paths, one, datetime.now(UTC)).problem):
            note(f"[yellow]![/] {one.label}: {quoted(str(problem), 400)}")
        elif one.edits:
            note(f"[green]✓[/] {one.label} can ask `hivemind mcp`, for its hooks cannot tell it anything.")


def _names(only: str) -> list[str]:
    return [name.strip() for name in only.split(",") if name.strip()]
