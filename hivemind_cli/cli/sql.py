"""`hivemind sql`: read anything there is: a workspace's own tables, and what the loop recorded, in views."""

import sys
from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hivemind_cli.cli.output import counted, note, plain, print_json, quoted, say
from hivemind_cli.cli.workspaces import Branch, Json, Workspace, grid, jsonable, opened
from hivemind_cli.core.errors import ConfigError, TablesError

if TYPE_CHECKING:
    from hivemind_cli.memory import Database

ROWS_SHOWN = 100


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT; - reads it from stdin. Without one: what there is.")] = "",
    workspace: Workspace = "",
    branch: Branch = "main",
    limit: Annotated[
        int, typer.Option("--limit", help="Rows shown in a table; --json and --csv give all.", min=1)
    ] = ROWS_SHOWN,
    explain: Annotated[bool, typer.Option("--explain", help="Tell how it is answered; run nothing.")] = False,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="All rows as CSV on stdout.")] = False,
) -> None:
    """Read tables and views by SQL. It only reads, whatever the statement says.

    Views: sessions, corrections, skills, recalls, outcomes, costs, judgements, attempts (what agents tried, and how it
    went), fixes (errors, and what helped). Tables: the workspace's own, experiences and debugging.
    """
    if json and csv:
        raise ConfigError("It is either --json or --csv.")
    statement = sys.stdin.read() if query == "-" else query
    with opened(workspace, branch) as db:
        if not statement.strip():
            _list(db, json=json)
        elif explain:
            print(db.explain(statement))
        else:
            _read(db, statement, limit, json=json, csv=csv)


def _read(db: "Database", statement: str, limit: int, *, json: bool, csv: bool) -> None:
    with db.stream(statement) as stream:
        batches = stream.batches()
        first = next(batches, None)
        names = list(first.names if first is not None else db.query(statement).names)  # no batch has no columns
        found = chain([first] if first is not None else [], batches)
        rows = (list(row.values()) for batch in found for row in batch)
        if csv:
            _write_csv(names, rows)
        elif json:
            _write_json(names, rows)
        else:
            shown = list(islice(rows, limit))
            if shown:
                grid(names, shown)
            more = next(rows, None) is not None
            note(f"The first {limit:,} rows; --limit shows more." if more else counted(len(shown), "row"))


def _write_json(names: list[str], rows: Iterator[list[Any]]) -> None:
    """A list of objects, one a line, as they come."""
    print("[", end="")
    for n, row in enumerate(rows):
        print(",\n " if n else "\n ", end="")
        _print_line(dict(zip(names, map(jsonable, row), strict=True)))
    print("\n]")


def _print_line(value: Any) -> None:
    """Without a line's end."""
    import json

    said = json.dumps(plain(value), ensure_ascii=False)
    print(said.encode("utf-8", "backslashreplace").decode("utf-8"), end="")


def _write_csv(names: list[str], rows: Iterator[list[Any]]) -> None:
    import csv
    import json

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        said = map(jsonable, row)
        writer.writerow([json.dumps(one) if isinstance(one, (dict, list)) else one for one in said])


def _list(db: "Database", *, json: bool) -> None:
    """What can be read, with its columns."""
    from hivemind_cli.storage.tables import LOOP_VIEWS

    tables: list[dict[str, Any]] = [
        {"name": one.name, "kind": "table", "own": one.own, "columns": {c.name: str(c.type) for c in one.columns}}
        for one in db.tables()
    ]
    views: list[dict[str, Any]] = []
    for name in LOOP_VIEWS:
        try:
            shape = db.query(f"SELECT * FROM {name} LIMIT 0")
        except TablesError:  # they stand in this machine's own database only
            continue
        columns = dict(zip(shape.names, map(str, shape.types), strict=True))
        views.append({"name": name, "kind": "view", "own": True, "columns": columns})
    found = [*tables, *views]
    if json:
        print_json(found)
        return
    grid(["name", "kind", "columns"], [[one["name"], one["kind"], ", ".join(one["columns"])] for one in found])
    if not tables:
        say(f"The workspace {quoted(db.workspace)} has no tables yet.")
