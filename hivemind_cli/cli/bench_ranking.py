"""What the benches of rankings share at the door: files in, one row for each way to rank out."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING

from hivemind_cli.cli.output import console, narration, note

if TYPE_CHECKING:
    from hivemind_cli.app.bench_ranking import Figures, Interval
    from hivemind_cli.cli.door import Door
    from hivemind_cli.embedding.base import Embedder

LEGEND = "hit@k: the share of queries with a right answer among the first k. In brackets: 95 % intervals."
_EVERY_TEXTS = 1024
_INTERVALS_MIN = 72
"""Columns; in a narrower terminal the rows stand without their intervals."""


@contextmanager
def opened(file: Path | None) -> Iterator[IO[bytes]]:
    """A file of JSON lines, or standard input. ConfigError: it cannot be read, or has a bad line; it is named."""
    from hivemind_cli.app.bench_ranking import LineError
    from hivemind_cli.core.errors import ConfigError

    if file is None and sys.stdin.isatty():
        note("Reading queries from the terminal, JSON lines; Ctrl-D ends them.")
    try:
        source = nullcontext(sys.stdin.buffer) if file is None else file.open("rb")
    except OSError as exc:
        raise ConfigError(f"{file} cannot be read.", why=exc.strerror or "", fix="Give a file of JSON lines.") from exc
    try:
        with source as lines:
            yield lines
    except LineError as exc:
        raise ConfigError(f"{file or 'standard input'}: {exc.what}", why=exc.why, fix=exc.fix) from exc


@contextmanager
def embedder(door: "Door", *, lexical: bool) -> "Iterator[Embedder | None]":
    """The model this machine has, or None; stderr says which. None is looked for if `lexical`."""
    from hivemind_cli.app import embedding_setting
    from hivemind_cli.embedding import choose

    if lexical:
        yield None
        return
    choice = choose(embedding_setting(door.paths, door.config, os.environ))
    if choice.embedder is None:
        note(f"By words alone: {choice.reason}.")
    else:
        note(f"By words and meaning: {choice.embedder.name}.")
    try:
        yield choice.embedder
    finally:
        close = getattr(choice.embedder, "close", None)
        if close:
            close()


def cache(door: "Door") -> Path:
    """The folder where a bench keeps vectors for its next run."""
    return door.paths.root / "cache" / "bench"


def progress(done: int, whole: int) -> None:
    """Say now and then how many texts are embedded."""
    if done == whole or done % _EVERY_TEXTS == 0:
        note(f"Embedded {done:,} of {whole:,} texts.")


def print_rows(rows: "Mapping[str, Figures]", *, beside: bool = False) -> None:
    """A table: way -> figures; on stdout, or on stderr `beside` the answers."""
    from rich.table import Table

    to = narration if beside else console
    table = Table(box=None, pad_edge=False)
    cuts = next((tuple(one.hit) for one in rows.values()), ())
    for name in ("", "queries", *(f"hit@{cut}" for cut in cuts), "MRR"):
        table.add_column(name, justify="left" if not name else "right")
    for way, figures in rows.items():
        told = [*(figures.hit[cut] for cut in cuts), figures.mrr]
        shares = [share(*one) if to.width >= _INTERVALS_MIN else f"{one[0]:.2f}" for one in told]
        table.add_row(way, f"{figures.queries:,}", *shares)
    to.print(table)


def as_json(rows: "Mapping[str, Figures]") -> list[dict[str, object]]:
    """The same for programs: a row each."""
    return [
        {
            "ranking": way,
            "queries": one.queries,
            **{f"hit@{cut}": value for cut, (value, _) in one.hit.items()},
            **{f"hit@{cut}_interval": interval for cut, (_, interval) in one.hit.items()},
            "mrr": one.mrr[0],
            "mrr_interval": one.mrr[1],
        }
        for way, one in rows.items()
    ]


def share(value: float, interval: "Interval") -> str:
    """0.53 [0.49-0.57]"""
    return f"{value:.2f} [{interval[0]:.2f}-{interval[1]:.2f}]"
