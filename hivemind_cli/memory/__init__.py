"""Memory for agents: their own tables, experiences and the state of their loops, beside what hivemind learns itself.

    from hivemind_cli import memory

    with memory.connect("hivemind://payments-service") as db:
        db.ingest("notes", {"task": ["fix the build"], "embedding": [vector]})
        db.query("SELECT task FROM notes ORDER BY cosine_similarity(embedding, $1) LIMIT 3", [vector])
        with db.run("run-42") as run:
            run.step(action="edit", observation="tests pass", state={"file": 3})

Nothing needs an account, a server or a key: the daemon, started by the first call, owns the database; any number of
threads and processes ask it. With a postgresql:// URL it asks PostgreSQL. Public names are resolved when first used.

link.py      connections to the daemon        places.py    what a URL names
database.py  `connect`, `Client`, statements  dataset.py   `open`: one table
runs.py      an agent's loop                  experiences.py, debugging.py   what was tried, and how it went
rows.py      what statements give             tabular.py   lists, dicts, Arrow, DataFrames
types.py     types of columns                 langgraph.py, pydantic_ai.py   adapters
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hivemind_cli.memory import types
    from hivemind_cli.memory.database import Client, Database, connect
    from hivemind_cli.memory.dataset import Dataset
    from hivemind_cli.memory.dataset import open_dataset as open
    from hivemind_cli.memory.debugging import Debugging
    from hivemind_cli.memory.experiences import Experiences
    from hivemind_cli.memory.rows import Cursor, Rows, Stream
    from hivemind_cli.memory.runs import Run

__all__ = [
    "Client",
    "Cursor",
    "Database",
    "Dataset",
    "Debugging",
    "Experiences",
    "Rows",
    "Run",
    "Stream",
    "connect",
    "open",
    "types",
]

_HOMES = {
    "Client": "database:Client",
    "Cursor": "rows:Cursor",
    "Database": "database:Database",
    "Dataset": "dataset:Dataset",
    "Debugging": "debugging:Debugging",
    "Experiences": "experiences:Experiences",
    "Rows": "rows:Rows",
    "Run": "runs:Run",
    "Stream": "rows:Stream",
    "connect": "database:connect",
    "open": "dataset:open_dataset",
    "types": "types:",
}
"""Public name -> its module here, and its name in it."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, inner = _HOMES[name].partition(":")
    found = import_module(f"{__name__}.{module}")
    value: Any = getattr(found, inner) if inner else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
