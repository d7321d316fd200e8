"""A DuckDB connection as storage/migrate.py sees it, and transactions on it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import duckdb

Connection = duckdb.DuckDBPyConnection


class MigratedDatabase:
    """A connection as storage/migrate.py sees it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> None:
        self._connection.execute(sql, list(parameters)) if parameters else self._connection.execute(sql)

    def applied(self) -> set[int]:
        return {int(row[0]) for row in self._connection.execute("SELECT number FROM migrations").fetchall()}

    def transaction(self, work: Callable[[], None]) -> None:
        with committed(self._connection):
            work()


@contextmanager
def committed(connection: Connection) -> Iterator[None]:
    """BEGIN, and COMMIT or ROLLBACK."""
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):  # Nothing to roll back: the failure has already ended the transaction.
            connection.execute("ROLLBACK")
        raise
