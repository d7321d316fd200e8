"""`hivemind skillify`: skills, and a person's hand on them. One file per kind of command."""

from collections import Counter

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import ago, note, print_json, quoted, row, say
from hivemind_cli.cli.skillify import deciding, making, showing
from hivemind_cli.cli.skillify.options import Json

app = typer.Typer(help="List the skills; show, accept, undo or retire one.", invoke_without_command=True)
app.command("run")(making.run)
app.command("show")(showing.show)
app.command("log")(showing.log)
app.command("accept")(deciding.accept)
app.command("retire")(deciding.retire)
app.command("undo")(deciding.undo)


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
