"""`hivemind skillify test`: does each skill fire where it must, and nowhere else?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import counted, fail, note, print_json, quoted, row, say
from hivemind_cli.cli.skillify.options import Json
from hivemind_cli.core.errors import HivemindError

if TYPE_CHECKING:
    from hivemind_cli.core.records import SkillRevision

EXIT_FAILED, EXIT_NOTHING = 1, 2
SHOWN_MAX = 5
"""Moments of a kind that are listed for one skill; `--json` lists them all."""
WAIT_S = 600.0
_WHERE = {"prompt": "prompt", "tool_call": "call  "}


def test(
    names: Annotated[
        list[str] | None, typer.Argument(help="Skills; without any, those that are live or drafts.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Those out of use or waiting for review, too.")] = False,
    json: Json = False,
) -> None:
    """Test whether skills fire where they must, and nowhere else. Offline, in milliseconds a skill.

    A skill passes that fires before each of its mistakes and is silent at four in five sampled other moments.

    Exit code 0: all pass, 1: one fails, 2: there is none to test, or none of that name.
    """
    try:
        answer = Door.open().ask("skills.test", timeout_s=WAIT_S, names=names or [], everything=all_)
    except HivemindError as exc:
        raise typer.Exit(max(fail(exc), EXIT_NOTHING)) from exc
    skills: list[dict[str, Any]] = answer["skills"]
    if json:
        print_json(answer)
    else:
        for one in skills:
            _show(one)
        _sum_up(skills, answer["ms"])
    if any(one["passed"] is False for one in skills):
        raise typer.Exit(EXIT_FAILED)


def tell_failures(door: Door, made: "Sequence[SkillRevision]") -> None:
    """Test what a person has just made live, and tell them what fails: it stays live, their word is the last."""
    names = [one.name for one in made if one.state.value == "live"]
    for one in door.ask("skills.test", timeout_s=WAIT_S, names=names)["skills"] if names else ():
        if one["passed"] is False:
            said = (
                f"The tests of {one['name']} fail: {one['reason']}. `hivemind skillify test {one['name']}` shows where."
            )
            note(f"[yellow]![/] {quoted(said, 300)}", indent=2)


def tried_wider(door: Door, skill: "SkillRevision", scope: str) -> "SkillRevision":
    """`skill` with the tests and the backtest it has in a wider scope; what speaks against it is told."""
    found = door.ask("skills.try", timeout_s=WAIT_S, name=skill.skill_id, scope=scope)
    note(f"On the history of all your projects: {quoted(found['told'][:1].lower() + found['told'][1:], 300)}", indent=2)
    for doubt in found["doubts"]:
        note(f"[yellow]![/] {quoted(doubt, 300)}", indent=2)
    return replace(skill, moments=tuple(found["moments"]), backtest=found["backtest"])


def _show(one: Mapping[str, Any]) -> None:
    verdict = {True: "[green]pass[/]", False: "[bold red]FAIL[/]", None: "[yellow]none[/]"}[one["passed"]]
    told = "there is no moment to test it with"
    if one["passed"] is not None:
        told = f"fires {one['fires']} of {one['mistakes']}, silent {one['silent']} of {one['clean']}"
        told += f", {counted(one['again'], 'call')} the same act again" if one["again"] else ""
    gone = f", {one['gone']} gone" if one["gone"] else ""
    row(f"{verdict}  [bold]{one['name']}[/]  v{one['version']} {one['state']}: {told}{gone}  [dim]{one['ms']:g} ms[/]")
    if one["reason"]:
        say(f"      {quoted(one['reason'], 200)}", indent=6)
    _list("silent at", one["missing"])
    _list("fires at", one["misfires"])


def _list(what: str, failing: Sequence[Mapping[str, Any]]) -> None:
    for one in failing[:SHOWN_MAX]:
        row(f"      {what:<9} {_WHERE.get(one['at'], one['at'])} [dim]{quoted(one['text'])}[/]")
    if len(failing) > SHOWN_MAX:
        say(f"      [dim]... and {len(failing) - SHOWN_MAX} more[/]")


def _sum_up(skills: Sequence[Mapping[str, Any]], ms: float) -> None:
    failed = sum(one["passed"] is False for one in skills)
    passed = sum(one["passed"] is True for one in skills)
    none = len(skills) - passed - failed
    untested = f", {none} without a moment to test with" if none else ""
    took = f"{ms:.0f} ms, reading their moments included"
    note(f"{counted(len(skills), 'skill')} tested in {took}: {passed} passed, {failed} failed{untested}.")
