"""`hivemind skillify` alone: which skills there are, how each stands and why, and what to do next."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import ago, counted, note, print_json, quoted, row, say

if TYPE_CHECKING:
    from hivemind_cli.app.decay import Unneeded
    from hivemind_cli.core.records import GateSkip, SkillRevision

STATES = {
    "live": ("live", "green"),
    "review": ("waiting for review", "yellow"),
    "draft": ("draft", "yellow"),
    "quarantined": ("quarantined", "red"),
    "retired": ("retired", "dim"),
}
"""State -> how it is called here, and its colour; in the order of the list."""
WAITING = ("review", "draft", "quarantined")
SKIPS_READ = 200
SKIPS_SHOWN = 5


def show_all(*, everything: bool, json: bool) -> None:
    """Print the list."""
    from hivemind_cli.app import decay, reading
    from hivemind_cli.core.records import GateSkip

    door = Door.open().up_to_date()
    now = datetime.now(UTC)
    skills = reading.current_skills(door.store)
    proposed = decay.unneeded(door.store, door.config.codify.retire_after_days, now)
    skips = [each.record for each in door.store.find(GateSkip, newest_first=True, limit=SKIPS_READ)]
    if json:
        print_json(
            {
                "skills": skills,
                "counts": Counter(one.state.value for one in skills),
                "proposed": [{"name": one.skill.name, "last_at": one.last_at, "days": one.days} for one in proposed],
                "skipped": skips[:10],
                "next": _next_step(skills, proposed),
            }
        )
        return
    for state in STATES:
        _group(state, [one for one in skills if one.state.value == state], proposed, everything)
    _skipped(skips)
    note(_next_step(skills, proposed))


def _group(state: str, skills: "Sequence[SkillRevision]", proposed: "Sequence[Unneeded]", everything: bool) -> None:
    if not skills:
        return
    word, colour = STATES[state]
    if state == "retired" and not everything:
        say(f"[dim]{len(skills)} retired (--all lists them)[/]")
        return
    say(f"[{colour}]{len(skills)} {word}[/]")
    idle = {one.skill.skill_id: one.days for one in proposed}
    for one in skills:
        wide = {"user": ", every project", "team": ", the team"}.get(one.scope.value, "")
        row(f"  [bold]{one.name}[/]  [dim]v{one.version}, {ago(one.occurred_at)}{wide}[/]")
        if one.title:
            say(f"    {quoted(one.title, 200)}", indent=4)
        if one.reason:
            say(f"    [dim]{quoted(one.reason, 200)}[/]", indent=4)
        if one.skill_id in idle:
            say(f"    [yellow]nobody needed it for {idle[one.skill_id]} days: retire it?[/]", indent=4)


def _skipped(skips: "Sequence[GateSkip]") -> None:
    reasons = Counter(one.reason for one in skips)
    if not reasons:
        return
    more = "+" if len(skips) == SKIPS_READ else ""
    say(f"[dim]{len(skips)}{more} skipped by the gate[/]")
    for reason, times in reasons.most_common(SKIPS_SHOWN):
        say(f"  [dim]{times} × {quoted(reason, 200)}[/]", indent=6)
    if len(reasons) > SKIPS_SHOWN:
        say(f"  [dim]and {counted(len(reasons) - SKIPS_SHOWN, 'other reason')}[/]")


def _next_step(skills: "Sequence[SkillRevision]", proposed: "Sequence[Unneeded]") -> str:
    waiting = sum(one.state.value in WAITING for one in skills) + len(proposed)
    if waiting:
        return f"Next: `hivemind skillify review`, {counted(waiting, 'decision')}, a key each."
    live = next((one.name for one in skills if one.state.value == "live"), "")
    if live:
        return f"Nothing waits. `hivemind why {live}` shows the words behind each line."
    return "No skill yet. One is written when a session with a lasting correction ends, or by `hivemind skillify run`."
