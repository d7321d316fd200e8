"""`hivemind import`: past sessions from the agents' own files."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import counted, note, plain, print_json
from hivemind_cli.cli.skillify.making import CODIFY_WAIT_S, PLAN_WAIT_S

if TYPE_CHECKING:
    from hivemind_cli.app.importing import Finding, Import
    from hivemind_cli.cli.import_bar import Bar

STOPPED = 130
"""Exit code after Ctrl-C."""
SETTLE_STEP_S = 2.0
"""The daemon is asked to go on for so long at a time, so that a long run is seen to move and none is cut off."""


def import_(
    path: Annotated[Path | None, typer.Argument(help="A session file, or a folder of them.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every past session of every agent on this machine.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Read unchanged files again, too.")] = False,
    codify: Annotated[
        bool, typer.Option("--codify", help="Then make skills of what was found, as `hivemind skillify run` does.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; store nothing.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="A line of JSON for each session, and then one of what was learned.")
    ] = False,
) -> None:
    """Learn from past sessions. Twice changes nothing; what hooks captured is not doubled.

    An import that is stopped goes on where it was when it is run again.
    """
    from hivemind_cli.app.importing import Import, find
    from hivemind_cli.cli.import_bar import Bar
    from hivemind_cli.core.errors import ConfigError
    from hivemind_cli.hosts import READERS

    if all_ == (path is not None):
        raise ConfigError("Import what?", fix="Give a session file or folder, or --all for every one on this machine.")
    door = Door.open()
    door.paths.make()
    finding = find(door.paths, READERS, path, env=door.env)
    workspace = os.environ.get("HIVEMIND_WORKSPACE_ID", "")
    with Bar(shown=not json) as bar:
        run = Import(
            door.paths,
            door.config,
            None if dry_run else door.store,
            workspace=workspace,
            again=again,
            watch=bar,
        )
        try:
            findings = [finding]
            run.take(finding)
            if all_:
                findings.append(run.take_kept())
            if not dry_run:
                _settle(door, run, bar)
        except KeyboardInterrupt:
            bar.__exit__()
            _stopped(run, bar)
            raise typer.Exit(STOPPED) from None
    _tell(door, run, findings, dry_run=dry_run, json=json, codify=codify)


def _settle(door: Door, run: "Import", bar: "Bar") -> None:
    """Have the daemon look for corrections in all that is stored."""
    from hivemind_cli.core.records import Event

    newest = door.store.find(Event, newest_first=True, limit=1)
    total = newest[0].seq if newest else 0
    begun = door.store.cursor("detect")
    bar.notices(total - begun)
    while not door.ask("settle", timeout_s=600.0, seconds=SETTLE_STEP_S)["done"]:
        bar.noticed(door.store.cursor("detect") - begun)
    if run.forgotten:
        door.ask("reindex", timeout_s=600.0, gone=sorted(run.forgotten))


def _stopped(run: "Import", bar: "Bar") -> None:
    note(
        f"Stopped. {counted(len(run.done), 'session')} of {bar.total} {'are' if len(run.done) != 1 else 'is'} stored; "
        "nothing is half done. Run the same command again to go on."
    )


def _tell(door: Door, run: "Import", findings: "list[Finding]", *, dry_run: bool, json: bool, codify: bool) -> None:
    from hivemind_cli.app.imported import copies_told
    from hivemind_cli.app.learned import learned
    from hivemind_cli.cli.import_report import show

    done = copies_told(run.done)
    if json:
        for one in done:
            print_json(one.line() if dry_run else {**one.line(), "left_out": one.left_out}, indent=None)
        if dry_run:
            return
    report = learned(
        done,
        None if dry_run else door.store,
        strangers=sum(one.strangers for one in findings),
        faults=[fault for one in findings for fault in one.faults],
    )
    made = door.ask("codify", timeout_s=CODIFY_WAIT_S) if codify and not dry_run else None
    ripe = None if dry_run or made else door.ask("codify", timeout_s=PLAN_WAIT_S, dry_run=True)
    if json:
        more = {"codified": made, "would_codify": ripe}
        print_json({"report": {**plain(report), **{name: told for name, told in more.items() if told}}}, indent=None)
    else:
        show(report, made, ripe, dry_run=dry_run)
