"""`hivemind sessions`: what was captured, and forgetting it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hivemind_cli.cli import when
from hivemind_cli.cli.choices import hosts_known, known
from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import ago, counted, note, print_json, quoted, say

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(help="List captured sessions; show one, or forget it for good.", invoke_without_command=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]


@app.callback()
def sessions(
    context: typer.Context,
    project: Annotated[str, typer.Option("--project", help="Only of this project.")] = "",
    host: Annotated[str, typer.Option("--host", help="Only of this agent.")] = "",
    since: Annotated[str, typer.Option("--since", help="Only active since then: 7d, 2 weeks, 2026-11-01.")] = "",
    limit: Annotated[int, typer.Option("--limit", help="How many, newest first.", min=1)] = 20,
    json: Json = False,
) -> None:
    """List captured sessions, the last active first; show one, or forget it for good."""
    if context.invoked_subcommand:
        return
    from hivemind_cli.app import reading

    store = Door.open().store
    found = reading.sessions(
        store,
        limit=limit,
        project_ids=reading.projects_named(store, project) if project else (),
        hosts=[known("agent", host, hosts_known())] if host else (),
        since=when.since(since, datetime.now(UTC)) if since else None,
    )
    if json:
        print_json(found)
        return
    for one in found:
        say(
            f"[bold]{quoted(one.session_id, 36)}[/]  {one.host}, {ago(one.last_at)}"
            f"{f', {quoted(one.project, 24)}' if one.project else ''}",
            indent=4,
        )
        say(
            f"    {counted(one.prompts, 'prompt')}, {counted(one.tool_calls, 'call')}, "
            f"{counted(one.corrections, 'correction')}, {counted(one.recalls, 'recall')}",
            indent=4,
        )
    if not found:
        note(
            "No session there. `hivemind sessions` lists all."
            if project or host or since
            else "No session was captured yet. `hivemind install` wires your agents; "
            "`hivemind import --all` reads the past."
        )


@app.command("show")
def show(
    session_id: Annotated[str, typer.Argument(help="Its id, or the beginning of it; AGENT:ID if several have it.")],
    turn: Annotated[int | None, typer.Option("--turn", help="Only the turn of this prompt.", min=0)] = None,
    full: Annotated[bool, typer.Option("--full", help="Nothing shortened, and what each call gave.")] = False,
    json: Json = False,
) -> None:
    """Read one session: what was said, done, put right, and what hivemind told the agent."""
    from hivemind_cli.app import reading, session_view

    door = Door.open()
    host, whole = reading.session_named(door.store, session_id)
    if json:
        told = {"session": session_view.head(door.store, host, whole)}
        print_json(told | dict(session_view.records(door.store, host, whole, turn=turn)))
        return
    from hivemind_cli.cli.pager import paged
    from hivemind_cli.cli.session_screen import Screen, joined

    with paged() as console:
        screen, shown = Screen(console, full=full), 0
        screen.head(door.ask("session.head", host=host, session_id=whole))
        for entry in joined(_entries(door, host, whole, turn, full)):
            screen.show(entry)
            shown += 1
    if turn is not None and not shown:
        note(f"It has no turn {turn}.")


def _entries(door: Door, host: str, session_id: str, turn: int | None, full: bool) -> "Iterator[dict[str, Any]]":
    """A page after the other, as they are read."""
    after: int | None = 0
    while after is not None:
        page = door.ask("session.page", host=host, session_id=session_id, after=after, turn=turn, full=full)
        yield from page["entries"]
        after = page["next"]


@app.command("prune")
def prune(
    session_id: Annotated[str, typer.Argument(help="Its id, or the beginning of it; AGENT:ID if several have it.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document on stdout, for programs; asks nothing.")
    ] = False,
) -> None:
    """Forget a session for good.

    With it go its events, corrections, recalls and experiences (these from the workspace's tables, too), the skill
    lines that rest on nothing else, and the versions of skills that held its words: `skillify undo` cannot bring those
    back. The agent's own transcript stays, and the files of the database and of the search index may hold freed bytes
    until later records take their place.
    """
    from hivemind_cli.app import reading
    from hivemind_cli.app.pruning import consequences, forget_names, prune_session

    door = Door.open()
    host, whole = reading.session_named(door.store, session_id)
    lost = consequences(door.store, host, whole)
    if not json:
        say(
            f"Session {quoted(whole)}: {counted(lost.events, 'event')}, {counted(lost.corrections, 'correction')}, "
            f"{counted(lost.recalls, 'recall')}, {counted(lost.attempts, 'experience')}."
        )
        for skill, lines in lost.lines.items():
            for line in lines:
                say(f"  skill {skill} loses: {quoted(line)}", indent=4)
    if not (yes or json) and not typer.confirm("Forget all of this?", err=True):
        raise typer.Exit(1)
    deleted = prune_session(door.store, host, whole, datetime.now(UTC))
    door.ask("forget", host=host, session_id=whole)
    door.ask("settle")
    nameless = forget_names(door.store, host, whole, datetime.now(UTC))
    if json:
        print_json({"session_id": whole, "host": host, "deleted": deleted, "lost": lost})
        return
    say(f"{counted(deleted, 'record')} forgotten; neither an import nor `skillify undo` will bring them back.")
    if not nameless:
        say("The name of a skill it alone carried stays until the file is withdrawn; prune again after that.")
