"""What the benches of rankings print for people: one row for each way to rank."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hivemind_cli.cli.output import console

if TYPE_CHECKING:
    from hivemind_cli.app.bench_ranking import Figures, Interval

LEGEND = "hit@k: the share of queries with a right answer among the first k. In brackets: 95 % intervals."


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
