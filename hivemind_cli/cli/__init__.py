"""The command line: parse, call the app, print. One file per command.

Heavy rooms are imported inside the commands, so that `--help` costs typer and rich and nothing more.
"""

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from hivemind_cli.cli import (
    bench,
    config,
    corrections,
    cost,
    daemon,
    demo,
    doctor,
    embeddings,
    experience,
    importing,
    install,
    mcp,
    recall,
    reindex,
    run,
    search,
    serve,
    sessions,
    skillify,
    sql,
    status,
    token,
    uninstall,
    why,
)
from hivemind_cli.cli.output import fail

EXIT_INTERRUPTED = 130
_ORDER = (
    "demo",
    "install",
    "uninstall",
    "status",
    "doctor",
    "import",
    "corrections",
    "skillify",
    "why",
    "recall",
    "search",
    "experience",
    "run",
    "sql",
    "mcp",
    "serve",
    "token",
    "sessions",
    "cost",
    "embeddings",
    "reindex",
    "config",
    "daemon",
    "bench",
)


AGENTS = (
    "claude",
    "codex",
    "cursor",
    "hermes",
    "pi",
    "openclaw",
    "gemini",
    "opencode",
    "kilo",
    "copilot",
    "vscode",
    "windsurf",
)
"""Each is a group of its own, made when it is asked for: `hivemind codex install`."""


class _InOrder(TyperGroup):
    """Lists the commands as a newcomer meets them; the agents' own are not listed."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in AGENTS:
            from hivemind_cli.cli.hosts import group

            return group(cmd_name)
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=_ORDER.index)


app = typer.Typer(
    name="hivemind",
    cls=_InOrder,
    help="Your coding agents stop repeating mistakes: corrections become skills, and skills reach the agent first.",
    epilog=f"For one agent alone: hivemind AGENT install, uninstall or status. AGENT is {', '.join(AGENTS)}.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: the drawn one costs as much as typer and rich.console together
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("install")(install.install)
app.command("uninstall")(uninstall.uninstall)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)
app.command("import")(importing.import_)
app.add_typer(skillify.app, name="skillify")
app.command("why")(why.why)
app.add_typer(corrections.app, name="corrections")
app.command("recall")(recall.recall)
app.command("search")(search.search)
app.add_typer(experience.app, name="experience")
app.add_typer(run.app, name="run")
app.command("sql")(sql.sql)
app.add_typer(mcp.app, name="mcp")
app.command("serve")(serve.serve)
app.add_typer(token.app, name="token")
app.add_typer(sessions.app, name="sessions")
app.command("cost")(cost.cost)
app.add_typer(embeddings.app, name="embeddings")
app.command("reindex")(reindex.reindex)
app.add_typer(config.app, name="config")
app.add_typer(daemon.app, name="daemon")
app.add_typer(bench.app, name="bench")


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
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader left (`| head`): nobody is there for what Python would still flush at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_INTERRUPTED)
    except Exception as exc:  # noqa: BLE001  the door: nothing above it could tell the person
        sys.exit(fail(exc))
