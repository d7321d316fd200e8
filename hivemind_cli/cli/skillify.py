"""`hivemind skillify`: skills, and a person's hand on them."""

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import ago, counted, note, print_json, quoted, row, say

if TYPE_CHECKING:
    from hivemind_cli.core.records import SkillRevision

app = typer.Typer(help="List the skills; show, accept, undo or retire one.", invoke_without_command=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]
Name = Annotated[str, typer.Argument(help="A skill's name.")]
CODIFY_WAIT_S = 6 * 3600.0
"""A model may be asked for each mistake of years of history."""


@app.callback()
def skillify(context: typer.Context, json: Json = False) -> None:
    """List the skills; show, accept, undo or retire one."""
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
        row(f"[{colour}]{one.state.value:<11}[/] [bold]{one.name}[/]  v{one.version}, {ago(one.occurred_at)}")
        row(f"            {quoted(one.title, 200)}")
        if one.reason:
            say(f"            [dim]{quoted(one.reason, 200)}[/]", indent=12)
    for reason, times in Counter(skip.reason for skip in skips).items():
        say(f"[dim]skipped     {quoted(reason, 200)}{f' ({times} times)' if times > 1 else ''}[/]", indent=12)
    waiting = next((one.name for one in skills if one.state.value in ("review", "draft", "quarantined")), "")
    if waiting:
        note(f"`hivemind skillify show {waiting}` shows what waits; `accept` makes it live, `retire` drops it.")
    elif skills:
        note(f"`hivemind why {skills[0].name}` shows the words behind each line.")
    if not skills:
        note(
            "No skill yet. One is written when a session with a lasting correction ends, or by `hivemind skillify run`."
        )


@app.command("run")
def run(json: Json = False) -> None:
    """Make skills now of what was put right since the last time, in imported sessions too."""
    done = Door.open().ask("codify", timeout_s=CODIFY_WAIT_S)
    if json:
        print_json(done)
    else:
        say(
            f"{counted(done['revisions'], 'skill revision')} written, "
            f"{counted(done['skipped'], 'correction')} skipped. "
            "`hivemind skillify` lists them."
        )


@app.command("show")
def show(name: Name, json: Json = False) -> None:
    """Print the SKILL.md as it is, or would be, written."""
    from hivemind_cli.app import reading
    from hivemind_cli.skills.format import render

    revision = reading.skill_named(Door.open().store, name)
    if json:
        print_json({"skill": revision, "text": render(revision)})
    else:
        print(render(revision), end="")


@app.command("log")
def log(name: Name, json: Json = False) -> None:
    """List the versions of a skill, and why each was made."""
    from hivemind_cli.app import reading

    store = Door.open().store
    history = reading.history_of(store, reading.skill_named(store, name).skill_id)
    if json:
        print_json(history)
        return
    for one in history:
        say(
            f"v{one.version:<3} {one.state.value:<11} {one.occurred_at.astimezone():%Y-%m-%d %H:%M}  "
            f"{quoted(one.reason, 200)} [dim]({quoted(one.drafter, 40)})[/]",
            indent=34,
        )


@app.command("accept")
def accept(name: Name, json: Json = False) -> None:
    """Make a skill that waits live."""
    _change(name, "accept", json)


@app.command("retire")
def retire(name: Name, json: Json = False) -> None:
    """Take a skill out of use. Its file is removed, its history stays."""
    _change(name, "retire", json)


@app.command("undo")
def undo(name: Name, json: Json = False) -> None:
    """Go back to the version before. A first version is retired."""
    _change(name, "undo", json)


def _change(name: str, verb: str, json: bool) -> None:
    from hivemind_cli.app import reading, skillset

    door = Door.open()
    change = {"accept": skillset.accept, "retire": skillset.retire, "undo": skillset.undo}[verb]
    after: SkillRevision = change(door.store, reading.skill_named(door.store, name), datetime.now(UTC))
    door.ask("settle")
    if json:
        print_json(after)
    else:
        say(f"{after.name} v{after.version} is {after.state.value}: {quoted(after.reason)}.", indent=2)
