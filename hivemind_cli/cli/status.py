"""`hivemind status`: everything at a glance."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import ago, counted, note, print_json, quoted, say

if TYPE_CHECKING:
    from hivemind_cli.app.status import HostStatus, Status

TROUBLE_MAX = 5
UNTRACKED_MAX = 3
TO_REVIEW = "skills to review"
"""Of what waits, told with the skills."""


def status(
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")] = False,
) -> None:
    """See everything at a glance. Which agents are wired, what was learned, given and held, what waits."""
    from hivemind_cli.app import embedding_setting, llm_setting
    from hivemind_cli.app.costs import drafting
    from hivemind_cli.app.judging import describe as describe_judge
    from hivemind_cli.app.status import status as read
    from hivemind_cli.embedding import describe as describe_embeddings

    door = Door.open()
    now = datetime.now(UTC)
    models = llm_setting(door.paths, door.config, os.environ)
    found = read(
        door.store,
        door.paths,
        door.config,
        door.hosts,
        os.environ,
        provider=drafting(models, door.store, now),
        judge=describe_judge(models, door.store, now),
        embeddings=describe_embeddings(embedding_setting(door.paths, door.config, os.environ)),
        index=_index(door),
        now=now,
    )
    if json:
        print_json(found)
        return
    show_hosts(found.hosts, now)
    _counts(found)
    for notice in found.trouble[:TROUBLE_MAX]:
        note(f"[yellow]![/] {quoted(notice.text, 300)}", indent=2)
        if notice.fix:
            note(f"    {quoted(notice.fix, 300)}", indent=4)
    if len(found.trouble) > TROUBLE_MAX:
        note(f"[yellow]![/] {len(found.trouble) - TROUBLE_MAX} more: `hivemind doctor`")


def show_hosts(hosts: "Sequence[HostStatus]", now: datetime) -> None:
    """A line for each that is here, and one for the others."""
    for host in hosts:
        _host(host, now)
    others = [host.label for host in hosts if not host.wired and not host.installed and not host.silent]
    if others:
        say(f"[dim]○ not found on this machine: {', '.join(others)}[/]", indent=2)


def _index(door: Door) -> dict[str, Any]:
    """What the daemon says of its indexes."""
    from hivemind_cli.core.errors import DaemonError

    try:
        return dict(door.ask("index.state"))
    except DaemonError:  # an older daemon: everything else can be told all the same
        return {"why": "this daemon does not say: hivemind daemon restart"}


def _host(host: "HostStatus", now: datetime) -> None:
    if host.silent:
        last = f"the last came {ago(host.last_event_at, now)}" if host.last_event_at else "none ever came"
        say(
            f"[bold white on red] {host.label} IS SILENT [/] Its transcripts grew {ago(host.transcripts_at, now)}, "
            f"but no event arrives: {last}. Run [bold]hivemind doctor[/].",
            indent=2,
        )
    elif host.wired:
        last = f"last event {ago(host.last_event_at, now)}" if host.last_event_at else "no event yet: start it and work"
        told = f", last told something {ago(host.last_injection_at, now)}" if host.last_injection_at else ""
        mark = "[yellow]●[/]" if host.trusted is False else "[green]●[/]"
        consent = "not agreed to yet, " if host.trusted is False else ""
        say(f"{mark} {host.label}  wired, {consent}{last}{told}", indent=2)
    elif host.installed:
        say(f"[yellow]○[/] {host.label}  here, but not wired. Run [bold]hivemind install[/]")
    else:
        return
    for notice in host.notices:
        note(f"  [yellow]![/] {quoted(notice, 300)}", indent=4)


def _counts(found: "Status") -> None:
    kinds = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in sorted(found.corrections.items()))
    outcomes = ", ".join(f"{count} {verdict}" for verdict, count in sorted(found.outcomes.items()))
    others = (f"{count} {what}" for what, count in found.waiting.items() if count and what != TO_REVIEW)
    waiting = ", ".join(others)
    given = (
        f"{found.recalls['injected']} given, {counted(found.recalls['held'], 'call')} held, "
        f"in {counted(found.recalls['decisions'], 'decision')}"
    )
    untracked = ", ".join(_skill_of(folder) for folder in found.untracked[:UNTRACKED_MAX])
    more = len(found.untracked) - UNTRACKED_MAX
    rows = {
        "events": f"{found.events:,}",
        "corrections": f"{sum(found.corrections.values())}{f'  ({kinds})' if kinds else ''}",
        "skills": _skills(found),
        "recalls": given,
        "outcomes": outcomes or "none yet",
        "waiting": waiting or "nothing",
        "recall": found.recall_tier,
        "drafts by": found.provider,
        "judge": found.judge,
        "meaning": found.embeddings,
    }
    if untracked:
        rows["not in git"] = (
            f"{untracked}{f' and {more} more' if more > 0 else ''}. `git add` shares a skill with your team"
        )
    for name, value in rows.items():
        say(f"  {name:<12}{quoted(value, 600)}", indent=14)


def _skills(found: "Status") -> str:
    """How many are live, how many wait for a person, and how to decide."""
    waiting = found.waiting[TO_REVIEW]
    parts = [f"{found.skills.get('live', 0)} live"]
    parts += [f"{counted(waiting, 'waits', 'wait')} for you"] if waiting else []
    parts += [f"{found.unneeded} proposed for retirement"] if found.unneeded else []
    parts += [f"{found.skills['retired']} retired"] if found.skills.get("retired") else []
    return ", ".join(parts) + (": hivemind skillify review" if waiting or found.unneeded else "")


def _skill_of(folder: str) -> str:
    """`NAME (project)` of a skill's folder in a project."""
    path = Path(folder)
    return f"{path.name} ({path.parents[2].name})"
