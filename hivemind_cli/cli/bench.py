"""`hivemind bench`: measure the product's parts on your own data."""

import os
import sys
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli import bench_recall, bench_search, bench_speed
from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import console, note, print_json

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from hivemind_cli.app.bench_detect import Row
    from hivemind_cli.embedding.base import Embedder

LEGEND = (
    "strict: a correction. pushback: that, a failure report or a refusal; text only: where refusals are left out. "
    "durable: meant to last. In brackets: 95 % intervals."
)

app = typer.Typer(help="Measure detection, ranking and speed.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure the parts of hivemind on your own data."""


app.command("speed")(bench_speed.speed)
app.command("recall")(bench_recall.recall)
app.command("search")(bench_search.search)


@app.command("detect")
def detect(
    file: Annotated[Path | None, typer.Argument(help="JSON lines; standard input if left out.")] = None,
    labels: Annotated[bool, typer.Option("--labels", help="Print figures instead: each line has a `label`.")] = False,
    lexical: Annotated[bool, typer.Option("--lexical", help="Without the embedding model, if there is one.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --labels: one JSON document.")] = False,
) -> None:
    """Judge {id, prev_assistant, user} lines: is it a correction, of what kind, meant to last, how sure?

    Prints {id, correction, kind, durable, confidence} a line, in the same order. Nothing is stored or sent.
    """
    from hivemind_cli.app import bench_detect

    with ExitStack() as opened:
        lines = opened.enter_context(_opened(file))
        embedder = None if lexical else _embedder()
        close = getattr(embedder, "close", None)
        if close:
            opened.callback(close)
        answered = bench_detect.judged(bench_detect.pairs(lines), embedder)
        if labels:
            _report(bench_detect.figures(list(answered)), json)
            return
        for pair, heard in answered:
            print(bench_detect.as_line(pair, heard))


def _opened(file: Path | None) -> "AbstractContextManager[IO[bytes]]":
    from hivemind_cli.core.errors import ConfigError

    if file is None:
        if sys.stdin.isatty():
            note("Reading JSON lines from the terminal; Ctrl-D ends them.")
        return nullcontext(sys.stdin.buffer)
    try:
        return file.open("rb")
    except OSError as exc:
        raise ConfigError(f"{file} cannot be read.", why=exc.strerror or "", fix="Give a file of JSON lines.") from exc


def _embedder() -> "Embedder | None":
    from hivemind_cli.app import embedding_setting
    from hivemind_cli.embedding import choose
    from hivemind_cli.pipeline.detect.model import load

    door = Door.open()
    choice = choose(embedding_setting(door.paths, door.config, os.environ))
    if choice.embedder is None:
        note(f"By words alone: {choice.reason}.")
    elif not load().fits(choice.embedder):
        note(f"By words alone: the detector was fitted to {load().embedder}, not to {choice.embedder.name}.")
        return None
    else:
        note(f"By words and meaning: {choice.embedder.name}.")
    return choice.embedder


def _report(rows: "list[Row]", json: bool) -> None:
    from rich.table import Table

    if json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False)
    for name in ("", "turns", "yes", "precision", "recall", "F1"):
        table.add_column(name, justify="left" if not name else "right")
    part = ""
    for row in rows:
        if row.part != part:
            part = row.part
            table.add_row(f"[bold]{part}[/]")
        table.add_row(
            f"  {row.question}",
            str(row.turns),
            str(row.there),
            _share(row.precision, row.precision_interval),
            _share(row.recall, row.recall_interval),
            _share(row.f1, row.f1_interval),
        )
    console.print(table)
    note(LEGEND)


def _share(value: float | None, interval: tuple[float, float] | None) -> str:
    return "-" if value is None or interval is None else f"{value:.2f} [{interval[0]:.2f}-{interval[1]:.2f}]"
