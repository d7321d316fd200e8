"""`hivemind skillify run`: make skills now."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import counted, note, print_json, quoted, say
from hivemind_cli.cli.skillify.options import Json

CODIFY_WAIT_S = 6 * 3600.0
"""A model may be asked for each mistake of years of history."""
PLAN_WAIT_S = 600.0
LESSONS_SHOWN = 20


def run(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be made, and what a model would take for it.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Ask a provider that rests after failures once more, now.")
    ] = False,
    json: Json = False,
) -> None:
    """Make skills now of what was put right since the last time, in imported sessions too."""
    door = Door.open()
    if dry_run:
        _plan(door, json)
        return
    done = door.ask("codify", timeout_s=CODIFY_WAIT_S, retry=retry)
    if json:
        print_json(done)
        return
    if done["revisions"] or done["skipped"]:
        skipped = f", {counted(done['skipped'], 'correction')} skipped" if done["skipped"] else ""
        say(f"{counted(done['revisions'], 'version')} of skills made{skipped}. `hivemind skillify` lists them.")
    else:
        say("There is nothing new to make a skill of. `hivemind corrections` lists what was put right.")
    if done["pause"]:
        note(f"No model is asked now: {quoted(done['pause'], 300)}")


def _plan(door: Door, json: bool) -> None:
    found = door.ask("codify", timeout_s=PLAN_WAIT_S, dry_run=True)
    if json:
        print_json(found)
        return
    lessons = found["lessons"]
    fresh, past = ([one for one in lessons if one["imported"] is imported] for imported in (False, True))
    parts = [_told(fresh)] if fresh else []
    parts += [f"{_told(past)} of imported sessions"] if past else []
    say(f"Would be made into skills: {', and '.join(parts)}." if parts else "There is nothing to make a skill of.")
    for one in lessons[:LESSONS_SHOWN]:
        words = f'"{quoted(one["quote"], 120)}"' if one["quote"] else "a change without words"
        often = f" ({one['corrections']} times)" if one["corrections"] > 1 else ""
        say(f"  {words}{often}", indent=4)
    if len(lessons) > LESSONS_SHOWN:
        say(f"  and {len(lessons) - LESSONS_SHOWN} more (`--json` has them all)")
    for why, times in found["skipped"].items():
        say(f"[dim]skipped: {quoted(why, 200)} ({times})[/]", indent=9)
    if lessons or found["calls"]:
        _price(door, found)
    note("Nothing was sent, and nothing was stored.")


def _told(lessons: list[dict[str, Any]]) -> str:
    corrections = sum(one["corrections"] for one in lessons)
    return f"{counted(len(lessons), 'lesson')} from {counted(corrections, 'correction')}"


def _price(door: Door, found: dict[str, Any]) -> None:
    if not found["provider"]:
        import os

        from hivemind_cli.app import llm_setting
        from hivemind_cli.llm import describe

        say(f"Drafts by {quoted(describe(llm_setting(door.paths, door.config, os.environ)), 400)}")
        say("It costs nothing.")
        return
    if found["judged"]:
        say(f"Before that, a model judges {counted(found['judged'], 'turn')} that the detector is unsure of.")
    if found["calls"]:
        say(price(found))
    say(
        f"Left today: ${found['usd_left']:.2f}, {found['tokens_left']:,} tokens, "
        f"{counted(found['calls_left'], 'request')}. What does not fit is drafted without a model."
    )
    if found["pause"]:
        note(f"[yellow]![/] No model would be asked now: {quoted(found['pause'], 300)}", indent=2)


def price(plan: Mapping[str, Any]) -> str:
    """Who would be asked for a plan (app/estimating.py), how often, and what that takes, as a sentence."""
    who = "/".join(filter(None, (plan["provider"], plan["model"])))
    return (
        f"By {quoted(who)}, in at most {counted(plan['calls'], 'request')}: about {plan['tokens_in']:,} tokens "
        f"in, {plan['tokens_out']:,} out, about ${plan['cost_usd']:.4f}, at most ${plan['cost_usd_max']:.4f}."
    )
