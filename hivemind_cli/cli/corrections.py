"""`hivemind corrections`: what people put right, and what keeps coming back."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli import judging, labelling, when
from hivemind_cli.cli.choices import hosts_known, known
from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import ago, counted, note, print_json, quoted, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hivemind_cli.app.recurring import Recurring
    from hivemind_cli.core.records import Correction

LISTED, RECURRING_LISTED = 30, 10
BARS = "▁▂▃▄▅▆▇█"
_SOME = "`hivemind import --all` looks for them in past sessions."

app = typer.Typer(
    help="List what you put right, and what keeps coming back; say yourself what was a correction.",
    invoke_without_command=True,
)
app.command("label")(labelling.label)
app.command("judge")(judging.judge)


@app.callback()
def corrections(
    context: typer.Context,
    recurring: Annotated[
        bool, typer.Option("--recurring", help="What was put right more than once, what hurts most first.")
    ] = False,
    kind: Annotated[str, typer.Option("--kind", help="rejected, interrupted, said, hand_edit, ...")] = "",
    project: Annotated[str, typer.Option("--project", help="Only of this project.")] = "",
    host: Annotated[str, typer.Option("--host", help="Only of this agent.")] = "",
    since: Annotated[str, typer.Option("--since", help="Only since then: 7d, 4w, 2026-11-01.")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Unsure ones, and errors with what then worked, too.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", help=f"How many. [default: {LISTED}; {RECURRING_LISTED} recurring]", min=1)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")] = False,
) -> None:
    """List what you put right, newest first; with --recurring what keeps coming back."""
    if context.invoked_subcommand:
        return
    from hivemind_cli.app import reading
    from hivemind_cli.app.recurring import recurring as what_recurs
    from hivemind_cli.core.records import CorrectionKind

    now = datetime.now(UTC)
    kinds = [CorrectionKind(known("kind", kind, [one.value for one in CorrectionKind]))] if kind else []
    hosts = [known("agent", host, hosts_known())] if host else []
    begins = when.since(since, now) if since else None
    store = Door.open().store
    projects = reading.projects_named(store, project) if project else ()
    narrowed = bool(kind or host or since or project)
    if recurring:
        found = what_recurs(
            store, now=now, kinds=kinds, project_ids=projects, hosts=hosts, since=begins, candidates=everything
        )
        _print_recurring(found, limit or RECURRING_LISTED, now, json)
        if not found and not json:
            note(f"Nothing came back{' there' if narrowed else ' so far'}: no mistake was put right twice. {_SOME}")
        return
    if not kinds and not everything:
        kinds = [one for one in CorrectionKind if one is not CorrectionKind.TOOL_RETRY]
    listed, unsure = reading.corrections(
        store,
        limit=limit or LISTED,
        kinds=kinds,
        project_ids=projects,
        hosts=hosts,
        since=begins,
        refused=everything,
        sure_min=0.0 if everything or kind == CorrectionKind.TOOL_RETRY else _shown_min(),
    )
    if json:
        print_json(listed)
        return
    _print_list(listed, reading.project_names(store))
    if not listed:
        note(f"No corrections {'there' if narrowed else 'yet'}. {_SOME}")
    if unsure:
        note(f"{counted(unsure, 'turn')} less sure to be a correction: `hivemind corrections --all` shows them, too.")


def _shown_min() -> float:
    from hivemind_cli.pipeline.judged import SHOWN_MIN

    return SHOWN_MIN


def _print_list(listed: "Sequence[Correction]", names: dict[str, str]) -> None:
    for one in listed:
        lasting = {True: "lasting, ", False: "for once, ", None: ""}[one.durable]
        kind = one.kind.value.replace("_", " ")
        project = quoted(names.get(one.project_id, "no project"))
        say(f"[bold]{kind}[/]  {ago(one.occurred_at)}  {project}  {one.host}")
        if one.before:
            say(f"  the agent   {quoted(one.before)}", indent=14)
        if one.quote or one.after:
            say(f"  the person  {quoted(one.quote or one.after)}", indent=14)
        say(f"  [dim]noticed     {lasting}{one.confidence:.0%} sure: {quoted(one.cause, 200)}[/]", indent=14)


def _print_recurring(found: "Sequence[Recurring]", limit: int, now: datetime, json: bool) -> None:
    if json:
        lessons = [one for one in found if not one.retry][:limit]
        print_json([*lessons, *[one for one in found if one.retry][:limit]])
        return
    for retry, title in (
        (False, "What keeps coming back"),
        (True, "Errors that keep coming back, and what then worked"),
    ):
        some = [one for one in found if one.retry is retry]
        if not some:
            continue
        say(f"[bold]{title}[/]")
        for one in some[:limit]:
            say(f"[bold]{one.count:>4}×[/]  {quoted(one.quote, 160)}", indent=7)
            say(f"       [dim]{_bars(one)}  {_when(one, now)}[/]", indent=7)
            say(f"       [dim]{_where(one)}[/]{'' if retry or one.skill else '; [yellow]no skill yet[/]'}", indent=7)
            if one.skill:
                say(f"       {_skill(one)}", indent=7)
        if len(some) > limit:
            note(f"{len(some) - limit} more: `--limit {len(some)}`.")
        say()
    if any(not one.retry and not one.skill for one in found):
        note("`hivemind skillify run` makes skills of what was put right.")


def _bars(one: "Recurring") -> str:
    """A bar a week, the newest last."""
    top = max(*one.weeks, 1)
    return "".join(BARS[-(-week * (len(BARS) - 1) // top)] for week in one.weeks) + f" {one.trend}"


def _when(one: "Recurring", now: datetime) -> str:
    when = f"since {one.since.astimezone():%Y-%m-%d}, last {ago(one.last_at, now)}"
    return f"{counted(one.sessions, 'session')} {when}"


def _where(one: "Recurring") -> str:
    places = ", ".join(quoted(name, 24) for name in one.projects) or "no project"
    return f"{places} ({', '.join(one.hosts)})"


def _skill(one: "Recurring") -> str:
    name = f"skill [cyan]{quoted(one.skill)}[/]"
    if one.live_since is None:
        return f"{name} [yellow]({one.skill_state}, never live)[/]"
    state = "live" if one.skill_state == "live" else f"{one.skill_state}, was live"
    came = f"[red]came back {one.after_live}× since[/]" if one.after_live else "[green]not once since[/]"
    held = f", held {one.held}×" if one.held else ""
    return f"{name} ({state} since {one.live_since.astimezone():%Y-%m-%d}): {came}{held}"
