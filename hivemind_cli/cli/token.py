"""`hivemind token`: who may ask `hivemind serve`, for which workspaces, and to write."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli import when
from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import ago, note, print_json, quoted, say
from hivemind_cli.core.errors import ConfigError

if TYPE_CHECKING:
    from hivemind_cli.app.tokens import Token, Tokens

app = typer.Typer(
    help="Bearer tokens for `hivemind serve` and `hivemind mcp --http`: make, list and revoke them.",
    no_args_is_help=True,
)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What you will know it by: laptop, ci, swe-01.")],
    workspace: Annotated[
        list[str] | None,
        typer.Option("--workspace", "-w", help="It is for this one; may be repeated. '*' is for all. [default: yours]"),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="It may write, too; else it only reads.")] = False,
    expires: Annotated[str, typer.Option("--expires", help="It ends after so long: 12h, 30d, 8 weeks.")] = "",
    json: Json = False,
) -> None:
    """Make a token and print it, this once: only its hash is kept."""
    from hivemind_cli.app.tokens import Access

    door = Door.open()
    now = datetime.now(UTC)
    names = workspace or [os.environ.get("HIVEMIND_WORKSPACE_ID", "") or door.config.workspace or "default"]
    access = Access.WRITE if write else Access.READ
    said, token = _tokens(door).create(name, names, access, expires_at=_end(expires, now))
    if json:
        print_json({"token": said, **token.told()})
        return
    print(said)
    note(f"It is for {_scope(token, now)}. It is shown this once; keep it where only you can read it.")


@app.command("list")
def list_(json: Json = False) -> None:
    """Show the tokens there are: names, workspaces, what they may do. Never a secret."""
    now = datetime.now(UTC)
    found = _tokens(Door.open()).known()
    if json:
        print_json([token.told() for token in found])
        return
    for token in found:
        say(f"[bold]{quoted(token.name)}[/]  {token.id}, made {ago(token.created_at, now)}", indent=4)
        say(f"    for {_scope(token, now)}", indent=4)
    if not found:
        note("There is no token. `hivemind token create NAME` makes one.")


@app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="A token's name or id; `hivemind token list` shows them.")],
    json: Json = False,
) -> None:
    """Forget a token. Whoever has it is refused from now on, by servers that run already, too."""
    token = _tokens(Door.open()).revoke(name)
    if json:
        print_json({"revoked": token.id, "name": token.name})
    else:
        say(f"{quoted(token.name)} ({token.id}) is revoked.")


def _tokens(door: Door) -> "Tokens":
    from hivemind_cli.app.tokens import Tokens

    return Tokens(door.paths)


def _end(expires: str, now: datetime) -> datetime | None:
    """After the time that is named. ConfigError: it is none."""
    if not expires:
        return None
    lasting: timedelta = now - when.since(expires, now)
    if lasting <= timedelta(0) or lasting > timedelta(days=3650):
        raise ConfigError(f"A token cannot end after {expires!r}.", fix="Say 12h, 30d, 8 weeks; ten years at most.")
    return now + lasting


def _scope(token: "Token", now: datetime) -> str:
    from hivemind_cli.app.tokens import EVERY

    where = "all workspaces" if EVERY in token.workspaces else _and(token.workspaces)
    ends = ""
    if token.expires_at:
        over = token.expires_at <= now
        ends = ", expired" if over else f", until {token.expires_at.astimezone():%Y-%m-%d %H:%M}"
    return f"{where}, {'to read and write' if token.may_write else 'to read'}{ends}"


def _and(names: Sequence[str]) -> str:
    return f"workspace {names[0]}" if len(names) == 1 else f"workspaces {', '.join(names)}"
