"""`hivemind daemon`: the one process that owns the database."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import note, print_json, quoted, say

if TYPE_CHECKING:
    from hivemind_cli.daemon.client import Client

app = typer.Typer(
    help="The process that owns the database. It starts and leaves by itself.", invoke_without_command=True
)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]


@app.callback()
def daemon(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Capture and work on all that waits, then leave.")] = False,
    foreground: Annotated[bool, typer.Option("--foreground", help="Run here, with the log on stderr.")] = False,
    json: Json = False,
) -> None:
    """Is the process that owns the database running? It starts and leaves by itself."""
    if context.invoked_subcommand:
        return
    door = Door.open()
    if once and door.client.alive():
        door.ask("settle", timeout_s=3600.0)
        _tell("The running daemon has done all that waited.", {"running": True, "settled": True}, json)
        return
    if once or foreground:
        from hivemind_cli.daemon.run import run

        run(door.paths, door.config, once=once, foreground=foreground)
        if once:
            _tell("All that waited is done.", {"running": False, "settled": True}, json)
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


def _tell(words: str, value: object, json: bool) -> None:
    if json:
        print_json(value)
    else:
        say(words)


@app.command("stop")
def stop(json: Json = False) -> None:
    """Finish what is under way and leave. The next hook or command starts it again."""
    stopped = _client().stop()
    _tell("stopped" if stopped else "it was not running", {"stopped": stopped}, json)


@app.command("restart")
def restart(json: Json = False) -> None:
    """Leave and start again, with the settings as they are now."""
    client = Door.open().client
    client.stop()
    client.ensure()
    state = client.ping() or {}
    _tell(f"running: process {state.get('pid', 'unknown')}", state, json)


def _client() -> "Client":
    """Stopping needs no settings: a wrong one must not stand in its way."""
    from hivemind_cli.daemon.client import Client

    return Client(Door.open().paths)


@app.command("log")
def log(
    lines: Annotated[int, typer.Option("--lines", help="How many, from the end.", min=1)] = 40, json: Json = False
) -> None:
    """Print the end of its log."""
    path = Door.open().paths.log
    found = path.read_text("utf-8", "replace").splitlines()[-lines:] if path.exists() else []
    if json:
        print_json(found)
    elif found:
        print("\n".join(found))
    else:
        note(f"There is nothing in a log at {quoted(os.fspath(path), 200)}.")
