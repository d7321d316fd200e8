"""`hivemind skillify run`: make skills now."""

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import counted, print_json, say
from hivemind_cli.cli.skillify.options import Json

CODIFY_WAIT_S = 6 * 3600.0
"""A model may be asked for each mistake of years of history."""


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
