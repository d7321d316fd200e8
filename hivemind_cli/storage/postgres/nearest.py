"""Nearest vectors by pgvector's HNSW index, over all versions of a large table's rows. It finds nearly all of them.

The index is made beside the work, when somebody first asks, without standing in a writer's way; until it is there, and
wherever it is none (few rows, too many dimensions), every row is compared: exact, and fast enough.
"""

import logging
import threading
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import psycopg
from numpy.typing import NDArray

from hivemind_cli.core.errors import StoreError
from hivemind_cli.storage.postgres.connections import LINE, Connection, Connections
from hivemind_cli.storage.postgres.values import bound

logger = logging.getLogger(__name__)

ROWS_MIN = 50_000
"""Below it all rows are compared: 0.1 s at 384 dimensions (measured)."""
DIM_MAX = 2_000
"""pgvector's limit of an index."""
LOOKED_S = 60.0
"""How often it is asked whether an index is there, or worth making, while there is none."""
_EF_MIN, _EF_MAX = 200, 1000
"""hnsw.ef_search: how many candidates are kept; pgvector's own 40 finds fewer of the nearest."""


class NearestIndexes:
    """The HNSW indexes of one database."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._lock = threading.Lock()
        self._looked: dict[str, float] = {}
        self._ready: set[str] = set()
        self._making: tuple[threading.Thread, Connection] | None = None
        self._closed = False

    def search(
        self, table: str, column: str, vector: Sequence[float], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
        """_hm_seq and cosine similarity of the nearest versions, nearest first; None: there is no index.

        `table` and `column` as SQL names them.
        """
        dim = len(vector)
        if count > _EF_MAX // 2 or not self._is_ready(table, column, dim):
            return None
        near = f"{column}::vector({dim}) <=> $1::vector({dim})"
        sql = f"SELECT _hm_seq, 1 - ({near}) FROM {table} ORDER BY {near} FETCH FIRST {int(count)} ROWS WITH TIES"
        with self._connections.one(answering=True) as connection:
            connection.execute("BEGIN READ ONLY")
            connection.execute(f"SET LOCAL hnsw.ef_search = {min(max(_EF_MIN, 2 * count), _EF_MAX)}")
            rows = connection.execute(sql, [bound(np.asarray(vector, np.float32))], binary=True).fetchall()
            connection.execute("ROLLBACK")
        return np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.float64)

    def close(self) -> None:
        """An index half made is made anew by whoever asks next."""
        with self._lock:
            self._closed = True
            making = self._making
        if making is not None:
            thread, connection = making
            while thread.is_alive():
                with suppress(psycopg.Error):
                    connection.cancel_safe(timeout=5)
                thread.join(0.2)

    def wait(self) -> None:
        """Until what is being made is there."""
        with self._lock:
            making = self._making
        if making is not None:
            making[0].join()

    def _is_ready(self, table: str, column: str, dim: int) -> bool:
        name = _name(table, column, dim)
        now = time.monotonic()
        with self._lock:
            if name in self._ready:
                return True
            if dim > DIM_MAX or now - self._looked.get(name, -LOOKED_S) < LOOKED_S:
                return False
            self._looked[name] = now
        with self._connections.one(answering=True) as connection:
            ready, rows = self._state(connection, table, name)
        if ready:
            self._ready.add(name)
        elif rows >= ROWS_MIN:
            self._begin(table, column, dim)
        return bool(ready)

    def _state(self, connection: Connection, table: str, name: str) -> tuple[bool | None, int]:
        """Whether the index is there and whole (None: there is none), and about how many rows the table has."""
        schema, _, plain = table.partition(".")
        found = connection.execute(
            "SELECT (SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)),"
            " (SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass($2))",
            [f"{schema}.{name}", f"{schema}.{plain}"],
        ).fetchall()[0]
        return found[0], int(found[1] or 0)

    def _begin(self, table: str, column: str, dim: int) -> None:
        with self._lock:
            if self._closed or (self._making is not None and self._making[0].is_alive()):
                return
            try:
                connection = self._connections.made()
            except (psycopg.Error, StoreError):
                return
            thread = threading.Thread(
                target=self._make, args=(connection, table, column, dim), name="nearest", daemon=True
            )
            self._making = (thread, connection)
            thread.start()

    def _make(self, connection: Connection, table: str, column: str, dim: int) -> None:
        """Whatever goes wrong, the rows are compared one by one as before."""
        name = _name(table, column, dim)
        try:
            with connection:
                connection.execute(
                    "SET statement_timeout = 0; SET lock_timeout = 0; SET maintenance_work_mem = '256MB'"
                )
                if not connection.execute(f"SELECT pg_try_advisory_lock({LINE + 1})").fetchall()[0][0]:
                    return  # another machine makes one
                try:
                    self._create(connection, table, column, dim)
                except psycopg.OperationalError:  # several processes need more shared memory than a container may have
                    connection.execute("SET max_parallel_maintenance_workers = 0")
                    self._create(connection, table, column, dim)
            with self._lock:
                self._looked.pop(name, None)
        except psycopg.Error as exc:
            if not self._closed:
                logger.warning("no index for the vectors of %s: %s", table, exc)

    def _create(self, connection: Connection, table: str, column: str, dim: int) -> None:
        """Writers are not in its way, nor it in theirs; one that was broken off is made anew."""
        name = _name(table, column, dim)
        ready, _ = self._state(connection, table, name)
        if ready is False:
            connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {table.partition('.')[0]}.{name}")
        connection.execute(
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table}"
            f" USING hnsw (({column}::vector({dim})) vector_cosine_ops)"
        )


def _name(table: str, column: str, dim: int) -> str:
    """Of an index: a column's name may be as long as a name can be."""
    return f"hm_near_{table.rpartition('.')[2].strip(chr(34))}_{zlib.crc32(column.encode())}_{dim}"
