"""How `hivemind search --error` shows what fixed an error before."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hivemind_cli.cli.output import ago, counted, note, quoted, say

FIXES_MAX = 2
"""Of one error, the surest."""
DIFF_LINES_MAX = 8
ERROR_LINES_MAX = 4
SESSION_CHARS = 13
_DID = {"ran": "ran", "edited": "edited", "called": "called", "said": "the person"}


def show(answer: Mapping[str, Any], now: datetime) -> None:
    """The likest error first, each with its fixes."""
    known = answer["known"]
    for one in known:
        _error(one, now)
        for number, fix in enumerate(one["fixes"][:FIXES_MAX]):
            _fix(fix, again=number > 0)
        if not one["fixes"]:
            say("  [dim]no fix of it was seen[/]")
        say()
    if not known:
        looked = quoted(answer["looked_for"][-1], 100)
        note(f"No error like this was seen here: {looked}")
        note("It is looked for in failed calls, their output, and what people pasted. `hivemind search` finds words.")
    if answer.get("behind"):
        note(f"[dim]{answer['behind']:,} records are not searched yet: they are still being read in.[/]")


def _error(one: Mapping[str, Any], now: datetime) -> None:
    last = one["last"]
    seen = "the same error" if one["same"] else "an error like it"
    times = "once" if one["times"] == 1 else f"{one['times']} times"
    where = ", ".join(filter(None, [quoted(last["project"], 24), quoted(last["host"], 24)]))
    at = ago(datetime.fromisoformat(last["occurred_at"]), now)
    say(f"[bold]{seen}[/], seen {times}, {'last ' if one['times'] > 1 else ''}{at} ({where})")
    lines = one["error"].splitlines()
    for line in lines[:ERROR_LINES_MAX]:
        say(f"  [red]{quoted(line, 200)}[/]", indent=4)
    if one["tried"]:
        say(f"  [dim]by         [/] {quoted(one['tried'], 200)}", indent=14)


def _fix(fix: Mapping[str, Any], *, again: bool) -> None:
    if again:
        say("  [dim]or[/]")
    for step in fix["steps"]:
        _step(step)
    if fix["worked"]:
        say(f"  [green]then worked[/] {quoted(fix['worked'], 300)}", indent=14)
    times = f", {counted(fix['times'], 'time')}" if fix["times"] > 1 else ""
    session = quoted(fix["session_id"][:SESSION_CHARS])
    say(f"  [dim]sure        {fix['sure']:.0%}: {fix['why']}{times}; session {session}[/]", indent=14)


def _step(step: Mapping[str, Any]) -> None:
    did = _DID.get(step["kind"], step["kind"])
    said = quoted(step["text"], 300)
    say(f"  {did:<11} {f'“{said}”' if step['kind'] == 'said' else said}", indent=14)
    for line in step["diff"][:DIFF_LINES_MAX]:
        say(f"              [{'green' if line.startswith('+') else 'red'}]{quoted(line, 160)}[/]", indent=16)
    if len(step["diff"]) > DIFF_LINES_MAX:
        say(f"              [dim]… {counted(len(step['diff']) - DIFF_LINES_MAX, 'more line')}[/]")
