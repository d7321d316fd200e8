"""`hivemind why NAME[:line]`: the quote, the act and the date behind a line."""

from typing import Annotated, Any

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import counted, print_json, quoted, say


def why(
    name: Annotated[
        str, typer.Argument(help="A skill's name, or NAME:LINE: its LINE-th line as `why NAME` numbers them.")
    ],
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")] = False,
) -> None:
    """Show the words, the act and the date behind each line of a skill."""
    from hivemind_cli.app import reading
    from hivemind_cli.core.errors import ConfigError

    skill, colon, number = name.partition(":")
    if colon and not number.isdigit():
        raise ConfigError(f"{number!r} is no line number.", fix="Write NAME:3 for the third line.")
    door = Door.open().up_to_date()
    revision = reading.skill_named(door.store, skill)
    found = reading.why(door.store, revision, int(number) if number else None)
    hold = door.ask("recall.hold", skill_id=revision.skill_id)
    if json:
        about = {"skill": revision.name, "version": revision.version, "state": revision.state}
        print_json({**about, "lines": found, "hold": hold})
        return
    say(
        f"[bold]{quoted(revision.title)}[/]  [dim]{revision.name} v{revision.version}, {revision.state.value}, "
        f"drafter: {quoted(revision.drafter)}[/]",
        indent=2,
    )
    if hold:
        say(f"  [dim]{_held(hold)}[/]", indent=2)
    told: dict[str, int] = {}
    for one in found:
        say(f"[bold]{one.line_number:>3}[/] {quoted(one.text, 200)}", indent=4)
        if not one.corrections:
            say("      [dim]written by a person, or nothing of its evidence is left[/]", indent=6)
        before = sorted({told[each.id] for each in one.corrections if each.id in told})
        if before:
            say(f"      [dim]as line {', '.join(map(str, before))}[/]", indent=6)
        for correction in one.corrections:
            if correction.id in told:
                continue
            told[correction.id] = one.line_number
            did = f" after `{quoted(correction.before, 80)}`" if correction.before else ""
            said = f'"{quoted(correction.quote, 200)}"' if correction.quote else quoted(correction.cause, 200)
            say(
                f"      {correction.occurred_at.astimezone():%Y-%m-%d} {correction.author}: {said}{did}  "
                f"[dim]{correction.host}, session {quoted(correction.session_id[:8])}[/]",
                indent=6,
            )


def _held(hold: dict[str, Any]) -> str:
    """What the person's history says about holding the act."""
    history = f"until it was learned, {counted(hold['corrected'], 'such call')} put right, {hold['clean']} not"
    if hold["arms"]:
        return f"The act is held once a session: {history}."
    return f"The act is not held, for that is no clear mistake: {history}; two for each one are needed."
