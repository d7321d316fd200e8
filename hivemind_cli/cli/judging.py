"""`hivemind corrections judge`: let a model decide what the detector is unsure of."""

import sys
from typing import Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import counted, note, print_json, quoted, say

LIMIT = 200
WAIT_S = 3600.0
"""Ten requests at 90 seconds each, tried twice, and some patience."""


def judge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would ask and cost.")] = False,
    limit: Annotated[int, typer.Option("--limit", help="How many turns, the newest first.", min=1)] = LIMIT,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document on stdout, for programs; asks nothing.")
    ] = False,
) -> None:
    """Let a model judge turns that the detector is unsure of.

    Redacted words are sent to it, only with `llm.allow`, and within the day's caps. New turns are judged by themselves,
    before skills are made; imported ones only by this command.
    """
    from hivemind_cli.core.errors import ProviderError

    door = Door.open()
    found = door.ask("judge", dry_run=True, limit=limit)
    if dry_run and json:
        print_json(found)
        return
    if not json and not found["turns"]:
        say("There is nothing left that the detector is unsure of and nobody has judged.")
    elif not json:
        say(
            f"{counted(found['turns'], 'turn')} the detector is unsure of, in {counted(found['calls'], 'request')} to "
            f"{quoted(found['provider'])}: about {found['tokens_in']} tokens in, {found['tokens_out']} out, "
            f"${found['cost_usd']:.4f}. {counted(found['calls_left'], 'call')} left today."
        )
    if dry_run or not found["turns"]:
        if json:
            print_json({"calls": 0, "turns": 0, "judged": 0, "stopped": ""})
        return
    if not (yes or json) and sys.stdin.isatty() and not typer.confirm("Ask now?", default=True, err=True):
        raise typer.Exit(1)
    done = door.ask("judge", limit=limit, timeout_s=WAIT_S)
    if json:
        print_json(done)
    else:
        say(f"{done['judged']} of {counted(found['turns'], 'turn')} judged in {counted(done['calls'], 'request')}.")
        if done["stopped"]:
            note(f"It stopped there: {quoted(done['stopped'], 300)}")
        else:
            note("What was confirmed is recalled from now on; `hivemind skillify run` makes skills of it.")
    if done["stopped"] and not done["judged"]:
        raise typer.Exit(ProviderError.exit_code)
