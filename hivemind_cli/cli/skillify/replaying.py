"""`hivemind skillify replay`: does the skill change what a model does at the moment of the mistake?"""

import sys
from typing import Annotated, Any

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import ago, counted, note, print_json, quoted, row, say
from hivemind_cli.cli.skillify.options import Json, Name

WAIT_S = 3600.0 * 2
"""Forty-one requests at 90 seconds each, tried twice."""
_MARKS = {
    "repeated": ("red", "again"),
    "avoided": ("green", "not"),
    "undecided": ("dim", "?"),
    "failed": ("yellow", "failed"),
}


def replay(
    name: Name,
    times: Annotated[
        int, typer.Option("--times", help="Answers with, and as many without the skill.", min=3, max=20)
    ] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would ask and cost.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Needed where nobody can answer.")] = False,
    last: Annotated[bool, typer.Option("--last", help="Show what the last one gave; asks nobody.")] = False,
    json: Json = False,
) -> None:
    """Bring a model to the moment of the mistake, with and without the skill, and count how often it comes back.

    Redacted words of that moment are sent to the provider you allowed, within the day's caps. Never run by itself.
    """
    from hivemind_cli.core.errors import ConfigError, ProviderError

    door = Door.open()
    if last:
        _last(door, name, json)
        return
    planned = door.ask("skills.replay", name=name, times=times, dry_run=True)
    if not json:
        _show_plan(planned)
    if dry_run:
        if json:
            print_json(planned)
        elif planned["pause"]:
            note(f"[yellow]![/] No model is asked now: {quoted(planned['pause'], 300)}", indent=2)
        return
    if planned["pause"]:
        raise ProviderError("No model is asked now.", why=planned["pause"], fix="`hivemind status` says until when.")
    if not yes and (json or not sys.stdin.isatty()):
        raise ConfigError("It costs calls of a model, and nobody is here to be asked.", fix="Say --yes, or --dry-run.")
    if not yes and not typer.confirm("Ask now?", default=False, err=True):
        raise typer.Exit(1)
    found = door.ask("skills.replay", name=name, times=times, timeout_s=WAIT_S)
    found["with"] = found.pop("with_")
    if json:
        print_json(found)
    else:
        _show(found)
    if found["stopped"] and not any(found[arm]["repeated"] + found[arm]["avoided"] for arm in ("with", "without")):
        raise typer.Exit(ProviderError.exit_code)


def _last(door: Door, name: str, json: bool) -> None:
    from hivemind_cli.app.replaying import last

    check = last(door.store, name)
    if json:
        print_json(check)
        return
    say(f"v{check.version}, {ago(check.occurred_at)}, by {quoted(str(check.figures['provider']))}")
    _show({**check.figures, "words": check.reason})


def _show_plan(planned: dict[str, Any]) -> None:
    say(f"[bold]{quoted(planned['name'])}[/] v{planned['version']}, at the moment of its last mistake:")
    for label, value in (("asked", "task"), ("it did", "act"), ("you said", "quote")):
        if planned[value]:
            say(f"  {label:<9} {quoted(planned[value], 200)}", indent=12)
    say(
        f"{planned['times']} answers without and {planned['times']} with the skill, in at most "
        f"{counted(planned['calls'], 'request')} to {quoted(planned['provider'])}: "
        f"about {planned['tokens_in']:,} tokens in, {planned['tokens_out']:,} out, ${planned['cost_usd']:.4f}."
    )
    say(
        f"Left today: ${planned['usd_left']:.2f}, {planned['tokens_left']:,} tokens, "
        f"{counted(planned['calls_left'], 'request')}."
    )


def _show(found: dict[str, Any]) -> None:
    for arm in ("without", "with"):
        one = found[arm]
        told = one["repeated"] + one["avoided"]
        rest = ", ".join(
            f"{one[key]} {words}"
            for key, words in (("undecided", "without a verdict"), ("failed", "failed"))
            if one[key]
        )
        share = f"the mistake again in {one['repeated']} of {told}"
        interval = f" (95 %: {one['low']:.0%} to {one['high']:.0%})" if told else ""
        say(f"[bold]{arm:<8}[/] {share}{interval}{f'; {rest}' if rest else ''}", indent=9)
    for answer in found["answers"]:
        colour, word = _MARKS[answer["verdict"]]
        row(f"  {answer['arm']:<8} [{colour}]{word:<7}[/] {quoted(answer['did'], 160)} [dim]{_by(answer)}[/]")
    say(f"[bold]{quoted(found['words'], 300)}[/]")
    note(f"{counted(found['calls'], 'request')}, ${found['cost_usd']:.4f}; kept with the skill.")
    if found["stopped"]:
        note(f"[yellow]![/] It stopped before its end: {quoted(found['stopped'], 300)}", indent=2)


def _by(answer: dict[str, str]) -> str:
    return {"fact": "(the act itself says so)", "judge": "(a judge says so)"}.get(answer["by"], "")
