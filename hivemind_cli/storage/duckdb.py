"""The default engine: one DuckDB file, one process that owns it. The only module that imports duckdb.

A DuckDB writer excludes every other process, readers too. Inside this process one thread writes at a time,
and readers see the last commit without waiting. What is committed is on disk.
"""

import os
import re
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from hivemind_cli.core.clock import Clock, system_clock
from hivemind_cli.core.errors import StoreDamaged, StoreError, StoreLocked
from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE
from hivemind_cli.core.records import (
    RECORD_TYPES,
    Correction,
    Event,
    GateSkip,
    Notice,
    Outcome,
    Recall,
    Record,
    SkillRevision,
    Tombstone,
)
from hivemind_cli.storage.admission import BURIED_WITH, Known, admit, checked_tombstone, cursor_moved, native_key
from hivemind_cli.storage.base import Row
from hivemind_cli.storage.forgetting import OF_SESSION, fallout, silenced
from hivemind_cli.storage.migrate import migrate, migrations
from hivemind_cli.storage.schema import Table, from_values, normalised, table_of, to_values
from hivemind_cli.storage.sql import SQL_TYPES, any_of, names_of, native_hash, where

R = TypeVar("R", bound=Record)
T = TypeVar("T")
Connection = duckdb.DuckDBPyConnection

