"""Engines for the Store port: one file each, one suite for all."""

from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from hivemind_cli.core.errors import ConfigError

if TYPE_CHECKING:
    from hivemind_cli.storage.base import Store
    from hivemind_cli.storage.tables import Tables

ENGINES = {
    "duckdb": "hivemind_cli.storage.duckdb:DuckDBStore",
    "inmemory": "hivemind_cli.storage.inmemory:InMemoryStore",
}
"""module:class, whose `open(path, *, memory_mb)` gives the store. Named, not imported: DuckDB takes 100 ms."""


def open_store(engine: str, path: Path, *, memory_mb: int) -> "Store":
    """The store of `engine` at `path`, importing that engine alone.

    ConfigError for an unknown engine; StoreLocked, StoreDamaged or StoreError if it does not open.
    """
    if engine not in ENGINES:
        near = "".join(f"Did you mean {name!r}? " for name in get_close_matches(engine, ENGINES, n=1, cutoff=0.4))
        raise ConfigError(
            f"No storage engine is called {engine!r}.",
            why=f"hivemind knows {', '.join(sorted(ENGINES))}.",
            fix=f"{near}Set `storage.engine` in your config to one of these.",
        )
    module, name = ENGINES[engine].split(":")
    store: Store = getattr(import_module(module), name).open(path, memory_mb=memory_mb)
    return store


def open_tables(url: str) -> "Tables":
    """The database at `url` (postgresql://...), for agents' tables; made ready if hivemind was never there.

    ConfigError: the URL names none, or the extra `postgres` is missing; StoreError: it does not answer.
    """
    if not url.startswith(("postgresql://", "postgres://")):
        raise ConfigError(
            f"No database is called {url.partition(':')[0]!r}.",
            why="Agents' tables stand in hivemind's own database, or in PostgreSQL.",
            fix="Say hivemind://workspace, or postgresql://name@host:5432/database.",
        )
    try:
        module = import_module("hivemind_cli.storage.postgres")
    except ImportError as exc:
        raise ConfigError(
            "hivemind cannot speak to PostgreSQL yet.", why=f"{exc}.", fix="pip install 'hivemind-loop[postgres]'"
        ) from exc
    tables: Tables = module.PostgresTables(url)
    return tables
