"""The command line: parse, call the app, print. One file per command.

Heavy rooms are imported inside the commands, so that `--help` costs typer and rich and nothing more.
"""

import sys

import typer

from hivemind_cli.cli import (
    config,
    corrections,
    daemon,
    demo,
    doctor,
    importing,
    install,
    recall,
    sessions,
    skillify,
    status,
    why,
)
from hivemind_cli.cli.output import fail

app = typer.Typer(
    name="hivemind",
    help="Your coding agents stop repeating mistakes: corrections become skills, and skills reach the agent first.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("install")(install.install)
app.command("uninstall")(install.uninstall)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)
app.command("import")(importing.import_)
app.add_typer(skillify.app, name="skillify")
app.command("why")(why.why)
app.command("corrections")(corrections.corrections)
app.command("recall")(recall.recall)
app.add_typer(sessions.app, name="sessions")
app.add_typer(config.app, name="config")
app.add_typer(daemon.app, name="daemon")


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and leave.")) -> None:
    """Options that stand before a command."""
    if version:
        from hivemind_cli import __version__

        print(f"hivemind {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the `hivemind` command. What goes wrong is told once, as advice; a bug leaves a crash report."""
    try:
        app()
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
    except Exception as exc:  # noqa: BLE001  the door: nothing above it could tell the person
        sys.exit(fail(exc))
