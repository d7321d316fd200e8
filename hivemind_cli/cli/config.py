"""`hivemind config`: show and change settings."""

import os
from typing import Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import console, note, print_json, quoted, say

app = typer.Typer(help="Show and change settings.", no_args_is_help=True)


@app.command("show")
def show(
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value came from.")] = False,
    docs: Annotated[bool, typer.Option("--docs", help="Say what each setting does.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """All settings as they hold now."""
    from rich.table import Table

    from hivemind_cli.core.settings import reference

    door = Door.open()
    rows = [
        {"key": one.key, "value": _value(door, one.key), "origin": door.loaded.origin[one.key], "doc": one.doc}
        for one in reference()
    ]
    if json:
        print_json(rows)
        return
    table = Table("setting", "value", box=None, header_style="bold")
    if origin:
        table.add_column("from")
    if docs:
        table.add_column("what it does")
    for row in rows:
        cells = [row["key"], quoted(str(row["value"]) or '""')]
        cells += [str(row["origin"])] if origin else []
        cells += [quoted(str(row["doc"]), 300)] if docs else []
        table.add_row(*(str(cell) for cell in cells))
    console.print(table)


@app.command("get")
def get(key: str) -> None:
    """The value of one setting."""
    print(_value(Door.open(), key))


@app.command("set")
def set_(key: str, value: str) -> None:
    """Write one setting to config.toml; comments and order are kept."""
    from hivemind_cli.app import installing
    from hivemind_cli.core.settings import load, set_value
    from hivemind_cli.daemon.spawn import command

    door = Door.open()
    door.paths.make()
    written = set_value(door.paths, key, value)
    was_running = door.client.alive() and door.client.stop()
    config = load(door.paths, os.environ).config
    if door.paths.hook.exists():
        installing.write_settings(door.paths, config, list(door.hosts.values()), daemon=command())
    say(f"{quoted(key)} = {quoted(str(written))}")
    if was_running:
        Door(door.paths).ask("store.cursor", stage="capture")  # answers when the new daemon's store is open
        note("The daemon was started anew with it.")


def _value(door: Door, key: str) -> object:
    from hivemind_cli.core.errors import ConfigError

    value: object = door.config
    for part in key.split("."):
        if not hasattr(value, part):
            raise ConfigError(f"There is no setting {key!r}.", fix="`hivemind config show` lists them all.")
        value = getattr(value, part)
    return value
