"""What the benches of rankings share at the door: files in, one row for each way to rank out."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING

from hivemind_cli.cli.output import console, note

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from hivemind_cli.app.bench_ranking import Figures, Interval
    from hivemind_cli.cli.door import Door
    from hivemind_cli.embedding.base import Embedder

LEGEND = "hit@k: the share of queries with a right answer among the first k. In brackets: 95 % intervals."
_EVERY_TEXTS = 1024


def opened(file: Path | None) -> "AbstractContextManager[IO[bytes]]":
    """A file of JSON lines, or standard input. ConfigError: it cannot be read."""
    from hivemind_cli.core.errors import ConfigError

    if file is None:
        if sys.stdin.isatty():
            note("Reading queries from the terminal, JSON lines; Ctrl-D ends them.")
        return nullcontext(sys.stdin.buffer)
    try:
        return file.open("rb")
    except OSError as exc:
        raise ConfigError(f"{file} cannot be read.", why=exc.strerror or "", fix="Give a file of JSON lines.") from exc


def embedder(door: "Door") -> "Embedder | None":
    """The model this machine has, or None; stderr says which."""
    from hivemind_cli.app import embedding_setting
    from hivemind_cli.embedding import choose

    choice = choose(embedding_setting(door.paths, door.config, os.environ))
    if choice.embedder is None:
        note(f"By words alone: {choice.reason}.")
    else:
        note(f"By words and meaning: {choice.embedder.name}.")
    return choice.embedder


def progress(done: int, whole: int) -> None:
    """Say now and then how many texts are embedded."""
    if done == whole or done % _EVERY_TEXTS == 0:
        note(f"Embedded {done:,} of {whole:,} texts.")


def print_rows(rows: "Mapping[str, Figures]", more: Mapping[str, Sequence[str]] | None = None) -> None:
    """A table: way -> figures; `more` adds columns (head -> one cell a row)."""
    from rich.table import Table

    more = more or {}
    table = Table(box=None, pad_edge=False)
    cuts = next((tuple(one.hit) for one in rows.values()), ())
    for name in ("", "queries", *(f"hit@{cut}" for cut in cuts), "MRR", *more):
        table.add_column(name, justify="left" if not name else "right")
    for number, (way, figures) in enumerate(rows.items()):
        shares = (share(*figures.hit[cut]) for cut in cuts)
        extra = (cells[number] for cells in more.values())
        table.add_row(way, str(figures.queries), *shares, share(*figures.mrr), *extra)
    console.print(table)


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