_INSERT_ROWS = 1000
"""Rows in one INSERT; lists of values are 16 times as fast as a statement a row (measured)."""
_NARROWED_ROWS = 50
"""For more, seq alone is looked through first: DuckDB would read all that lies behind (1 s where it is 1 GB)."""
_SPARE_MEMORY = 8
"""The memory limit times this is allowed for one call that cannot do with less."""
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
        self._gone: set[str] = set()
        _own(self)
        try:
            with _translated(self.path):
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
        plain = [normalised(record) for record in records]
        return self._write(lambda tx: tx.append(plain)) if plain else 0

    def commit(self, stage: str, outputs: Sequence[Record], *, cursor_from: int, cursor_to: int) -> int:
        plain = [normalised(record) for record in outputs]

        def work(tx: "_Transaction") -> int:
            tx.move_cursor(stage, cursor_from, cursor_to)
            return tx.append(plain)

        return self._write(work)

    def cursor(self, stage: str) -> int:
        rows = self._read("SELECT position FROM cursors WHERE stage = ?", [stage])
        return int(rows[0][0]) if rows else 0

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
        first_rows = "" if limit is None else f" LIMIT {max(int(limit), 0)}"
        in_order = f" ORDER BY seq{' DESC' if newest_first else ''}{first_rows}"
        if limit is not None and limit > _NARROWED_ROWS:
            within = f"SELECT min(seq), max(seq) FROM (SELECT seq FROM {table.name}{condition}{in_order})"
            first, last = self._read(within, parameters)[0]
            condition, parameters = where(table, since, equals, after=(first or 0) - 1, until=last or 0)
        sql = f"SELECT seq, {names_of(table)} FROM {table.name}{condition}{in_order}"
        return [Row(seq, from_values(kind, tuple(values))) for seq, *values in self._read(sql, parameters)]

    def count(self, kind: type[R], /, *, since: datetime | None = None, **equals: Any) -> int:
        table = table_of(kind)
        condition, parameters = where(table, since, equals)
        return int(self._read(f"SELECT count(*) FROM {table.name}{condition}", parameters)[0][0])

    def prune(self, host: str, session_id: str, tombstone: Record, *, bury: bool = True) -> int:
        plain = normalised(checked_tombstone(host, session_id, tombstone))
        return self._write(lambda tx: tx.prune(host, session_id, plain, bury=bury))

    def close(self) -> None:
        with self._lock:
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
                migrate(_MigratedDatabase(connection), migrations("duckdb"), self._clock)
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
            migrate(_MigratedDatabase(connection), migrations("duckdb"), self._clock)
            self._last_seq = _last_seqs(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._keep_private()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(duckdb.Error):  # What is committed is in the WAL, whatever the last checkpoint says.
                connection.close()

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
            "checkpoint_threshold": "64MB",  # At 16 an import took half as long again, and the file half as much room.
            # A query sees this database and nothing else: no other file, no network.
            "enable_external_access": False,
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
        return self._attempt(lambda connection: _rows(connection, sql, parameters))

    def _write(self, work: Callable[["_Transaction"], T]) -> T:
        with self._lock:
            return self._attempt(lambda connection: self._transact(connection, work))

    def _attempt(self, work: Callable[[Connection], T]) -> T:
        """`work`, and once more if it may succeed: on a fresh instance, or with memory to spare."""
        with _translated(self.path):
            connection = self._opened()
            try:
                return work(connection)
            except duckdb.FatalException:
                self._reconnect(connection)
                return work(self._opened())
            except duckdb.Error as exc:
                if not _NO_MEMORY.search(str(exc)):
                    raise
                with self._spare_memory(connection):
                    return work(connection)

    @contextmanager
    def _spare_memory(self, connection: Connection) -> Iterator[None]:
        """Rows of 64 KB a field, 2,048 at a time, exceed any limit that is right for ordinary ones."""
        connection.execute(f"SET memory_limit = '{self._memory_mb * _SPARE_MEMORY}MB'")
        try:
            yield
        finally:
            with suppress(duckdb.Error):  # Still in use: the next one to need it sets it back.
                connection.execute(f"SET memory_limit = '{self._memory_mb}MB'")

    def _transact(self, connection: Connection, work: Callable[["_Transaction"], T]) -> T:
        tx = _Transaction(connection, dict(self._last_seq), set(self._gone))
        with _committed(connection):
            result = work(tx)
        self._last_seq, self._gone = tx.last_seq, tx.gone
        self._keep_private()
        return result


class _Transaction:
    """What can be done between BEGIN and COMMIT."""

    def __init__(self, connection: Connection, last_seq: dict[str, int], gone: set[str]) -> None:
        self._connection = connection
        self.last_seq = last_seq
        self.gone = gone

    def append(self, records: Sequence[Record]) -> int:
        """As Store.append."""
        fresh = admit(records, self._known(records))
        by_kind: dict[type[Record], list[Record]] = {}
        for record in fresh:
            by_kind.setdefault(type(record), []).append(record)
        for kind, group in by_kind.items():
            for start in range(0, len(group), _INSERT_ROWS):
                self._insert(table_of(kind), group[start : start + _INSERT_ROWS])
        return len(fresh)

    def move_cursor(self, stage: str, expected: int, to: int) -> None:
        """CursorMoved if the cursor of `stage` is not at `expected`."""
        row = self._connection.execute("SELECT position FROM cursors WHERE stage = ?", [stage]).fetchone()
        current = int(row[0]) if row else 0
        if current != expected:
            raise cursor_moved(stage, expected=expected, current=current)
        self._connection.execute(
            "INSERT INTO cursors VALUES (?, ?) ON CONFLICT (stage) DO UPDATE SET position = excluded.position",
            [stage, to],
        )

    def prune(self, host: str, session_id: str, tombstone: Tombstone, *, bury: bool) -> int:
        """As Store.prune."""
        session = [host, session_id]
        gone = {one.id for one in self._all(Correction, "host = ? AND session_id = ?", session)}
        deleted = self._delete(
            Outcome,
            "recall_id IN (SELECT id FROM recall WHERE host = ? AND session_id = ?)"
            " OR (session_id = ? AND recall_id NOT IN (SELECT id FROM recall))"
            " OR subject_id IN (SELECT unnest(?::VARCHAR[]))",
            [*session, session_id, sorted(gone)],
        )
        for kind in OF_SESSION:
            deleted += self._delete(kind, "host = ? AND session_id = ?", session)
        fallen = fallout(
            gone,
            session_id,
            tombstone.occurred_at,
            revisions=self._all(SkillRevision),
            skips=self._all(GateSkip),
            notices=self._all(Notice),
        )
        for fallen_kind, ids in fallen.deleted.items():
            deleted += self._delete(fallen_kind, "id IN (SELECT unnest(?::VARCHAR[]))", [ids])
        self._silence(gone | fallen.skills)
        self.gone |= gone
        self.append([*([tombstone] if bury else []), *fallen.added])
        return deleted

    def _all(self, kind: type[R], condition: str = "TRUE", parameters: Sequence[Any] = ()) -> list[R]:
        table = table_of(kind)
        sql = f"SELECT {names_of(table)} FROM {table.name} WHERE {condition} ORDER BY seq"
        return [from_values(kind, values) for values in self._connection.execute(sql, list(parameters)).fetchall()]

    def _silence(self, forgotten: set[str]) -> None:
        """What other sessions' recalls said of these skills and memos goes; that they spoke stays."""
        for subject in sorted(forgotten):
            for recall in self._all(Recall, "contains(candidates, ?)", [subject]):
                now = silenced(recall, forgotten)
                values = dict(zip(table_of(Recall).columns, to_values(now), strict=True))
                self._connection.execute(
                    'UPDATE recall SET "text" = ?, candidates = ? WHERE id = ?',
                    [values["text"], values["candidates"], recall.id],
                )

    def _known(self, records: Sequence[Record]) -> Known:
        """What the store has of `records`."""
        known = Known(gone=self.gone)
        ids: dict[type[Record], list[str]] = {}
        for record in records:
            ids.setdefault(type(record), []).append(record.id)
            if isinstance(record, Outcome):
                ids.setdefault(Recall, []).append(record.recall_id)
        for kind, wanted in ids.items():
            found = self._lookup(table_of(kind).name, "id", "id", "VARCHAR", wanted)
            known.ids.update((kind.__name__, row[0]) for row in found)
        events = [record for record in records if isinstance(record, Event)]
        if events:
            hashes = [native_hash(native_key(event)) for event in events]
            known.native_keys.update(
                (row[0], row[1], row[2])
                for row in self._lookup("event", "host, session_id, native_key", "native_hash", "BIGINT", hashes)
            )
        sessions = [one.session_id for one in records if isinstance(one, (*BURIED_WITH, Outcome))]
        if sessions:
            buried = self._lookup("tombstone", "host, session_id", "session_id", "VARCHAR", sessions)
            known.buried.update((row[0], row[1]) for row in buried)
        return known

    def _lookup(self, table: str, columns: str, key: str, sql_type: str, wanted: Sequence[Any]) -> list[Any]:
        if not self.last_seq[table]:
            return []
        condition, parameters = any_of(key, sql_type, list(dict.fromkeys(wanted)))
        return self._connection.execute(f"SELECT {columns} FROM {table} WHERE {condition}", parameters).fetchall()

    def _insert(self, table: Table, records: Sequence[Record]) -> None:
        first = self.last_seq[table.name] + 1
        last = self.last_seq[table.name] = first + len(records) - 1
        names = ["seq", *(f'"{name}"' for name in table.columns)]
        sql_types = ["BIGINT", *(SQL_TYPES[column.type] for column in table.columns.values())]
        values: list[list[Any]] = [list(range(first, last + 1))]
        values += [list(column) for column in zip(*map(to_values, records), strict=True)]
        if table.kind is Event:
            names.append("native_hash")
            sql_types.append("BIGINT")
            values.append([native_hash(native_key(event)) for event in records if isinstance(event, Event)])
        unnested = ", ".join(f"unnest(?::{sql_type}[])" for sql_type in sql_types)
        self._connection.execute(f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {unnested}", values)

    def _delete(self, kind: type[Record], condition: str, parameters: Sequence[Any]) -> int:
        table = table_of(kind).name
        row = self._connection.execute(f"DELETE FROM {table} WHERE {condition}", parameters).fetchone()
        if not row or not row[0]:
            return 0
        self._connection.execute(
            "INSERT INTO series VALUES (?, ?) ON CONFLICT (table_name) DO UPDATE SET last_seq = excluded.last_seq",
            [table, self.last_seq[table]],
        )
        return int(row[0])


class _MigratedDatabase:
    """A connection as storage/migrate.py sees it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> None:
        self._connection.execute(sql, list(parameters)) if parameters else self._connection.execute(sql)

    def applied(self) -> set[int]:
        return {int(row[0]) for row in self._connection.execute("SELECT number FROM migrations").fetchall()}

    def transaction(self, work: Callable[[], None]) -> None:
        with _committed(self._connection):
            work()


@contextmanager
def _committed(connection: Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):  # Nothing to roll back: the failure has already ended the transaction.
            connection.execute("ROLLBACK")
        raise


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
            raise _locked(store.path, "this process")
        _OWNED[_real(store.path)] = store


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """DuckDB's and the system's errors as ours."""
    try:
        yield
    except duckdb.Error as exc:
        raise _our_error(exc, path) from exc
    except OSError as exc:
        raise _unusable(path, str(exc)) from exc


_NO_MEMORY = re.compile("out of memory|failed to pin block|could not allocate", re.I)
_DAMAGE = re.compile(
    "corrupt|checksum|not a valid duckdb|could not read enough bytes|replaying wal|deserializ|invalidated", re.I
)


def _our_error(exc: duckdb.Error, path: Path) -> StoreError:
    said = (str(exc).strip() or type(exc).__name__).splitlines()[0]
    if "Could not set lock" in said:
        holder = re.search(r"PID (\d+)", said)
        return _locked(path, f"process {holder[1]}" if holder else "another process")
    if "newer version of DuckDB" in said or "version number" in said:
        return StoreError(f"{path} was written by a newer DuckDB.", why=said, fix="Update hivemind.")
    if re.search("no space left|disk full|quota", said, re.I):
        return StoreError(
            f"{path} cannot grow: the disk is full.", why=said, fix="Free some space; nothing stored is lost."
        )
    if _NO_MEMORY.search(said):
        return StoreError("The database ran out of memory.", why=said, fix="Raise `daemon.memory_mb` in your config.")
    damaged = (duckdb.InternalException, duckdb.SerializationException, duckdb.FatalException)
    if isinstance(exc, damaged) or _DAMAGE.search(said):
        return StoreDamaged(
            f"{path} cannot be read: it is damaged, or no database.",
            why=said,
            fix=f"It was left as it is. Move it (and {path.name}.wal, if there is one) out of {path.parent}, then run "
            "`hivemind import --all`: what waits in the spool is captured, and past sessions are read again from "
            "their transcripts. Skills on disk stay.",
        )
    if isinstance(exc, duckdb.IOException):
        return _unusable(path, said)
    return StoreError("The database refused.", why=said, fix="Run `hivemind doctor`.")


def _locked(path: Path, holder: str) -> StoreLocked:
    return StoreLocked(
        f"{path} is in use by {holder}.",
        why="One process owns the database at a time.",
        fix="End that process: the next daemon captures what waits. `hivemind daemon` says whether it is the daemon.",
    )


def _unusable(path: Path, said: str) -> StoreError:
    return StoreError(f"{path} cannot be used.", why=said, fix="Check that you own the file and its folder.")
