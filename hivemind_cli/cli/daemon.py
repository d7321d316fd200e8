"""`hivemind daemon`: the one process that owns the database."""

import os
from typing import Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import note, print_json, quoted, say

app = typer.Typer(
    help="The one process that owns the database. It starts and leaves by itself.", invoke_without_command=True
)


@app.callback()
def daemon(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Capture and work on all that waits, then leave.")] = False,
    foreground: Annotated[bool, typer.Option("--foreground", help="Run here, with the log on stderr.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Is it running? With --once or --foreground, be it."""
    if context.invoked_subcommand:
        return
    door = Door.open()
    if once or foreground:
        from hivemind_cli.daemon.run import run

        run(door.paths, door.config, once=once, foreground=foreground)
        return
    state = door.ask("daemon") if door.client.alive() else None
    if json:
        print_json(state or {"running": False})
    elif state:
        say(f"running: process {state['pid']}, for {state['uptime_s']:.0f} s, {state['rss_max_mb']:.0f} MB at most")
        for failing in state["failing"]:
            note(f"[yellow]![/] {quoted(str(failing), 300)}")
    else:
        say("not running; the next hook or command starts it")


@app.command("stop")
def stop() -> None:
    """Finish what is under way and leave."""
    say("stopped" if Door.open().client.stop() else "it was not running")


@app.command("restart")
def restart() -> None:
    """Leave and start again, with the settings as they are now."""
    client = Door.open().client
    client.stop()
    client.ensure()
    say("running")


@app.command("log")
def log(lines: Annotated[int, typer.Option("--lines", help="How many, from the end.", min=1)] = 40) -> None:
    """The end of its log."""
    path = Door.open().paths.log
    if path.exists():
        print("".join(path.read_text("utf-8", "replace").splitlines(keepends=True)[-lines:]), end="")
    else:
        note(f"There is no log at {quoted(os.fspath(path), 200)}.")
