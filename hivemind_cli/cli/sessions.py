"""`hivemind sessions`: what was captured, and forgetting it."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import ago, note, print_json, quoted, say

app = typer.Typer(help="Captured sessions: list, show, prune.", invoke_without_command=True)
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.callback()
def sessions(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", help="How many, newest first.", min=1)] = 20,
    json: Json = False,
) -> None:
    """The captured sessions, the last active first."""
    if context.invoked_subcommand:
        return
    from hivemind_cli.app import reading

    found = reading.sessions(Door.open().store, limit=limit)
    if json:
        print_json(found)
        return
    for one in found:
        say(
            f"{quoted(one.session_id, 36):<38} {one.host:<8} {ago(one.last_at):<11} {quoted(one.project, 24):<25} "
            f"{one.prompts} prompts, {one.tool_calls} calls, {one.corrections} corrections, {one.recalls} recalls"
        )
    if not found:
        note(
            "No session was captured yet. `hivemind install` wires your agents; `hivemind import --all` reads the past."
        )


@app.command("show")
def show(
    session_id: Annotated[str, typer.Argument(help="Its id, or the beginning of it.")], json: Json = False
) -> None:
    """The events of one session, in order."""
    from hivemind_cli.core.records import Event

    door = Door.open()
    host, whole = _find(door, session_id)
    events = [row.record for row in door.store.find(Event, host=host, session_id=whole)]
    if json:
        print_json(events)
        return
    for event in events:
        payload = event.payload
        said = payload.get("text") or payload.get("words") or payload.get("error") or payload.get("output") or ""
        act = payload.get("act") or {}
        did = act.get("command") or act.get("path") or ""
        say(f"{event.occurred_at:%H:%M:%S} {event.kind.value:<14} {event.tool:<10} {quoted(str(did or said), 110)}")


@app.command("prune")
def prune(
    session_id: Annotated[str, typer.Argument(help="Its id, or the beginning of it.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget a session: its events, corrections and recalls, and skill lines that rest on nothing else."""
    from hivemind_cli.app.pruning import consequences, prune_session

    door = Door.open()
    host, whole = _find(door, session_id)
    lost = consequences(door.store, host, whole)
    say(f"Session {quoted(whole)}: {lost.events} events, {lost.corrections} corrections, {lost.recalls} recalls.")
    for skill, lines in lost.lines.items():
        for line in lines:
            say(f"  skill {skill} loses: {quoted(line)}")
    if not yes and not typer.confirm("Forget all of this?"):
        raise typer.Exit(1)
    deleted = prune_session(door.store, host, whole, datetime.now(UTC))
    door.ask("forget", host=host, session_id=whole)
    door.ask("settle")
    say(f"{deleted} records forgotten; an import will not bring them back.")


def _find(door: Door, begins: str) -> tuple[str, str]:
    from hivemind_cli.app import reading
    from hivemind_cli.core.errors import HivemindError

    found = [one for one in reading.session_ids(door.store, limit=1000) if one[1].startswith(begins)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise HivemindError(f"No session begins with {begins!r}.", fix="`hivemind sessions` lists them.")
    raise HivemindError(f"{len(found)} sessions begin with {begins!r}.", fix="Give more of the id.")
