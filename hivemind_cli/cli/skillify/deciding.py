"""`hivemind skillify accept`, `reject`, `retire`, `keep`, `undo`, `rollback`, `promote`: a person's hand on a skill."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import narration, note, print_json, quoted, say
from hivemind_cli.cli.skillify import testing
from hivemind_cli.cli.skillify.options import Json, Name

if TYPE_CHECKING:
    from hivemind_cli.core.records import SkillRevision
    from hivemind_cli.storage.base import Store

_WAYS = {"accept": "brings it back", "undo": "takes that back"}
"""Command -> what it does to a decision."""


def accept(name: Name, json: Json = False) -> None:
    """Make a skill that waits live. One that it contradicts is retired."""
    from hivemind_cli.app import skillset

    _change(name, json, skillset.accept_instead)


def reject(name: Name, json: Json = False) -> None:
    """Drop a skill that waits. It is not proposed again until its evidence has doubled."""
    from hivemind_cli.app import skillset

    _change(name, json, lambda store, skill, now: [skillset.reject(store, skill, now)])


def retire(name: Name, json: Json = False) -> None:
    """Take a skill out of use. Its file is removed, its history stays."""
    from hivemind_cli.app import skillset

    _change(name, json, lambda store, skill, now: [skillset.retire(store, skill, now)])


def undo(name: Name, json: Json = False) -> None:
    """Go back to the version before. A first version is retired; a promoted skill goes back into its project."""
    from hivemind_cli.app import skillset

    def change(store: "Store", skill: "SkillRevision", now: datetime) -> "list[SkillRevision]":
        made = skillset.undo_instead(store, skill, now)
        if skill.reason in (skillset.IN_FILE, skillset.IN_REVIEW):
            kept = f"`hivemind skillify rollback {skill.name} --to {skill.version}` brings it back."
            note(f"Version {skill.version} was your own edit; it stays in the history: {quoted(kept, 200)}")
        return made

    _change(name, json, change)


def rollback(
    name: Name,
    to: Annotated[int, typer.Option("--to", metavar="VERSION", help="As `skillify log NAME` counts them.", min=1)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, even if it puts your own edit aside.")] = False,
    json: Json = False,
) -> None:
    """Make an earlier version live again. What came after it stays in the history."""
    from hivemind_cli.app import skillset

    def change(store: "Store", skill: "SkillRevision", now: datetime) -> "list[SkillRevision]":
        edit = skillset.lost_edit(store, skill, to)
        if edit is not None and not yes:
            _ask(skill, edit, to)
        return [skillset.rollback(store, skill, to, now)]

    _change(name, json, change)


def promote(name: Name, json: Json = False) -> None:
    """Make a project's skill one for every project. Its file moves to ~/.claude/skills; `undo` brings it back."""
    from hivemind_cli.app import skillset

    door = Door.open()

    def change(store: "Store", skill: "SkillRevision", now: datetime) -> "list[SkillRevision]":
        skillset.check_promotable(skill)
        return [skillset.promote(store, testing.tried_wider(door, skill, "user"), now, door.paths)]

    _change(name, json, change)


def keep(name: Name, json: Json = False) -> None:
    """Keep a skill that was proposed for retirement. It is left alone for as long again."""
    from hivemind_cli.app import decay, reading

    door = Door.open()
    skill = reading.skill_named(door.store, name)
    notice = decay.keep(door.store, skill, datetime.now(UTC))
    if json:
        print_json(notice)
        return
    days = door.config.codify.retire_after_days
    say(f"{skill.name} is kept{f'; if nobody needs it for {days} days, it is proposed again' if days else ''}.")


def _change(name: str, json: bool, change: "Callable[[Store, SkillRevision, datetime], list[SkillRevision]]") -> None:
    """What a person did to the files counts first; then the command; then the files follow."""
    from hivemind_cli.app import reading, reviewing
    from hivemind_cli.pipeline.hand import BY_PERSON

    door = Door.open()
    door.ask("observe")
    made = change(door.store, reading.skill_named(door.store, name), datetime.now(UTC))
    door.ask("observe")
    testing.tell_failures(door, made)
    if json:
        print_json(made[0])
        return
    for one in made:
        why = one.reason.replace(f" {BY_PERSON}", "", 1)  # who runs the command knows
        because = "" if why == one.state.value else f" ({quoted(why, 200)})"
        say(f"{one.name} v{one.version} is {one.state.value}{because}.", indent=2)
    note(f"`hivemind skillify {_way_back(made[0])} {made[0].name}` {quoted(_WAYS[_way_back(made[0])])}.", indent=2)
    for trouble in reviewing.left_in_the_way(door.store, made):
        note(f"[yellow]![/] {quoted(trouble, 300)}", indent=2)


def _way_back(made: "SkillRevision") -> str:
    """The command that takes a decision back."""
    return "accept" if made.state.value == "retired" else "undo"


def _ask(skill: "SkillRevision", edit: "SkillRevision", to: int) -> None:
    """Abort unless the person still means it. HivemindError: nobody can be asked."""
    from hivemind_cli.core.errors import HivemindError

    what = f"Version {edit.version} of {skill.name} is your own edit of {edit.occurred_at.astimezone():%Y-%m-%d %H:%M}."
    kept = f"`hivemind skillify rollback {skill.name} --to {edit.version}` would bring it back."
    if not (sys.stdin.isatty() and narration.is_terminal):
        raise HivemindError(
            what,
            why=f"Going back to version {to} puts it aside, and there is no terminal to ask at.",
            fix=f"Add --yes if you mean it; {kept}",
        )
    note(f"{quoted(what, 200)} It is put aside, and stays in the history: {quoted(kept, 200)}")
    typer.confirm(f"Go back to version {to}?", abort=True, err=True)
