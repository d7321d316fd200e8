"""What `hivemind install` does about the local model that compares texts by meaning."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from hivemind_cli.cli.output import note, quoted

if TYPE_CHECKING:
    from hivemind_cli.app.installing import Planned


def to_export() -> bool:
    """Is an export to be made for `--with-embeddings`? ModelError: it cannot be, and what to do first."""
    from hivemind_cli.app import embeddings
    from hivemind_cli.cli.embeddings import setting_here

    return embeddings.check(setting_here())


def agreed(planned: "Sequence[Planned]") -> bool:
    """Offer the model that is on this machine: as a question where somebody can answer and an agent is being wired."""
    from hivemind_cli.app import embeddings
    from hivemind_cli.cli.embeddings import setting_here

    model = embeddings.offered(setting_here())
    if not model:
        return False
    if sys.stdin.isatty() and sys.stdout.isatty() and any(one.edits for one in planned):
        return typer.confirm(
            f"Recall by meaning, too, with the model {model} that is on this machine? "
            "(It runs here; setting it up takes less than a minute.)",
            default=True,
            err=True,
        )
    note(f"To recall by meaning, too, with {quoted(model)} on this machine: hivemind install --with-embeddings")
    return False


def set_up(export: bool, *, quiet: bool) -> None:
    """Make the export, if it is to be made, and tell; with `quiet` nothing is said. ModelError."""
    from hivemind_cli.cli.embeddings import export_now, export_quietly, setting_here, tell_set_up

    setting = setting_here()
    if export and quiet:
        export_quietly(setting)
    elif export:
        export_now(setting, json=False)
    elif not quiet:
        tell_set_up(setting)
