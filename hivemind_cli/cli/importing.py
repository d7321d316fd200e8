"""`hivemind import`: past sessions from the agents' own files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import counted, narration, note, plain, quoted, say

if TYPE_CHECKING:
    from hivemind_cli.app.importing import Imported


def import_(
    path: Annotated[Path | None, typer.Argument(help="A session file, or a folder of them.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every past session on this machine.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; store nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="A line of JSON for each session.")] = False,
) -> None:
    """Learn from past sessions. Twice changes nothing; what hooks captured is not doubled."""
    import os

    from hivemind_cli.app.importing import find, import_sessions
    from hivemind_cli.core.errors import ConfigError
    from hivemind_cli.core.records import Correction

    if all_ == (path is not None):
        raise ConfigError("Import what?", fix="Give a session file or folder, or --all for every one on this machine.")
    door = Door.open()
    door.paths.make()
    found = find(door.paths, door.hosts, path)
    store = None if dry_run else door.store
    before = store.count(Correction) if store else 0
    with Progress(len(found), shown=not json) as advance:
        done = import_sessions(
            found,
            paths=door.paths,
            config=door.config,
            hosts=door.hosts,
            store=store,
            workspace=os.environ.get("HIVEMIND_WORKSPACE_ID", ""),
            progress=advance,
        )
    if store:
        door.ask("settle", timeout_s=3600.0)
    if json:
        _print_lines(done)
        return
    for one in done:
        if one.fault:
            note(f"[yellow]{quoted(str(one.path), 200)} could not be read:[/] {quoted(one.fault, 200)}")
    prompts, uses = sum(one.prompts for one in done), sum(one.tool_uses for one in done)
    if not done:
        note("No past session was found on this machine. Give a session file, or a folder of them.")
        return
    say(f"{counted(len(done), 'session')} read: {counted(prompts, 'prompt')}, {counted(uses, 'tool call')}.")
    if store:
        new = sum(one.new for one in done)
        noticed = store.count(Correction) - before
        say(f"{counted(new, 'record')} new; {counted(noticed, 'correction')} noticed in them.")
        say("`hivemind corrections` shows them, `hivemind skillify` what became of them.")


class Progress:
    """A bar on stderr, for people only."""

    def __init__(self, total: int, *, shown: bool) -> None:
        from rich import progress

        self._bar = progress.Progress(console=narration, transient=True, disable=not shown or total < 2)
        self._task = self._bar.add_task("reading", total=total)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def __call__(self, imported: "Imported") -> None:
        self._bar.advance(self._task)


def _print_lines(done: "list[Imported]") -> None:
    from json import dumps

    for one in done:
        print(dumps(plain(one), ensure_ascii=False))
