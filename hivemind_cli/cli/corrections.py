"""`hivemind corrections`: what people put right."""

from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import ago, note, print_json, quoted, say

if TYPE_CHECKING:
    from hivemind_cli.app.reading import Recurring


app = typer.Typer(help="List what you put right; label it yourself.", invoke_without_command=True)


@app.callback()
def corrections(
    context: typer.Context,
    recurring: Annotated[bool, typer.Option("--recurring", help="Only what was put right more than once.")] = False,
    kind: Annotated[str, typer.Option("--kind", help="rejected, interrupted, said, hand_edit, ...")] = "",
    limit: Annotated[int, typer.Option("--limit", help="How many, newest first.", min=1)] = 30,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")] = False,
) -> None:
    """List what you put right, newest first."""
    if context.invoked_subcommand:
        return
    from hivemind_cli.app import reading
    from hivemind_cli.core.records import Correction, CorrectionKind

    door = Door.open()
    if recurring:
        _recurring(reading.recurring(door.store)[:limit], json)
        return
    kinds = [CorrectionKind(_known(kind, [one.value for one in CorrectionKind]))] if kind else list(CorrectionKind)
    found = [row.record for row in door.store.find(Correction, newest_first=True, limit=limit, kind=kinds)]
    if json:
        print_json(found)
        return
    names = reading.project_names(door.store)
    for one in found:
        lasting = {True: "lasting", False: "one-off", None: "unsure"}[one.durable]
        kind = one.kind.value.replace("_", " ")
        say(f"[bold]{kind}[/]  {ago(one.occurred_at)}  {quoted(names.get(one.project_id, 'no project'))}")
        if one.before:
            say(f"  the agent   {quoted(one.before)}", indent=14)
        if one.quote or one.after:
            say(f"  the person  {quoted(one.quote or one.after)}", indent=14)
        say(f"  [dim]noticed     {lasting} ({one.confidence:.2f}): {quoted(one.cause, 200)}[/]", indent=14)
    if not found:
        none = f"No correction of the kind {kind}." if kind else "No corrections yet."
        note(f"{none} `hivemind import --all` looks for them in past sessions.")


def _known(value: str, allowed: list[str]) -> str:
    from difflib import get_close_matches

    from hivemind_cli.core.errors import ConfigError

    if value in allowed:
        return value
    near = get_close_matches(value, allowed, n=1)
    raise ConfigError(
        f"There is no kind {value!r}.",
        why=f"Did you mean {near[0]!r}?" if near else "",
        fix=f"Kinds are {', '.join(allowed)}.",
    )


def _recurring(found: "list[Recurring]", json: bool) -> None:
    if json:
        print_json(found)
        return
    for one in found:
        skill = f"skill {one.skill}" if one.skill else "no skill yet"
        say(f"[bold]{one.count:>3}×[/]  {quoted(one.quote)}", indent=6)
        say(f"      [dim]since {one.since:%Y-%m-%d}, {skill}[/]", indent=6)
    if not found:
        note("Nothing was corrected twice so far.")
