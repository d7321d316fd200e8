"""The default engine: one DuckDB file, one process that owns it.

A DuckDB writer excludes every other process, readers too. Inside this process one thread writes at a time,
and readers see the last commit without waiting. What is committed is on disk.
"""

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from hivemind_cli.core.clock import Clock, system_clock
from hivemind_cli.core.errors import StoreError
from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE
from hivemind_cli.core.records import RECORD_TYPES, Record
from hivemind_cli.storage.admission import checked_tombstone, cursor_moved
from hivemind_cli.storage.base import Row
from hivemind_cli.storage.duckdb.errors import NO_MEMORY, Told, locked, translated, unsaid
from hivemind_cli.storage.duckdb.migrated import MigratedDatabase, committed
from hivemind_cli.storage.duckdb.tables import DuckDBTables
from hivemind_cli.storage.migrate import migrate, migrations
from hivemind_cli.storage.schema import Table, comparable, from_values, normalised, table_of
from hivemind_cli.storage.sql import names_of, where
from hivemind_cli.storage.tail import Tail
from hivemind_cli.storage.transaction import Transaction

R = TypeVar("R", bound=Record)
T = TypeVar("T")
Connection = duckdb.DuckDBPyConnection

_NARROWED_ROWS = 50
"""For more, seq alone is looked through first: DuckDB would read all that lies behind (1 s where it is 1 GB)."""
CURSORS_SAVED_S = 1.0
"""A cursor that moved without a record is written with the next record after so long: a commit costs 8 ms."""
_LOG_BYTES = 8_000_000
"""What is committed stays in memory until it is moved from the log into the file; `rest` does so from here on."""
_CACHED_MB = 16
"""Of the file, kept in memory when at rest: what is read again comes from the system's own cache."""
_SPARE_MEMORY = 8
"""The memory limit times this is allowed for one call that cannot do with less."""
TABLES_FILE = "memory.duckdb"
_OWNED: "weakref.WeakValueDictionary[str, DuckDBStore]" = weakref.WeakValueDictionary()
"""Open stores by real path: DuckDB would let this process open a file twice, and seq be given twice."""
_OWNED_LOCK = threading.Lock()


