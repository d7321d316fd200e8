"""`hivemind <agent> install|uninstall|status`: the same commands, for one agent."""

import os
from datetime import UTC, datetime
from typing import Any

import typer
from typer.main import get_command

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.install import DryRun, Json, Yes, install
from hivemind_cli.cli.uninstall import uninstall
from hivemind_cli.hosts import known_host


def group(name: str) -> Any:
    """The commands of the host `name`. HostError: there is no such host."""
    host = known_host(name)
    app = typer.Typer(
        name=name,
        help=f"{host.LABEL}: wire it, take it back, see how it stands.",
        epilog=f"What it does not allow: {' '.join(host.LIMITS)}" if host.LIMITS else None,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.command("install", help=f"Wire {host.LABEL}, as `hivemind install --only {name}` does.")
    def _install(dry_run: DryRun = False, yes: Yes = False, json: Json = False) -> None:
        install(only=name, dry_run=dry_run, with_embeddings=False, yes=yes, json=json)

    @app.command("uninstall", help=f"Take our entries out of {host.LABEL}'s settings, and prove it.")
    def _uninstall(json: Json = False) -> None:
        uninstall(only=name, purge=False, yes=True, json=json)

    @app.command("status", help=f"See how {host.LABEL} stands.")
    def _status(json: Json = False) -> None:
        show(name, json)

    if name == "codex":

        @app.command("trust", help="See the hooks that Codex asks about, and agree to them.")
        def _trust(json: Json = False) -> None:
            from hivemind_cli.cli.codex_trust import trust

            trust(json)

    return get_command(app)


def show(name: str, json: bool) -> None:
    """How one host stands."""
    from hivemind_cli.app.status import hosts_status
    from hivemind_cli.cli.output import print_json
    from hivemind_cli.cli.status import show_hosts

    door = Door.open()
    found = hosts_status({name: door.hosts[name]}, door.store, door.paths, os.environ)
    if json:
        print_json(found[0])
    else:
        show_hosts(found, datetime.now(UTC))
