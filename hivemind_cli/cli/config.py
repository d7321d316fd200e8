"""`hivemind config`: show and change settings."""

import os
from typing import Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import note, print_json, quoted, row, say

app = typer.Typer(
    help="Show and change settings. Each is also a variable: recall.hold is HIVEMIND_RECALL_HOLD.", no_args_is_help=True
)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]
Key = Annotated[str, typer.Argument(help="A setting, such as recall.hold; `hivemind config show` lists them.")]


@app.command("show")
def show(
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value came from.")] = False,
    docs: Annotated[bool, typer.Option("--docs", help="Say what each setting does.")] = False,
    json: Json = False,
) -> None:
    """List all settings as they hold now."""
    from hivemind_cli.core.settings import reference

    door = Door.open()
    rows = [
        {"key": one.key, "value": _value(door, one.key), "origin": door.loaded.origin[one.key], "doc": one.doc}
        for one in reference()
    ]
    if json:
        print_json(rows)
        return
    wide = max(len(str(one["key"])) for one in rows)
    for one in rows:
        came = f"  [dim]{quoted(str(one['origin']))}[/]" if origin else ""
        row(f"{one['key']:<{wide}}  [bold]{quoted(_said(one['value']))}[/]{came}")
        if docs and one["doc"]:
            say(f"    {quoted(str(one['doc']), 300)}", indent=4)


@app.command("get")
def get(key: Key, json: Json = False) -> None:
    """Print the value of one setting."""
    door = Door.open()
    value = _value(door, key)
    if json:
        print_json({"key": key, "value": value, "origin": door.loaded.origin[key]})
    else:
        print(_said(value))


@app.command("set")
def set_(
    key: Key, value: Annotated[str, typer.Argument(help="What it shall be: true, 0.4, never ...")], json: Json = False
) -> None:
    """Write one setting to config.toml. Comments and order are kept."""
    from hivemind_cli.app import installing
    from hivemind_cli.core.settings import load, set_value
    from hivemind_cli.daemon.spawn import command

    door = Door.open()
    door.paths.make()
    written = set_value(door.paths, key, value)
    was_running = door.client.alive() and door.client.stop()
    config = load(door.paths, os.environ).config
    if door.paths.hook.exists() and not installing.silenced(door.paths):
        installing.write_settings(door.paths, config, list(door.hosts.values()), daemon=command())
    if was_running:
        Door(door.paths).ask("store.cursor", stage="capture")  # answers when the new daemon's store is open
    if json:
        print_json({"key": key, "value": written, "daemon_restarted": was_running})
        return
    say(f"{quoted(key)} = {quoted(_said(written))}")
    overruled = load(door.paths, os.environ).origin[key]
    if overruled not in ("config.toml", "default"):
        note(f"[yellow]![/] {overruled} is set in this environment and counts more.", indent=2)
    if was_running:
        note("The daemon was started anew with it.")


def _value(door: Door, key: str) -> object:
    from difflib import get_close_matches

    from hivemind_cli.core.errors import ConfigError

    if key not in door.loaded.origin:
        near = get_close_matches(key, door.loaded.origin, n=1)
        fix = f"Did you mean `{near[0]}`?" if near else "`hivemind config show` lists them all."
        raise ConfigError(f"There is no setting {key!r}.", fix=fix)
    value: object = door.config
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _said(value: object) -> str:
    """As it would be written in config.toml, without quotes."""
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'