class DuckDBStore:
    """The Store in the file `path`, created with its folder if missing (0600 in 0700).

    memory_mb bounds DuckDB's own buffers. Raises StoreLocked, StoreDamaged (the file is left as it is) or
    StoreError.
    """

    def __init__(self, path: Path, memory_mb: int = 128, clock: Clock = system_clock) -> None:
        self.path = Path(path)
        self._memory_mb = memory_mb
        self._clock = clock
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._last_seq: dict[str, int] = {}
        self._cursors: dict[str, int] = {}
        """As far as they were read or moved; nobody else moves them."""
        self._unsaved: dict[str, int] = {}
        """Those that moved past records that nothing came of; a stage may take these again after a crash."""
        self._saved_at = 0.0
        self._sparing = 0
        """Calls under way that were allowed more memory."""
        self._gone: set[str] = set()
        self._tail = Tail(lambda: self._read("SELECT DISTINCT host, session_id FROM event", ()))
        self._tables: DuckDBTables | None = None
        _own(self)
        try:
            with translated(self.path):
                self._create()
                self._connect()
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, path: Path, *, memory_mb: int) -> "DuckDBStore":
        """As `open_store` calls it."""
        return cls(path, memory_mb)

    def __repr__(self) -> str:
        return f"DuckDBStore({str(self.path)!r})"

    def __enter__(self) -> "DuckDBStore":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def append(self, records: Sequence[Record]) -> int:
        plain = [comparable(record) for record in records]
        return self._write(lambda tx: tx.append(plain)) if plain else 0

    def commit(self, stage: str, outputs: Sequence[Record], *, cursor_from: int, cursor_to: int) -> int:
        plain = [comparable(record) for record in outputs]
        with self._lock:
            current = self.cursor(stage)
            if current != cursor_from:
                raise cursor_moved(stage, expected=cursor_from, current=current)
            stored = self._save({stage: cursor_to}, plain) if plain else 0
            if not plain:
                self._unsaved[stage] = cursor_to
            self._cursors[stage] = cursor_to
        return stored

    def _save(self, cursors: dict[str, int], plain: Sequence[Record]) -> int:
        """Append, and move these cursors in the file; all that were left unsaved too, if the last time is long ago."""
        due = time.monotonic() - self._saved_at >= CURSORS_SAVED_S
        moved = {**self._unsaved, **cursors} if due else cursors

        def work(tx: Transaction) -> int:
            for stage, to in moved.items():
                tx.move_cursor(stage, to)
            return tx.append(plain)

        stored = self._write(work)
        for stage in moved:
            self._unsaved.pop(stage, None)
        if due:
            self._saved_at = time.monotonic()
        return stored

    def cursor(self, stage: str) -> int:
        known = self._cursors.get(stage)
        if known is not None:
            return known
        with self._lock:
            rows = self._read("SELECT position FROM cursors WHERE stage = ?", [stage])
            position = self._cursors[stage] = int(rows[0][0]) if rows else 0
        return position

    def find(
        self,
        kind: type[R],
        /,
        *,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        since: datetime | None = None,
        **equals: Any,
    ) -> list[Row[R]]:
        table = table_of(kind)
        condition, parameters = where(table, since, equals, after=after, until=until)
        if after >= self._newest(table):
            return []  # what every stage that has caught up asks: no query
        kept = self._tail.rows(
            kind, equals, after=after, until=until, since=since, limit=limit, newest_first=newest_first
        )
        if kept is not None:
            return [Row(seq, from_values(kind, values)) for seq, values in kept]
        first_rows = "" if limit is None else f" LIMIT {max(int(limit), 0)}"
        in_order = f" ORDER BY seq{' DESC' if newest_first else ''}{first_rows}"
        if limit is not None and limit > _NARROWED_ROWS:
            within = f"SELECT min(seq), max(seq) FROM (SELECT seq FROM {table.name}{condition}{in_order})"
            first, last = self._read(within, parameters)[0]
            if first is None:
                return []
            condition, parameters = where(table, since, equals, after=first - 1, until=last)
        sql = f"SELECT seq, {names_of(table)} FROM {table.name}{condition}{in_order}"
        return [Row(seq, from_values(kind, tuple(values))) for seq, *values in self._read(sql, parameters)]

    def count(self, kind: type[R], /, *, since: datetime | None = None, **equals: Any) -> int:
        table = table_of(kind)
        condition, parameters = where(table, since, equals)
        if not self._newest(table):
            return 0
        kept = self._tail.rows(kind, equals, since=since)
        if kept is not None:
            return len(kept)
        return int(self._read(f"SELECT count(*) FROM {table.name}{condition}", parameters)[0][0])

    def prune(self, host: str, session_id: str, tombstone: Record, *, bury: bool = True) -> int:
        plain = normalised(checked_tombstone(host, session_id, tombstone))
        with self._lock:
            try:
                return self._write(lambda tx: tx.prune(host, session_id, plain, bury=bury))
            finally:
                self._tail.forget()

    def rest(self) -> None:
        """Move the log into the file once it is long: 0.1 s as a rule, and 40 MB of memory less (measured).

        Blocks of the file beyond _CACHED_MB leave memory: 45 MB after some recalls at 100,000 events (measured).
        """
        log = self.path.with_name(self.path.name + ".wal")
        if log.exists() and log.stat().st_size >= _LOG_BYTES:
            with self._lock:
                self.attempt(_checkpoint)
        if self._memory_mb > _CACHED_MB:
            self.attempt(self._uncache)

    def _uncache(self, connection: Connection) -> None:
        """What queries hold just now stays; one that finds no memory meanwhile is tried again by `attempt`."""
        if self._sparing:
            return
        with connection.cursor() as cursor, suppress(duckdb.Error):  # refused where queries hold more
            cursor.execute(f"SET memory_limit = '{_CACHED_MB}MB'")
        with connection.cursor() as cursor:
            cursor.execute(f"SET memory_limit = '{self._memory_mb}MB'")

    def tables(self) -> DuckDBTables:
        """The agents' own tables, in the file `memory.duckdb` beside this one, made when first asked for.

        Its queries can name this store's views. StoreDamaged, StoreError: that file cannot be used; this one can.
        """
        with self._lock:
            if self._tables is None:
                self._tables = DuckDBTables(self.attempt, self.path.with_name(TABLES_FILE), self._clock)
            return self._tables

    def close(self) -> None:
        with self._lock:
            if self._unsaved and self._connection is not None:
                with suppress(StoreError):  # then their stages take a few records again
                    self._saved_at = 0.0
                    self._save({}, ())
            self._disconnect()
        with _OWNED_LOCK:
            if _OWNED.get(_real(self.path)) is self:
                del _OWNED[_real(self.path)]

    def _create(self) -> None:
        """Make the database aside and link it into place: whoever sees the file sees a whole one."""
        if self.path.exists():
            return
        self.path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        for left in self.path.parent.glob(f".{self.path.name}.*.new*"):
            left.unlink(missing_ok=True)
        aside = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        try:
            connection = duckdb.connect(aside, config=self._config())
            aside.chmod(FILE_MODE)
            try:
                migrate(MigratedDatabase(connection), migrations("duckdb"), self._clock)
            finally:
                connection.close()
            with suppress(FileExistsError):
                self.path.hardlink_to(aside)
        finally:
            aside.unlink(missing_ok=True)
            aside.with_name(aside.name + ".wal").unlink(missing_ok=True)

    def _connect(self) -> None:
        connection = duckdb.connect(self.path, config=self._config())
        try:
            self._shut_in(connection)
            if self._tables is not None:
                self._tables.attach(connection)
            migrate(MigratedDatabase(connection), migrations("duckdb"), self._clock)
            self._last_seq = _last_seqs(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._tail.forget()
        self._keep_private()

    def _shut_in(self, connection: Connection) -> None:
        """A query sees this database and the tables' and nothing else: no other file, no network."""
        tables = str(self.path.with_name(TABLES_FILE))
        allowed = [tables + ending for ending in ("", ".wal", ".wal.checkpoint", ".wal.recovery")]
        connection.execute("SET allowed_paths = ?", [allowed])
        connection.execute("SET enable_external_access = false")

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(duckdb.Error):  # What is committed is in the WAL, whatever the last checkpoint says.
                connection.close()

    def _newest(self, table: Table) -> int:
        """The highest seq ever given in it: 0 if nothing was ever stored."""
        self._opened()
        return self._last_seq.get(table.name, 0)

    def _reconnect(self, broken: Connection) -> None:
        """After a fatal error DuckDB refuses all further work of an instance; a new one replays the WAL."""
        with self._lock:
            if self._connection is broken:
                self._disconnect()
                self._connect()

    def _config(self) -> dict[str, Any]:
        return {
            "memory_limit": f"{self._memory_mb}MB",
            "threads": 2,
            "async_threads": 0,  # Eight for remote files, else.
            "checkpoint_threshold": "64MB",  # At 16 an import took half as long again, and the file half as much room.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }

    def _opened(self) -> Connection:
        if self._connection is None:
            raise StoreError("This store is closed.")
        return self._connection

    def _keep_private(self) -> None:
        for path in (self.path, self.path.with_name(self.path.name + ".wal")):
            with suppress(FileNotFoundError):
                if path.stat().st_mode & 0o077:
                    path.chmod(FILE_MODE)

    def _read(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        return self.attempt(lambda connection: _rows(connection, sql, parameters))

    def _write(self, work: Callable[[Transaction], T]) -> T:
        with self._lock:
            return self.attempt(lambda connection: self._transact(connection, work))

    def attempt(self, work: Callable[[Connection], T], told: Told = unsaid) -> T:
        """`work`, and once more if it may succeed: on a fresh instance, or with memory to spare.

        told    what errors it makes of DuckDB's, where it has a word for them
        """
        with translated(self.path, told):
            connection = self._opened()
            try:
                return work(connection)
            except duckdb.FatalException:
                self._reconnect(connection)
                return work(self._opened())
            except duckdb.Error as exc:
                if not NO_MEMORY.search(str(exc)):
                    raise
                with self._spare_memory(connection):
                    return work(connection)

    @contextmanager
    def _spare_memory(self, connection: Connection) -> Iterator[None]:
        """Rows of 64 KB a field, 2,048 at a time, exceed any limit that is right for ordinary ones."""
        self._sparing += 1
        connection.execute(f"SET memory_limit = '{self._memory_mb * _SPARE_MEMORY}MB'")
        try:
            yield
        finally:
            self._sparing -= 1
            with suppress(duckdb.Error):  # Still in use: the next one to need it sets it back.
                connection.execute(f"SET memory_limit = '{self._memory_mb}MB'")

    def _transact(self, connection: Connection, work: Callable[[Transaction], T]) -> T:
        tx = Transaction(connection, dict(self._last_seq), set(self._gone))
        with committed(connection):
            result = work(tx)
        for kind, first, rows in tx.inserted:
            self._tail.add(kind, first, rows)
        self._last_seq, self._gone = tx.last_seq, tx.gone
        self._keep_private()
        return result


def _checkpoint(connection: Connection) -> None:
    """Not while a transaction is under way that stands in its way: the log stays for the next rest."""
    with suppress(duckdb.TransactionException):
        connection.execute("CHECKPOINT")


def _rows(connection: Connection, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        return cursor.execute(sql, parameters).fetchall()


def _last_seqs(connection: Connection) -> dict[str, int]:
    """The highest seq ever given, by table."""
    given = dict(connection.execute("SELECT table_name, last_seq FROM series").fetchall())
    names = [table_of(kind).name for kind in RECORD_TYPES]
    stored = " UNION ALL ".join(f"SELECT '{name}', max(seq) FROM {name}" for name in names)
    highest = dict(connection.execute(stored).fetchall())
    return {name: max(given.get(name) or 0, highest.get(name) or 0) for name in names}


def _real(path: Path) -> str:
    return os.path.realpath(path)


def _own(store: DuckDBStore) -> None:
    with _OWNED_LOCK:
        if _real(store.path) in _OWNED:
            raise locked(store.path, "this process")
        _OWNED[_real(store.path)] = store
