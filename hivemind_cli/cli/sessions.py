"""`hivemind sessions`: what was captured, and forgetting it."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import ago, counted, note, print_json, quoted, row, say

app = typer.Typer(help="List captured sessions; show one, or forget it for good.", invoke_without_command=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]


@app.callback()
def sessions(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", help="How many, newest first.", min=1)] = 20,
    json: Json = False,
) -> None:
    """List captured sessions, the last active first; show one, or forget it for good."""
    if context.invoked_subcommand:
        return
    from hivemind_cli.app import reading

    found = reading.sessions(Door.open().store, limit=limit)
    if json:
        print_json(found)
        return
    for one in found:
        row(
            f"[bold]{quoted(one.session_id, 36)}[/]  {one.host}, {ago(one.last_at)}"
            f"{f', {quoted(one.project, 24)}' if one.project else ''}"
        )
        row(
            f"    {counted(one.prompts, 'prompt')}, {counted(one.tool_calls, 'call')}, "
            f"{counted(one.corrections, 'correction')}, {counted(one.recalls, 'recall')}"
        )
    if not found:
        note(
            "No session was captured yet. `hivemind install` wires your agents; `hivemind import --all` reads the past."
        )


@app.command("show")
def show(
    session_id: Annotated[str, typer.Argument(help="Its id, or the beginning of it; AGENT:ID if several have it.")],
    json: Json = False,
) -> None:
    """List the events of one session, in order."""
    from hivemind_cli.app import reading
    from hivemind_cli.core.records import Event

    door = Door.open()
    host, whole = reading.session_named(door.store, session_id)
    events = [row.record for row in door.store.find(Event, host=host, session_id=whole)]
    if json:
        print_json(events)
        return
    for event in events:
        payload = event.payload
        said = payload.get("text") or payload.get("words") or payload.get("error") or payload.get("output") or ""
        act = payload.get("act") or {}
        did = act.get("command") or act.get("path") or ""
        what = event.kind.value.replace("_", " ") + (f" {event.tool}" if event.tool else "")
        row(f"{event.occurred_at.astimezone():%H:%M:%S}  {quoted(what, 24):<24}  {quoted(str(did or said), 300)}")


@app.command("prune")
def prune(
    session_id: Annotated[str, typer.Argument(help="Its id, or the beginning of it; AGENT:ID if several have it.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document on stdout, for programs; asks nothing.")
    ] = False,
) -> None:
    """Forget a session for good.

    With it go its events, corrections and recalls, the skill lines that rest on nothing else, and the versions of
    skills that held its words: `skillify undo` cannot bring those back. The agent's own transcript stays,
    and the database file may hold freed bytes until later records overwrite them.
    """
    from hivemind_cli.app import reading
    from hivemind_cli.app.pruning import consequences, forget_names, prune_session

    door = Door.open()
    host, whole = reading.session_named(door.store, session_id)
    lost = consequences(door.store, host, whole)
    if not json:
        say(
            f"Session {quoted(whole)}: {counted(lost.events, 'event')}, {counted(lost.corrections, 'correction')}, "
            f"{counted(lost.recalls, 'recall')}."
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
