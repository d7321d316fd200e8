"""The Tables port on PostgreSQL: everything in the schema `hivemind` of one database, vectors by pgvector.

Many machines may have it open. One writes at a time (an advisory lock), so that numbers are given in the order of
commits; readers wait for nobody, but for a change of the very table's columns.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.pq.abc import PGresult

from hivemind_cli.core.clock import Clock, system_clock
from hivemind_cli.core.errors import SQLError, StoreError
from hivemind_cli.storage.migrate import migrate, migrations
from hivemind_cli.storage.postgres import values as converting
from hivemind_cli.storage.postgres.connections import (
    LINE,
    RECONNECT_S,
    SCHEMA,
    Address,
    Connection,
    Connections,
)
from hivemind_cli.storage.postgres.errors import may_be_repeated, translated, unreachable
from hivemind_cli.storage.postgres.nearest import NearestIndexes
from hivemind_cli.storage.shared_commits import SharedCommits
from hivemind_cli.storage.tables import Kind, Relations, Result, Transaction, Type

T = TypeVar("T")

WRITE_S = 600.0
"""A statement that writes, a batch of rows say, may take so long; others wait for LOCK_S, then say so."""
IDLE_S = 120.0
"""A machine that hangs amid its transaction loses its turn."""
_BEGIN = f"""
    BEGIN; SET LOCAL idle_in_transaction_session_timeout = '{IDLE_S:g}s'; SET LOCAL statement_timeout = '{WRITE_S:g}s';
    SELECT pg_advisory_xact_lock({LINE}), pg_current_xact_id()::text
"""
_ATTEMPTS = 3
_FEW_VALUES = 64
"""So many at most are sent as an INSERT's values: one round trip, where COPY takes three."""
_MANY_ROWS = 1000
"""PostgreSQL notices by itself within a minute; a batch is asked about at once."""
_BEGINNING = re.compile(
    r"\s*(?P<explain>EXPLAIN\b(?:\s*\([^)]*\)|\s+ANALYZE\b|\s+VERBOSE\b)*)?\s*(?P<cte>WITH\b(?!\s*\()(?:\s+RECURSIVE\b)?)?",
    re.IGNORECASE,
)


