"""`hivemind cost`: what asking models took, and what is left of today's caps."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import console, counted, note, print_json, quoted, row, say

if TYPE_CHECKING:
    from hivemind_cli.app.costs import Cap, Costs, Sum
    from hivemind_cli.core.records import LLMCall

BAR = 20
"""Characters of a full cap."""
WIDE = 72
"""Columns that have room for a cap's bar."""


class By(StrEnum):
    """What sums are made by."""

    DAY = "day"
    PURPOSE = "purpose"
    SKILL = "skill"
    PROVIDER = "provider"


def cost(
    by: Annotated[By | None, typer.Option("--by", help="Only these sums; all four without it.")] = None,
    days: Annotated[int, typer.Option("--days", help="So many days (UTC), today among them.", min=1, max=3660)] = 7,
    receipts: Annotated[bool, typer.Option("--receipts", help="Each call, newest first.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")] = False,
) -> None:
    """See what asking models took. By day, purpose, skill and provider; and what is left of today's caps.

    Where a provider tells no price (a program on a subscription), its calls count $0; where it tells no tokens, they
    are reckoned from the texts. Failed calls are counted with what they are known to have cost.
    """
    from hivemind_cli.app import costs

    door, now = Door.open(), datetime.now(UTC)
    found = costs.costs(door.store, door.config.llm, now, days=days)
    if json:
        _print_json(costs.receipts(door.store, now, days=days) if receipts else found, by)
    elif not found.total.calls:
        _empty(found.ever, days, allowed=door.config.llm.allow)
    elif receipts:
        _receipts(costs.receipts(door.store, now, days=days), door)
    else:
        _sums(found, by)


def _print_json(found: "Costs | list[LLMCall]", by: By | None) -> None:
    if isinstance(found, list):
        print_json(found)
        return
    chosen = {by.value: found.by[by.value]} if by else found.by
    caps = {cap.setting: {"used": cap.used, "most": cap.most} for cap in found.today}
    print_json({"days": found.days, "since": found.since, "total": found.total, "today": caps, **chosen})


def _sums(found: "Costs", by: By | None) -> None:
    for name in [by.value] if by else list(By):
        total = [found.total] if name == By.DAY else []
        _table([*found.by[name], *total], "day (UTC)" if name == By.DAY else name)
    _caps(found.today)
    if found.unpriced:
        note(f"{', '.join(map(quoted, found.unpriced))}: no price is told, so these calls count $0.")


def _empty(ever: int, days: int, *, allowed: bool) -> None:
    if ever:
        say(f"No model was asked in the last {counted(days, 'day')}; {counted(ever, 'call')} before that.")
    else:
        say("Nothing was ever sent to a model, and nothing was spent.")
        if not allowed:
            note("Nothing will be until you allow it (`llm.allow`); `hivemind status` says who could be asked.")


def _table(sums: "list[Sum]", head: str) -> None:
    """What matters most stands first: a narrow terminal cuts the rest."""
    width = min(max(len(head), *(len(one.key) for one in sums)), max(_width() - 20, 12), 64)
    row(f"[bold]{head:<{width}}  {'cost':>9}  {'calls':>5} {'failed':>6}  {'tokens in':>10} {'out':>9}[/]")
    for one in sums:
        row(
            f"{quoted(one.key, width):<{width}}  {_usd(one.cost_usd):>9}  {one.calls:>5} {one.failed or '':>6}  "
            f"{one.tokens_in:>10,} {one.tokens_out:>9,}"
        )
    say()


def _width() -> int:
    """Columns; in a pipe nothing is cut."""
    return console.width if console.is_terminal else 120


def _caps(caps: "tuple[Cap, ...]") -> None:
    say("[bold]today, of its caps[/] (a day begins at 00:00 UTC)")
    for cap in caps:
        full = min(round(cap.share * BAR), BAR)
        money = cap.setting.endswith("usd_per_day")
        used, most = (f"${cap.used:.4f}", f"${cap.most:.2f}") if money else (f"{cap.used:,.0f}", f"{cap.most:,.0f}")
        colour = "red" if cap.share >= 1 else "yellow" if cap.share >= 0.8 else "green"
        bar = f"  [{colour}]{'█' * full}[/][dim]{'░' * (BAR - full)}[/]" if _width() >= WIDE else ""
        say(f"{cap.setting:<24} [{colour}]{cap.share:>4.0%}[/]  {f'{used} of {most}':<18}{bar}".rstrip(), indent=4)


def _receipts(calls: "list[LLMCall]", door: Door) -> None:
    from hivemind_cli.app.reading import current_skills
    from hivemind_cli.llm.meter import OK

    names = {skill.skill_id: skill.name for skill in current_skills(door.store)}
    for call in calls:
        about = f" {quoted(names.get(call.subject, call.subject), 64)}," if call.subject else ""
        model = f"{call.provider}/{call.model}" if call.model else call.provider
        result = "[green]ok[/]" if call.result == OK else f"[red]{quoted(call.result, 200)}[/]"
        say(
            f"{call.occurred_at.astimezone():%Y-%m-%d %H:%M:%S}  {_usd(call.cost_usd)}  {call.purpose:<7}{about} "
            f"{quoted(model, 60)}: {call.tokens_in:,} in, {call.tokens_out:,} out, {call.latency_ms / 1000:.1f} s  "
            f"{result}",
            indent=4,
        )


def _usd(dollars: float) -> str:
    """To a hundredth of a cent: calls are cheap."""
    return f"${dollars:.4f}"
