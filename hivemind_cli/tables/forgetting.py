"""A pruned session leaves hivemind's own tables whole: each version of its rows, on any branch, of all workspaces."""

from collections.abc import Sequence
from typing import Any

from hivemind_cli.storage.tables import Tables, Transaction
from hivemind_cli.tables import debugging, experiences
from hivemind_cli.tables.catalog import Catalog, TableInfo

FED = (experiences.NAME, debugging.NAME)
"""Tables that sessions feed; each has the columns host and session_id."""


def forget_session(engine: Tables, host: str, session_id: str) -> list[TableInfo]:
    """Delete what this session told; the tables that held any of it, whose sidecars hold its words still."""
    tables = Catalog(engine).own(FED)

    def delete(tx: Transaction) -> list[TableInfo]:
        return [table for table in tables if _deleted(tx, engine, table, [host, session_id])]

    return engine.write(delete) if tables else []


def _deleted(tx: Transaction, engine: Tables, table: TableInfo, session: Sequence[Any]) -> bool:
    physical = engine.qualified(table.physical)
    return bool(tx.run(f"DELETE FROM {physical} WHERE host = $1 AND session_id = $2 RETURNING 1", session))
