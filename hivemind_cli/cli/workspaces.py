"""Which workspace's tables a command is about, and how rows of them are shown."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hivemind_cli.cli.output import console, plain

if TYPE_CHECKING:
    from hivemind_cli.memory import Database

Workspace = Annotated[
    str,
    typer.Option("--workspace", "-w", help="A workspace, or a postgresql:// URL of its database. [default: yours]"),
]
Branch = Annotated[str, typer.Option("--branch", help="The branch it is about.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]
NUMBERS_SHOWN = 3
"""Of a vector."""
CELL_CHARS = 400


def opened(workspace: str, branch: str = "main") -> "Database":
    """Its tables; "" is this folder's workspace. ConfigError: it names none."""
    from urllib.parse import quote

    from hivemind_cli.memory import connect

    return connect(workspace if "://" in workspace else f"hivemind://{quote(workspace, safe='')}", branch=branch)


def jsonable(value: Any) -> Any:
    """A row's value as JSON can say it: vectors are lists, times ISO 8601."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(name): jsonable(inner) for name, inner in value.items()}
    return [jsonable(inner) for inner in value] if isinstance(value, (list, tuple)) else plain(value)


def cell(value: Any) -> str:
    """A row's value on one line, for people."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone():%Y-%m-%d %H:%M:%S}"
    if hasattr(value, "tolist"):
        numbers = ", ".join(f"{number:.3g}" for number in value[:NUMBERS_SHOWN])
        return f"[{numbers}{f', … {len(value)} numbers' if len(value) > NUMBERS_SHOWN else ''}]"
    said = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
    if isinstance(value, float):
        said = f"{value:.6g}"
    line = " ".join("".join(char if char.isprintable() else " " for char in said).split())
    return line if len(line) <= CELL_CHARS else f"{line[: CELL_CHARS - 1]}…"


def grid(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Rows in columns; numbers stand to the right. In a pipe nothing is cut."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    numbers = [any(isinstance(row[n], (int, float)) for row in rows) for n in range(len(names))]
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name, number in zip(names, numbers, strict=True):
        table.add_column(Text(name), justify="right" if number else "left", overflow="fold", no_wrap=False)
    for row in rows:
        table.add_row(*(Text(cell(value)) for value in row))
    console.print(table, width=None if console.is_terminal else _whole(names, rows))


def _whole(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    """Columns that hold everything."""
    widths = [max([len(name), *(len(cell(row[n])) for row in rows)]) for n, name in enumerate(names)]
    return 2 * sum(widths) + 4 * len(widths) + 4