class PostgresTables:
    """See Tables. The database is made ready when it is first opened: schema, extension, catalog.

    Between it and the database may stand a pooler that gives each session a connection of its own (PgBouncer's
    session mode), not one that gives each transaction another.

    ConfigError: the URL names no database. StoreError: it does not answer, or lacks pgvector.
    """

    dialect = "postgres"
    next_number = f"nextval('{SCHEMA}.hm_numbers')"

    def __init__(self, url: str, clock: Clock = system_clock) -> None:
        address = Address(url)
        self.url = address.url
        self._connections = Connections(address)
        self._nearest = NearestIndexes(self._connections)
        self._writer: Connection | None = None
        self._commits: SharedCommits[Callable[[Transaction], Any]] = SharedCommits(self._commit)
        self._closed = False
        try:
            connection = address.connect()
        except psycopg.Error as exc:
            raise unreachable(self.url, exc) from exc
        with translated(), connection:
            self._connections.search_path, self._connections.vector_oid = _made_ready(connection, clock)

    def __repr__(self) -> str:
        return f"PostgresTables({self.url!r})"

    def __enter__(self) -> "PostgresTables":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def commits(self) -> None:
        return None

    def changes(self, name: str) -> None:
        return None

    def qualified(self, name: str) -> str:
        return f'{SCHEMA}."{name}"'

    def loop_view(self, name: str) -> str | None:
        return None

    def type_sql(self, type: Type) -> str:
        if type.kind is Kind.VECTOR and type.dim:
            return f"vector({type.dim})"
        return converting.SQL_TYPES[type.kind]

    def read(self, sql: str, values: Sequence[Any] = (), *, relations: Relations | None = None) -> Result:
        sql, bound = _with_relations(sql, values, relations)

        def work(connection: Connection) -> Result:
            connection.execute("BEGIN READ ONLY")
            try:
                cursor = connection.execute(sql, bound, prepare=False if relations else None, binary=True)
                if not cursor.description:
                    raise SQLError("This is no statement that reads.")
                types = converting.types_of(_result(cursor), self._connections.vector_oid)
                if types is None:  # only as text can everything be told
                    cursor = connection.execute(sql, bound, prepare=True, binary=False)
                    types = converting.types_as_text(_result(cursor), self._connections.vector_oid)
                return _fetched(cursor, types)
            finally:
                _rolled_back(connection)

        with translated():
            return self._repeated(work)

    @contextmanager
    def stream(
        self, sql: str, values: Sequence[Any] = (), *, batch_rows: int = 10_000, relations: Relations | None = None
    ) -> Iterator[Iterator[Result]]:
        """Not repeated: rows may have been given already."""
        sql, bound = _with_relations(sql, values, relations)
        with self._connections.one(answering=True) as connection:
            yield self._batches(connection, sql, bound, batch_rows)

    def arrays(self, sql: str, values: Sequence[Any] = ()) -> dict[str, NDArray[Any]]:
        found = self.read(sql, values)
        columns = zip(*found.rows, strict=True) if found.rows else [()] * len(found.names)
        return {
            name: converting.numpy_column(type, column)
            for name, type, column in zip(found.names, found.types, columns, strict=True)
        }

    def nearest(
        self, table: str, column: str, vector: Sequence[float], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
        with translated():
            return self._nearest.search(self.qualified(table), _quoted(column), vector, count)

    def settle(self) -> None:
        """Wait for the index that is being made, if one is."""
        self._nearest.wait()

    def write(self, work: Callable[[Transaction], T]) -> T:
        return self._commits.write(work)  # type: ignore[no-any-return]

    def close(self) -> None:
        self._closed = True
        self._nearest.close()
        self._connections.close()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _batches(self, connection: Connection, sql: str, bound: Sequence[Any], batch_rows: int) -> Iterator[Result]:
        with translated():
            connection.execute("BEGIN READ ONLY")
            connection.execute(f"DECLARE hm_stream NO SCROLL CURSOR FOR {sql}", bound, prepare=False, binary=True)
            first = _result(connection.execute("FETCH 0 FROM hm_stream", binary=True))
            told = converting.types_of(first, self._connections.vector_oid)
            types = converting.types_as_text(first, self._connections.vector_oid) if told is None else told
            while True:
                cursor = connection.execute(f"FETCH {int(batch_rows)} FROM hm_stream", binary=told is not None)
                batch = _fetched(cursor, types)
                if not batch.rows:
                    return
                yield batch

    def _repeated(self, work: Callable[[Connection], T]) -> T:
        """`work` on a connection; on another one if that is gone."""
        for attempt in range(_ATTEMPTS):
            with self._connections.one() as connection:
                try:
                    return work(connection)
                except psycopg.Error as exc:
                    if attempt + 1 == _ATTEMPTS or not may_be_repeated(exc, connection):
                        raise
                    connection.close()
            self._connections.forget_idle()
        raise AssertionError("unreachable")

    def _commit(self, works: Sequence[Callable[[Transaction], Any]]) -> Sequence[Any]:
        """All in one transaction; again where the server went away meanwhile."""
        for attempt in range(_ATTEMPTS):
            connection = self._writing()
            try:
                with translated():
                    return self._transacted(connection, works)
            except StoreError as exc:
                cause = exc.__cause__
                if not isinstance(cause, psycopg.Error) or not may_be_repeated(cause, connection):
                    raise
                if attempt + 1 == _ATTEMPTS:
                    raise
                connection.close()
        raise AssertionError("unreachable")

    def _writing(self) -> Connection:
        """The one connection that writes: SharedCommits lets one thread at a time in."""
        if self._closed:
            raise StoreError("This database is closed.")
        if self._writer is None or self._writer.closed:
            self._writer = self._connections.reconnected()
        return self._writer

    def _transacted(self, connection: Connection, works: Sequence[Callable[[Transaction], Any]]) -> Sequence[Any]:
        try:
            xid = _begun(connection)
            tx = _Transaction(connection, self._connections.vector_oid)
            results = [work(tx) for work in works]
            for table in tx.grown:
                connection.execute(f"ANALYZE {table} (_hm_seq, _hm_branch, _hm_until, _hm_deleted)")
        except BaseException:
            _rolled_back(connection)
            raise
        try:
            connection.execute("COMMIT")
        except psycopg.Error:
            if not connection.closed or not self._was_committed(xid):
                _rolled_back(connection)
                raise
        return results

    def _was_committed(self, xid: str) -> bool:
        """Whether a transaction took place whose COMMIT had no answer. StoreError: it cannot be told."""
        until = time.monotonic() + RECONNECT_S
        while time.monotonic() < until:
            with self._connections.reconnected() as connection, suppress(psycopg.OperationalError):
                found = connection.execute("SELECT pg_xact_status($1::xid8)", [xid]).fetchall()[0][0]
                if found != "in progress":
                    return bool(found == "committed")
            time.sleep(0.05)
        raise StoreError(
            "The database went away while it committed.", why="Whether it did cannot be told.", fix="Look, then repeat."
        )


class _Transaction:
    """See Transaction."""

    def __init__(self, connection: Connection, vector_oid: int) -> None:
        self._connection = connection
        self._vector_oid = vector_oid
        self.grown: set[str] = set()
        """Tables that have so many rows more that PostgreSQL should count them anew before it plans."""

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        cursor = self._connection.execute(sql, [converting.bound(value) for value in values], binary=True)
        result = _result(cursor)
        if result.status == psycopg.pq.ExecStatus.EMPTY_QUERY:
            raise SQLError("There is no statement here.")
        if not cursor.description:
            return []
        types = converting.types_as_text(result, self._vector_oid)
        return _fetched(cursor, types).rows

    def insert(self, table: str, columns: Mapping[str, tuple[Type, Sequence[Any]]]) -> None:
        rows = len(next(iter(columns.values()))[1]) if columns else 0
        if not rows:
            return
        names = ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
        oids = [converting.oid(type, self._vector_oid) for type, _values in columns.values()]
        found = [converting.column(type, given) for type, given in columns.values()]
        if rows * len(columns) <= _FEW_VALUES:
            self._insert_values(f"INSERT INTO {table} ({names})", [type for type, _values in columns.values()], found)
            return
        into = f"COPY {table} ({names}) FROM STDIN (FORMAT binary)"
        with self._connection.cursor() as cursor, cursor.copy(into) as copy:
            copy.set_types(oids)
            for row in zip(*found, strict=True):
                copy.write_row(row)
        if rows >= _MANY_ROWS and "_hm_seq" in columns:
            self.grown.add(table)

    def _insert_values(self, insert: str, types: Sequence[Type], columns: Sequence[Sequence[Any]]) -> None:
        bound: list[Any] = []
        tuples = []
        for row in zip(*columns, strict=True):
            places = []
            for type, value in zip(types, row, strict=True):
                bound.append(converting.typed(type, value))
                places.append(f"${len(bound)}::{converting.SQL_TYPES[type.kind]}")
            tuples.append(f"({', '.join(places)})")
        self._connection.execute(f"{insert} VALUES {', '.join(tuples)}", bound)

    def numbers(self, count: int) -> int:
        taken = f"SELECT setval('{SCHEMA}.hm_numbers', {PostgresTables.next_number} + $1 - 1)"
        return int(self._connection.execute(taken, [count]).fetchall()[0][0]) - count + 1


class _MigratedDatabase:
    """A connection as storage/migrate.py sees it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> None:
        for number in range(1, len(parameters) + 1):
            sql = sql.replace("?", f"${number}", 1)
        self._connection.execute(sql, list(parameters) or None)

    def applied(self) -> set[int]:
        return {int(row[0]) for row in self._connection.execute("SELECT number FROM migrations").fetchall()}

    def transaction(self, work: Callable[[], None]) -> None:
        with self._connection.transaction():
            work()


def _made_ready(connection: Connection, clock: Clock) -> tuple[str, int]:
    """Schema, extension and catalog are there: the search path to use, and the oid of type `vector`."""
    connection.execute(f"SELECT pg_advisory_lock({LINE})")  # ends with the connection
    if connection.execute(f"SELECT to_regnamespace('{SCHEMA}')").fetchall()[0][0] is None:
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
    find = (
        "SELECT quote_ident(n.nspname), t.oid::bigint FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " JOIN pg_type t ON t.typnamespace = n.oid AND t.typname = 'vector' WHERE e.extname = 'vector'"
    )
    found = connection.execute(find).fetchall()
    if not found:
        try:
            connection.execute("CREATE EXTENSION vector")
        except psycopg.Error as exc:
            raise StoreError(
                "The database has no vectors.",
                why=f"pgvector is not there, and cannot be made: {exc.diag.message_primary}.",
                fix="Install pgvector on its machine, then let an administrator say `CREATE EXTENSION vector`.",
            ) from exc
        found = connection.execute(find).fetchall()
    search_path = f"{SCHEMA}, {found[0][0]}"
    connection.execute(f"SET search_path = {search_path}")
    migrate(_MigratedDatabase(connection), migrations("tables_postgres"), clock)
    return search_path, int(found[0][1])


def _with_relations(sql: str, values: Sequence[Any], relations: Relations | None) -> tuple[str, list[Any]]:
    """The statement with each relation as a common table expression over arrays, and what it binds."""
    bound = [converting.bound(value) for value in values]
    if not relations:
        return sql, bound
    said = []
    for name, columns in relations.items():
        places = []
        for numbers in columns.values():
            data, array_type = converting.array(numbers)
            bound.append(data)
            places.append(f"${len(bound)}::{array_type}")
        names = ", ".join(_quoted(column) for column in columns)
        said.append(f"{_quoted(name)}({names}) AS (SELECT * FROM unnest({', '.join(places)}))")
    head = _BEGINNING.match(sql)
    explain, cte = (head["explain"], head["cte"]) if head else (None, None)
    rest = sql[head.end() :] if head else sql
    return f"{explain or ''} {cte or 'WITH'} {', '.join(said)}{',' if cte else ''} {rest}", bound


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _result(cursor: "psycopg.Cursor[Any]") -> PGresult:
    if cursor.pgresult is None:
        raise StoreError("The database gave no answer.")
    return cursor.pgresult


def _fetched(cursor: "psycopg.Cursor[tuple[Any, ...]]", types: tuple[Type, ...]) -> Result:
    names = tuple(column.name for column in cursor.description or ())
    return Result(names, types, converting.converted(_result(cursor), types, cursor.fetchall()))


def _begun(connection: Connection) -> str:
    """A transaction that may write, once it is its turn: its number."""
    cursor = connection.execute(_BEGIN)
    while cursor.nextset():
        pass
    return str(cursor.fetchall()[0][1])


def _rolled_back(connection: Connection) -> None:
    with suppress(psycopg.Error):  # the connection is gone, and its transaction with it
        connection.execute("ROLLBACK")
