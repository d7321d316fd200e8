"""The report of `hivemind import`, for people."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hivemind_cli.cli.output import counted, note, quoted, row, say
from hivemind_cli.cli.skillify.making import price
from hivemind_cli.core.records import CorrectionKind

if TYPE_CHECKING:
    from hivemind_cli.app.learned import Learned

FAULTS_SHOWN = 5
KINDS = {
    CorrectionKind.SAID: "said",
    CorrectionKind.REJECTED: "refused a call",
    CorrectionKind.INTERRUPTED: "stopped the agent",
    CorrectionKind.REVERTED: "took a change back",
    CorrectionKind.HAND_EDIT: "changed it by hand",
    CorrectionKind.REDO: "asked again",
    CorrectionKind.RED_AFTER_DONE: "red after “done”",
}
"""As a person would say it."""


def show(
    report: "Learned", codified: Mapping[str, Any] | None, ripe: Mapping[str, Any] | None, *, dry_run: bool
) -> None:
    """The whole of it, and what to type next."""
    _sessions(report, dry_run=dry_run)
    if report.hosts and not dry_run:
        _corrections(report)
        _recurring(report)
    _left_out(report)
    _faults(report)
    if report.hosts and not dry_run:
        _next(report, codified, ripe)


def _sessions(report: "Learned", *, dry_run: bool) -> None:
    if not report.hosts:
        if not report.left_out:
            note("No past session was found. Give a session file, or a folder of them.")
        return
    sessions, prompts = (sum(getattr(one, what) for one in report.hosts) for what in ("sessions", "prompts"))
    period = _period(report.first_at, report.last_at)
    say(f"[bold]{counted(sessions, 'session')}[/] with {counted(prompts, 'prompt')}{f', {period}' if period else ''}")
    widest = max(len(one.host) for one in report.hosts)
    for one in report.hosts:
        new = "" if dry_run else f"  {counted(one.new, 'new record'):>18}" if one.new else "         nothing new"
        sessions_told, prompts_told = counted(one.sessions, "session"), counted(one.prompts, "prompt")
        told = f"  {one.host:<{widest}}  {sessions_told:>15}  {prompts_told:>15}[dim]{new}[/]"
        say(told, indent=widest + 4)
    if report.unchanged and not dry_run:
        note(
            f"{counted(report.unchanged, 'session')} had been read before and not changed since "
            "(`--again` reads them all the same)."
        )


def _corrections(report: "Learned") -> None:
    say()
    total = sum(one.clear + one.likely for one in report.kinds)
    if not report.kinds:
        say("No correction was noticed in them.")
        return
    say(f"[bold]You put the agent right {counted(total, 'time')}[/]")
    widest = max(len(KINDS.get(one.kind, one.kind.value)) for one in report.kinds)
    row(f"  [dim]{'':<{widest}}  {'clear':>8}  {'likely':>8}  {'perhaps':>8}[/]")
    for one in report.kinds:
        numbers = "  ".join(f"{number or '·':>8}" for number in (one.clear, one.likely, one.candidates))
        row(f"  {KINDS.get(one.kind, one.kind.value):<{widest}}  {numbers}")
    if report.retries:
        say(f"  [dim]besides {counted(report.retries, 'error')} with what then worked[/]", indent=2)


def _recurring(report: "Learned") -> None:
    if not report.recurring:
        return
    say()
    say("[bold]What keeps coming back[/]")
    places = [_names(one.projects) for one in report.recurring]
    widest = min(max(map(len, places)), 20)
    for one, place in zip(report.recurring, places, strict=True):
        skill = f" [green]({one.skill})[/]" if one.skill else ""
        row(
            f"  [bold]{one.count:>4}×[/]  [dim]since {one.since.astimezone():%Y-%m-%d}[/]  "
            f"{quoted(place, widest):<{widest}}  {quoted(one.quote, 160)}{skill}"
        )


def _left_out(report: "Learned") -> None:
    said = [f"{counted(number, 'file')}: {why}" for why, number in sorted(report.left_out.items())]
    if report.strangers:
        said.append(f"{counted(report.strangers, 'file')} of no agent")
    if said:
        if report.hosts:
            say()
        say(f"[dim]Left out: {'; '.join(said)}.[/]")


def _faults(report: "Learned") -> None:
    for faults, what in ((report.unread, "could not be read"), (report.torn, "was read in part")):
        for path, why in faults[:FAULTS_SHOWN]:
            note(f"[yellow]{quoted(path, 200)} {what}:[/] {quoted(why, 200)}")
        if len(faults) > FAULTS_SHOWN:
            note(f"[yellow]{len(faults) - FAULTS_SHOWN} more {what}[/] (`--json` names them all).")


def _next(report: "Learned", codified: Mapping[str, Any] | None, ripe: Mapping[str, Any] | None) -> None:
    say()
    if codified is not None:
        say(
            f"{counted(codified['revisions'], 'skill revision')} written, "
            f"{counted(codified['skipped'], 'correction')} skipped. `hivemind skillify` lists them."
        )
        return
    if ripe and ripe["lessons"]:
        say(_price(ripe))
        say("No skill is made of past sessions until you say so:")
        _command("hivemind skillify run", "writes them into those projects")
    if any(one.clear for one in report.kinds):
        _command("hivemind corrections --recurring", "shows what was said, and when")


def _price(ripe: Mapping[str, Any]) -> str:
    lessons = len(ripe["lessons"])
    told = f"[bold]{counted(lessons, 'mistake')}[/] {'is' if lessons == 1 else 'are'} ripe for a skill. "
    if not ripe["provider"]:
        return f"{told}Made of your own words, without a model: [bold]$0[/]."
    fits = ripe["calls"] <= ripe["calls_left"] and ripe["cost_usd"] <= ripe["usd_left"]
    return f"{told}{price(ripe)}" + ("" if fits else " What passes the day's caps is drafted without a model.")


def _command(command: str, what: str) -> None:
    say(f"  [cyan]{command:<33}[/]  {what}", indent=4)


def _period(first: datetime | None, last: datetime | None) -> str:
    if not first or not last:
        return ""
    days = [f"{one.astimezone():%Y-%m-%d}" for one in (first, last)]
    return days[0] if days[0] == days[1] else f"{days[0]} to {days[1]}"


def _names(projects: Any) -> str:
    named = [one or "no project" for one in projects]
    return named[0] if len(named) == 1 else f"{named[0]} and {len(named) - 1} more" if named else ""
