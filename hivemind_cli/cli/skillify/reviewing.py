"""`hivemind skillify review`: what waits, one skill at a time, a key for each decision."""

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import counted, note, print_json, quoted, say
from hivemind_cli.cli.skillify import testing
from hivemind_cli.cli.skillify.options import Json
from hivemind_cli.cli.skillify.sitting import Decision, Sitting

if TYPE_CHECKING:
    from hivemind_cli.app.reviewing import Waiting
    from hivemind_cli.core.records import SkillRevision

Names = list[str]
_DONE = {"accept": "live", "reject": "dropped", "keep": "kept", "edit": "live as you edited it", "skip": "waits on"}


def review(
    name: Annotated[str, typer.Argument(help="Only this skill, whether it waits or not.")] = "",
    accept: Annotated[Names | None, typer.Option("--accept", metavar="NAME", help="Make it live; ask nothing.")] = None,
    reject: Annotated[
        Names | None, typer.Option("--reject", metavar="NAME", help="Drop it, or retire a live one; ask nothing.")
    ] = None,
    keep: Annotated[
        Names | None, typer.Option("--keep", metavar="NAME", help="Keep it, though nobody needed it; ask nothing.")
    ] = None,
    skip: Annotated[Names | None, typer.Option("--skip", metavar="NAME", help="Leave it as it is.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Retired ones, too: they can be accepted again.")] = False,
    json: Json = False,
) -> None:
    """Go through the skills that wait, and decide with a key each.

    Each is shown with what it says or changes, the words it rests on, what it would have done in your history, its
    tests, and what it contradicts. Without a terminal: --json lists what waits, --accept NAME and the like decide.
    """
    door = Door.open()
    door.ask("observe")
    given = {"accept": accept, "reject": reject, "keep": keep, "skip": skip}
    decisions = [_decision(door, verb, one) for verb, names in given.items() for one in names or ()]
    if decisions:
        _carry_out(door, _once_each(decisions), json)
        return
    items = _items(door, name, all_)
    if json:
        print_json({"waiting": [_told(one) for one in items]})
        return
    from hivemind_cli.cli.screen import Screen, is_terminal

    if not items:
        note("Nothing waits. `hivemind skillify` lists the skills.")
        return
    if not is_terminal():
        _no_terminal()
    sitting = Sitting(items)
    try:
        with Screen(moves=True).taken() as screen:
            sitting.run(screen)
    except KeyboardInterrupt:
        note("Everything was left as it was.")
        raise
    if sitting.decisions:
        _carry_out(door, sitting.decisions, json)
    else:
        say(f"Nothing was decided; {counted(len(items), 'skill')} {'waits' if len(items) == 1 else 'wait'} on.")


def _items(door: Door, name: str, retired: bool) -> "list[Waiting]":
    from hivemind_cli.app import reading, reviewing

    _test(door)
    now, days = datetime.now(UTC), door.config.codify.retire_after_days
    if name:
        return [reviewing.shown_one(door.store, reading.skill_named(door.store, name), days, now)]
    return reviewing.waiting(door.store, days, now, retired=retired)


def _test(door: Door) -> None:
    """Run the tests of what waits and was not tested yet. A review goes on without them."""
    from hivemind_cli.app import reading, reviewing
    from hivemind_cli.core.errors import HivemindError

    skills = reading.current_skills(door.store, states=reading.WAITING)
    names = [one.name for one in skills if one.moments and reviewing.newest_check(door.store, one) is None]
    if names:
        with contextlib.suppress(HivemindError):
            door.ask("skills.test", timeout_s=testing.WAIT_S, names=names)


def _decision(door: Door, verb: str, name: str) -> Decision:
    from hivemind_cli.app import reading

    return Decision(verb, reading.skill_named(door.store, name))


def _once_each(decisions: list[Decision]) -> list[Decision]:
    from hivemind_cli.core.errors import ConfigError

    names = [one.skill.name for one in decisions]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise ConfigError(f"{twice} is named twice; nothing was done.", fix="Decide about each skill once.")
    return decisions


def _carry_out(door: Door, decisions: list[Decision], json: bool) -> None:
    """Do what was decided, and tell what came of it. Exit 1 if anything could not be done; the rest is."""
    from hivemind_cli.app import reading, reviewing
    from hivemind_cli.core.errors import HivemindError

    made: list[SkillRevision] = []
    told: list[dict[str, Any]] = []
    for one in decisions:
        row: dict[str, Any] = {
            "skill": one.skill.name,
            "was": one.skill.state.value,
            "decision": one.verb,
            "done": True,
            "made": [],
            "beside": one.beside,
        }
        try:
            current = reading.history_of(door.store, one.skill.skill_id)[-1]
            now = datetime.now(UTC)
            new = reviewing.decide(door.store, current, one.verb, now, text=one.text, seen=one.skill.version)
            row["made"] = [{"skill": each.name, "version": each.version, "state": each.state} for each in new]
            made += new
        except HivemindError as exc:
            row |= {"done": False, "why": exc.what, "fix": exc.fix}
        told.append(row)
    door.ask("observe")
    testing.tell_failures(door, made)
    left = reviewing.left_in_the_way(door.store, made)
    if json:
        print_json({"decided": told, "trouble": left})
    else:
        _tell(told, left)
    if not all(one["done"] for one in told):
        raise typer.Exit(1)


def _tell(told: list[dict[str, Any]], left: list[str]) -> None:
    for one in told:
        if not one["done"]:
            note(f"[red]{quoted(one['skill'])}: {quoted(one['why'], 200)}[/] {quoted(one['fix'], 200)}", indent=2)
            continue
        if not one["made"] and one["decision"] != "skip":
            say(f"{one['skill']}: {_DONE[one['decision']]}.")
        for each in one["made"]:
            own = each["skill"] == one["skill"]
            did = _DONE[one["decision"]] if own and one["decision"] != "reject" else each["state"].value
            back = "accept" if own and one["was"] not in ("live", "retired") and did == "retired" else "undo"
            command = f"hivemind skillify {back} {each['skill']}"
            say(f"{each['skill']} v{each['version']}: {did}. `{command}` takes that back.")
        if one["beside"]:
            note(f"{one['beside']}, which it contradicted, stays live: `hivemind skillify retire {one['beside']}`?")
    for trouble in left:
        note(f"[yellow]![/] {quoted(trouble, 300)}", indent=2)


def _told(item: "Waiting") -> dict[str, Any]:
    """For programs: everything, and what may be decided."""
    from hivemind_cli.cli.output import plain
    from hivemind_cli.cli.review_screen import keys_for

    words = {"a": "accept", "k": "keep", "r": "reject", "s": "skip"}
    return {
        **plain(item),
        "displaces": item.displaces,
        "may": [words[key] for key in keys_for(item) if key in words],
    }


def _no_terminal() -> None:
    from hivemind_cli.core.errors import HivemindError

    raise HivemindError(
        "A review needs a terminal.",
        why="There is none here.",
        fix="For scripts: `hivemind skillify review --json` lists what waits; "
        "--accept NAME, --reject NAME, --keep NAME and --skip NAME decide.",
    )
