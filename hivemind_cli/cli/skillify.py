"""`hivemind skillify`: skills, and a person's hand on them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import ago, note, print_json, quoted, say

if TYPE_CHECKING:
    from hivemind_cli.core.records import SkillRevision

app = typer.Typer(help="Skills: what is live, what waits, and your hand on them.", invoke_without_command=True)
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
Name = Annotated[str, typer.Argument(help="A skill's name.")]


@app.callback()
def skillify(context: typer.Context, json: Json = False) -> None:
    """What is live, in review, a draft or retired, and why."""
    if context.invoked_subcommand:
        return
    from hivemind_cli.app import reading
    from hivemind_cli.core.records import GateSkip

    store = Door.open().store
    skills = reading.current_skills(store)
    skips = [row.record for row in store.find(GateSkip, newest_first=True, limit=10)]
    if json:
        print_json({"skills": skills, "skipped": skips})
        return
    for one in skills:
        colour = {"live": "green", "retired": "dim"}.get(one.state.value, "yellow")
        say(
            f"[{colour}]{one.state.value:<9}[/] {one.name:<32} v{one.version}  {ago(one.occurred_at):<11} "
            f"{quoted(one.title, 60)}"
        )
        if one.reason:
            say(f"          [dim]{quoted(one.reason, 120)}[/]")
    for skip in skips:
        say(f"[dim]skipped   {quoted(skip.reason, 120)}[/]")
    if not skills:
        note(
            "No skill yet. One is written when a session with a lasting correction ends, or by `hivemind skillify run`."
        )


@app.command("run")
def run(json: Json = False) -> None:
    """Codify now what was corrected since the last time."""
    done = Door.open().ask("codify", timeout_s=600.0)
    if json:
        print_json(done)
    else:
        say(f"{done['revisions']} skill revisions written, {done['skipped']} corrections skipped.")


@app.command("show")
def show(name: Name) -> None:
    """The SKILL.md as it is, or would be, written."""
    from hivemind_cli.app import reading
    from hivemind_cli.skills.format import render

    print(render(reading.skill_named(Door.open().store, name)), end="")


@app.command("log")
def log(name: Name, json: Json = False) -> None:
    """The versions of a skill, and why each was made."""
    from hivemind_cli.app import reading

    store = Door.open().store
    history = reading.history_of(store, reading.skill_named(store, name).skill_id)
    if json:
        print_json(history)
        return
    for one in history:
        say(
            f"v{one.version}  {one.state.value:<9} {one.occurred_at:%Y-%m-%d %H:%M}  {quoted(one.drafter, 30)}  "
            f"{quoted(one.reason, 100)}"
        )


@app.command("accept")
def accept(name: Name) -> None:
    """Make a draft or a reviewed skill live."""
    _change(name, "accept")


@app.command("retire")
def retire(name: Name) -> None:
    """Take a skill out of use; its file is removed, its history stays."""
    _change(name, "retire")


@app.command("undo")
def undo(name: Name) -> None:
    """Go back to the version before; the first version is retired."""
    _change(name, "undo")


def _change(name: str, verb: str) -> None:
    from hivemind_cli.app import reading, skillset

    door = Door.open()
    change = {"accept": skillset.accept, "retire": skillset.retire, "undo": skillset.undo}[verb]
    after: SkillRevision = change(door.store, reading.skill_named(door.store, name), datetime.now(UTC))
    door.ask("settle")
    say(f"{after.name} v{after.version} is {after.state.value}: {quoted(after.reason)}.")
