"""`hivemind mcp`: the tools that an agent's host starts for it, over the Model Context Protocol on standard streams."""

import os
import sys

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import note

app = typer.Typer(help="Serve search, read and index to an agent over MCP (stdio), for this folder's project.")


@app.callback(invoke_without_command=True)
def mcp(ctx: typer.Context) -> None:
    """Serve search, read and index to an agent over MCP (stdio), for this folder's project."""
    if ctx.invoked_subcommand is not None:
        return
    from hivemind_cli.core.project import identify, kept_workspaces, workspace_for
    from hivemind_cli.serve.known import Known, Place
    from hivemind_cli.serve.mcp import serve

    door = Door.open()
    if sys.stdin.isatty():
        note("An agent's host starts this and talks to it in JSON; `hivemind mcp install` tells hosts of it.")
    project = identify(str(door.cwd), door.paths.home)
    named = os.environ.get("HIVEMIND_WORKSPACE_ID", "")
    workspace = workspace_for(named, project, kept_workspaces(door.paths), door.config.workspace)
    serve(Known(door.ask, door.store, Place(str(door.cwd), workspace.id, project.id, project.name)))
