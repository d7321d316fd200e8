"""DuckDB, which only this folder knows: store.py keeps the loop's records, tables.py the agents' own tables."""

from hivemind_cli.storage.duckdb.store import DuckDBStore
from hivemind_cli.storage.duckdb.tables import DuckDBTables

__all__ = ["DuckDBStore", "DuckDBTables"]
