"""`hivemind skillify`: skills, and a person's hand on them. One file per kind of command."""

from typing import Annotated

import typer

from hivemind_cli.cli import why
from hivemind_cli.cli.skillify import deciding, listing, making, replaying, reviewing, showing, testing
from hivemind_cli.cli.skillify.options import Json

app = typer.Typer(help="List the skills; review, compare, change or test one.", invoke_without_command=True)
app.command("run")(making.run)
app.command("review")(reviewing.review)
app.command("test")(testing.test)
app.command("replay")(replaying.replay)
app.command("show")(showing.show)
app.command("log")(showing.log)
app.command("diff")(showing.diff)
app.command("blame")(showing.blame)
app.command("why")(why.why)
app.command("accept")(deciding.accept)
app.command("reject")(deciding.reject)
app.command("keep")(deciding.keep)
app.command("retire")(deciding.retire)
app.command("undo")(deciding.undo)
app.command("rollback")(deciding.rollback)
app.command("promote")(deciding.promote)


@app.callback()
def skillify(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Retired skills, too, one by one.")] = False,
    json: Json = False,
) -> None:
    """List the skills: what is live, what waits, and why. A command with a name shows or changes one."""
    if not context.invoked_subcommand:
        listing.show_all(everything=everything, json=json)
