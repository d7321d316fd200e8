"""`hivemind codex trust`: shows the hooks that Codex asks about; with a person's yes they are agreed to."""

import os
import shutil
import sys
from typing import TYPE_CHECKING

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import counted, note, print_json, quoted, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hivemind_cli.hosts.codex.trust import HookTrust


def trust(json: bool) -> None:
    """What Codex says of each hook of ours; asks, where somebody can answer. Exit code 1: it does not run them all.

    HostError: Codex is not here, or does not answer.
    """
    from hivemind_cli.app.installing import config_dir, installed_dirs
    from hivemind_cli.core.errors import HostError
    from hivemind_cli.hosts import codex
    from hivemind_cli.hosts.codex.appserver import asked_trust, write_trust
    from hivemind_cli.hosts.codex.settings import folder_of
    from hivemind_cli.hosts.codex.trust import Consent

    door = Door.open()
    moved = installed_dirs(door.paths, [codex.NAME])[codex.NAME] or config_dir(codex, os.environ)
    folder = folder_of(door.paths.home, moved)
    program = shutil.which(codex.PROGRAM)
    if program is None:
        raise HostError("No `codex` is on the PATH.", fix="Open `/hooks` in Codex yourself, and agree there.")
    found = asked_trust(program, folder, os.environ)
    waiting = [one for one in found if one.consent is not Consent.TRUSTED]
    if json:
        print_json(found)
    else:
        _show(found, waiting)
        if waiting and sys.stdin.isatty() and sys.stdout.isatty():
            said = f"Agree that Codex runs {counted(len(waiting), 'command')} as shown, each time the event happens?"
            if typer.confirm(said, default=False, err=True):
                found = write_trust(program, folder, os.environ, waiting)
                waiting = [one for one in found if one.consent is not Consent.TRUSTED]
                _show(found, waiting)
        elif waiting:
            note("Run this in a terminal to agree, or type `/hooks` in `codex`.")
    if waiting or not found:
        raise typer.Exit(1)


def _show(found: "Sequence[HookTrust]", waiting: "Sequence[HookTrust]") -> None:
    if not found:
        say("Codex has no hook of hivemind: `hivemind codex install` writes them.")
    elif not waiting:
        say(f"[green]✓[/] Codex runs all {counted(len(found), 'hook')} of hivemind: you agreed to them.")
    for one in waiting:
        say(f"{one.event} ({one.consent}): {quoted(one.command, 2000)}", indent=2)
