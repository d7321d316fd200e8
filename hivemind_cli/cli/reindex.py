"""`hivemind reindex`: everything derived, built anew from the store."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import counted, narration, note, print_json, quoted, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LOOK_S = 0.3
STUCK_S = 10.0
"""So long nothing moves while something stands in the way, before the command says so and leaves."""
STOPPED = 130
"""Exit code after Ctrl-C."""
STUCK = 5


def reindex(
    vectors: Annotated[
        bool, typer.Option("--vectors", help="Embed everything anew, too: minutes for a long history.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")] = False,
) -> None:
    """Build the search indexes anew from the store. Recall goes on meanwhile; nothing that was captured is touched."""
    door = Door.open()
    began = time.monotonic()
    documents = door.ask("reindex", timeout_s=600.0, vectors=vectors)["documents"]
    try:
        state = _watched(door, json=json)
    except KeyboardInterrupt:
        note("Nobody watches any more; the daemon goes on by itself. `hivemind status` tells how far it is.")
        raise typer.Exit(STOPPED) from None
    if json:
        print_json({**state, "seconds": round(time.monotonic() - began, 1)})
    else:
        _tell(state, documents, time.monotonic() - began)
    if state["fault"]:
        raise typer.Exit(STUCK)


def _watched(door: Door, *, json: bool) -> dict[str, Any]:
    """Show how far it is until nothing is left to do, or nothing gets on; the last state."""
    from rich import progress
    from rich.table import Column

    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=None, table_column=Column(ratio=1)),
        progress.TextColumn("{task.fields[done]}", justify="right"),
        progress.TimeRemainingColumn(compact=True),
        console=narration,
        transient=True,
        disable=json or not narration.is_terminal,
        expand=True,
    )
    moved, last = time.monotonic(), ""
    with bar:
        rows = {name: bar.add_task(what, total=None, done="") for name, what in _ROWS.items()}
        while True:
            state: dict[str, Any] = door.ask("index.state")
            for name, task in rows.items():
                _show(bar, task, _left(name, state))
            if not state["working"]:
                return state
            now = time.monotonic()
            if (seen := repr(state)) != last:
                moved, last = now, seen
            if state["fault"] and now - moved > STUCK_S:
                return state
            time.sleep(LOOK_S)


_ROWS = {"documents": "skills", "words_behind": "words", "meaning_behind": "meaning"}
"""Of `index.state` -> what a person calls it."""


def _left(name: str, state: dict[str, Any]) -> int:
    """How much of it is left to do."""
    if name == "documents":
        return int(state["documents"]) - int(state["embedded"]) if state["ready"] else 0
    return int(state[name])


def _show(bar: "Progress", task: "TaskID", left: int) -> None:
    """The most that was ever left is the whole."""
    known = bar.tasks[task].total
    total = max(left, int(known or 0))
    bar.update(task, total=total or 1, completed=total - left if total else 1, done=f"{total - left:,} of {total:,}")


def _tell(state: dict[str, Any], documents: int, seconds: float) -> None:
    say(
        f"{counted(documents, 'skill and memo', 'skills and memos')} and {counted(state['texts'], 'text')} "
        f"{'are' if documents + state['texts'] != 1 else 'is'} indexed, in {seconds:.0f} s."
    )
    if state["model"]:
        many = state["vectors"] + state["document_vectors"]
        say(f"{counted(many, 'vector')} of {quoted(state['model'])}.")
    if state["tier"] != "hybrid":
        note(f"By words only: {quoted(state['why'], 300)}.")
    if state["fault"]:
        note(f"[yellow]![/] {quoted(state['fault'], 300)} What is left is tried again by itself.")
