"""The Tables port on DuckDB: a file of its own, attached to the store's instance as `memory`.

Readers see the last commit and wait for nobody. Writers are in line: who comes while another one commits shares the
next commit, for it is the commit that takes the time.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import duckdb
from numpy.typing import NDArray

from hivemind_cli.core.clock import Clock
from hivemind_cli.core.errors import HivemindError, SQLError, StoreError, TablesError, WrongValue
from hivemind_cli.core.paths import FILE_MODE
from hivemind_cli.storage.duckdb import values as converting
from hivemind_cli.storage.duckdb.errors import Told, translated
from hivemind_cli.storage.duckdb.migrated import MigratedDatabase, committed
from hivemind_cli.storage.migrate import migrate, migrations
from hivemind_cli.storage.shared_commits import SharedCommits
from hivemind_cli.storage.tables import LOOP_VIEWS, Relations, Result, Transaction, Type

T = TypeVar("T")
Connection = duckdb.DuckDBPyConnection

CATALOG = "memory"
READ_S = 60.0
"""A query that takes longer is broken off."""
_NAMED = re.compile(r'"(t_\d+|hm_\w+)"')
NUMBERS_AT_ONCE = 256
"""Taken from the sequence; those that were not given are lost when the daemon ends."""
ANSWER_BYTES_MAX = 256_000_000
"""Of what is answered in one piece, by an estimate; streams have no end."""
_VALUE_BYTES = 40
"""Of a number or a time in Python."""
_FETCHED_ROWS = 2_048
_FEW_ROWS = 4
"""So few are bound as values; more as arrays, which take 2 ms to set up and 5 us a row."""


class Attempt(Protocol):
    """Does work on the store's instance; again on a fresh one, or with more memory, where that may help."""

    def __call__(self, work: Callable[[Connection], T], told: Told = ...) -> T:
        """As DuckDBStore.attempt."""


class DuckDBTables:
    """See Tables. Made by `DuckDBStore.tables`, whose instance it uses, and closed with it."""

    dialect = "duckdb"
    next_number = f"nextval('{CATALOG}.hm_numbers')"

    def __init__(self, attempt: "Attempt", path: Path, clock: Clock) -> None:
        self.path = path
        self.url = "hivemind:"
        self._attempt = attempt
        self._clock = clock
        self._shared: SharedCommits[Callable[[Transaction], Any]] = SharedCommits(self._commit)
        self._watch = _Watch()
        self._commits = 0
        self._changes: dict[str, int] = {}
        self._numbers = _Numbers()
        attempt(self.attach)

    def __repr__(self) -> str:
        return f"DuckDBTables({str(self.path)!r})"

    def attach(self, connection: Connection) -> None:
        """Make `memory` known to an instance, creating and migrating the file."""
        self._numbers.drop()
        with translated(self.path):
            connection.execute(f"ATTACH {_literal(str(self.path))} AS {CATALOG}")
            with connection.cursor() as cursor:
                cursor.execute(f"USE {CATALOG}")
                migrate(MigratedDatabase(cursor), migrations("tables_duckdb"), self._clock)
        for path in (self.path, self.path.with_name(self.path.name + ".wal")):
            with suppress(FileNotFoundError):
                path.chmod(FILE_MODE)

    @property
    def commits(self) -> int:
        return self._commits

    def changes(self, name: str) -> int:
        return self._changes.get(name, 0)

    def qualified(self, name: str) -> str:
        return f'{CATALOG}.main."{name}"'

    def loop_view(self, name: str) -> str | None:
        return name if name in LOOP_VIEWS else None

    def type_sql(self, type: Type) -> str:
        return converting.SQL_TYPES[type.kind]

    def read(self, sql: str, values: Sequence[Any] = (), *, relations: Relations | None = None) -> Result:
        def work(connection: Connection) -> Result:
            with self._reading(connection, sql, values, relations) as (cursor, names, kinds):
                if kinds.quicker_as_arrays:
                    return Result(names, kinds.types, kinds.rows_of_arrays(cursor.fetchnumpy()))
                return Result(names, kinds.types, kinds.rows(_all_rows(cursor)))

        return self._attempted(work)

    @contextmanager
    def stream(
        self, sql: str, values: Sequence[Any] = (), *, batch_rows: int = 10_000, relations: Relations | None = None
    ) -> Iterator[Iterator[Result]]:
        """No second attempt here: rows may have been given already."""
        taken: list[Connection] = []
        self._attempt(lambda connection: taken.append(connection.cursor()))
        connection = taken[-1]
        try:
            with _told(self.path), self._reading(connection, sql, values, relations) as (cursor, names, kinds):

                def batches() -> Iterator[Result]:
                    with _told(self.path):
                        while rows := cursor.fetchmany(batch_rows):
                            self._watch.later(cursor, READ_S)
                            yield Result(names, kinds.types, kinds.rows(rows))

                yield batches()
        finally:
            connection.close()

    def arrays(self, sql: str, values: Sequence[Any] = ()) -> dict[str, NDArray[Any]]:
        def work(connection: Connection) -> dict[str, NDArray[Any]]:
            with self._reading(connection, sql, values, None) as (cursor, _, _):
                found: dict[str, NDArray[Any]] = cursor.fetchnumpy()
                return found

        return self._attempted(work)

    def nearest(self, table: str, column: str, vector: Sequence[float], count: int) -> None:
        return None

    def write(self, work: Callable[[Transaction], T]) -> T:
        return self._shared.write(work)  # type: ignore[no-any-return]

    def close(self) -> None:
        """The store closes the instance."""
        self._watch.close()

    def _commit(self, works: Sequence[Callable[[Transaction], Any]]) -> Sequence[Any]:
        """All in one transaction."""
        results, named = self._attempted(lambda connection: _transacted(connection, works, self._numbers))
        self._commits += 1
        self._changes |= dict.fromkeys(named, self._commits)
        return results

    def _attempted(self, work: Callable[[Connection], T]) -> T:
        with _python_errors():
            return self._attempt(lambda connection: _on_cursor(connection, work), _tables_error)

    @contextmanager
    def _reading(
        self, connection: Connection, sql: str, values: Sequence[Any], relations: Relations | None
    ) -> Iterator[tuple[Connection, tuple[str, ...], converting.Kinds]]:
        """The statement, run in a transaction that cannot write: its cursor, names and types."""
        found = len(duckdb.extract_statements(sql))
        if found != 1:
            raise SQLError("One statement at a time.", why=f"These are {found}.")
        for name, columns in (relations or {}).items():
            connection.register(name, dict(columns))
        connection.execute("BEGIN TRANSACTION READ ONLY")
        bound = [converting.bound(value) for value in values]
        with self._watch.over(connection, READ_S):
            try:
                connection.execute(sql, bound)
                kinds = converting.Kinds.of(connection.description)
                if kinds.zoned:  # reading these would need pytz
                    connection.abort()
                    connection.execute(kinds.unzoned(sql), bound)
                yield connection, tuple(str(one[0]) for one in connection.description), kinds
            finally:
                with suppress(duckdb.Error):
                    connection.abort()
                    connection.execute("ROLLBACK")


class _Transaction:
    """See Transaction."""

    def __init__(self, connection: Connection, numbers: "_Numbers") -> None:
        self._connection = connection
        self._numbers = numbers
        self.named: set[str] = set()
        """Tables that statements which may write have named."""

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        if not sql.startswith("SELECT"):
            self.named.update(_NAMED.findall(sql))
        if DuckDBTables.next_number in sql:
            self._numbers.drop()
        self._connection.execute(sql, [converting.bound(value) for value in values])
        kinds = converting.Kinds.of(self._connection.description)
        return kinds.rows(self._connection.fetchall())

    def insert(self, table: str, columns: Mapping[str, tuple[Type, Sequence[Any]]]) -> None:
        rows = len(next(iter(columns.values()))[1]) if columns else 0
        if not rows:
            return
        self.named.update(_NAMED.findall(table))
        names = ", ".join(f'"{name}"' for name in columns)
        if rows <= _FEW_ROWS:
            self._insert_values(f"INSERT INTO {table} ({names})", columns, rows)
            return
        arrays, selected = {}, []
        for number, (type, values) in enumerate(columns.values()):
            arrays[f"c{number}"] = converting.array(type, values)
            selected.append(converting.selected(type, f"c{number}"))
        self._connection.register("hm_rows", arrays)
        try:
            self._connection.execute(
                f"INSERT INTO {table} ({names}) SELECT {', '.join(selected)} FROM hm_rows"
            ).fetchall()
        finally:
            with suppress(duckdb.Error):  # a transaction that has failed drops it by itself
                self._connection.unregister("hm_rows")

    def numbers(self, count: int) -> int:
        if self._numbers.left < count:
            taken = f"SELECT min(n) FROM (SELECT {DuckDBTables.next_number} AS n FROM range($1))"
            more = max(count, NUMBERS_AT_ONCE)
            first = int(self._connection.execute(taken, [more]).fetchall()[0][0])
            self._numbers.first, self._numbers.left = first, more
        return self._numbers.take(count)

    def _insert_values(self, insert: str, columns: Mapping[str, tuple[Type, Sequence[Any]]], rows: int) -> None:
        bound: list[Any] = []
        tuples = []
        for row in range(rows):
            places = []
            for type, values in columns.values():
                bound.append(converting.stored(type, values[row]))
                places.append(f"${len(bound)}::{converting.SQL_TYPES[type.kind]}")
            tuples.append(f"({', '.join(places)})")
        self._connection.execute(f"{insert} VALUES {', '.join(tuples)}", bound).fetchall()


class _Numbers:
    """Numbers taken from the database's sequence and not given yet: asking it takes longer than a row.

    Dropped where a transaction fails, for what that took is not durable; and where a statement asks the sequence
    itself, for those that come later must be larger.
    """

    def __init__(self) -> None:
        self.first = self.left = 0

    def take(self, count: int) -> int:
        """The first of `count`, of which there are enough."""
        given = self.first
        self.first, self.left = given + count, self.left - count
        return given

    def drop(self) -> None:
        """Whoever needs one asks the sequence."""
        self.left = 0


class _Watch:
    """Breaks off queries that take too long: one thread, which runs while there are any."""

    def __init__(self) -> None:
        self._until: dict[int, tuple[float, Connection]] = {}
        self._broken: set[int] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def over(self, cursor: Connection, seconds: float) -> Iterator[None]:
        """What runs on `cursor` inside is broken off after so long: TablesError."""
        key = id(cursor)
        with self._changed:
            self._until[key] = (time.monotonic() + seconds, cursor)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="queries", daemon=True)
                self._thread.start()
        try:
            yield
        except duckdb.InterruptException as exc:
            if key in self._broken:
                raise TablesError(
                    f"The query took longer than {seconds:g} s and was broken off.",
                    fix="Look at fewer rows, or stream them.",
                ) from exc
            raise
        finally:
            with self._changed:
                self._until.pop(key, None)
                self._broken.discard(key)

    def later(self, cursor: Connection, seconds: float) -> None:
        """It has given rows: its time begins anew."""
        with self._changed:
            if id(cursor) in self._until:
                self._until[id(cursor)] = (time.monotonic() + seconds, cursor)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for key, (until, cursor) in self._until.items():
                    if until <= now:
                        self._broken.add(key)
                        cursor.interrupt()
                self._changed.wait(1.0 if self._until else 30.0)
                if not self._until:
                    self._thread = None
                    return


def _all_rows(cursor: Connection) -> list[tuple[Any, ...]]:
    """TablesError: they have more than ANSWER_BYTES_MAX of text and places."""
    found: list[tuple[Any, ...]] = []
    size = 0
    while rows := cursor.fetchmany(_FETCHED_ROWS):
        found += rows
        size += len(rows) * len(rows[0]) * _VALUE_BYTES
        size += sum(len(value) for row in rows for value in row if isinstance(value, str))
        if size > ANSWER_BYTES_MAX:
            raise TablesError(
                f"The answer is larger than {ANSWER_BYTES_MAX // 1_000_000} MB.",
                why=f"Its first {len(found):,} rows are.",
                fix="Stream it, or ask for fewer rows or columns.",
            )
    return found


def _on_cursor(connection: Connection, work: Callable[[Connection], T]) -> T:
    with connection.cursor() as cursor:
        return work(cursor)


def _transacted(
    cursor: Connection, works: Sequence[Callable[[Transaction], Any]], numbers: _Numbers
) -> tuple[list[Any], set[str]]:
    """Their results, and the tables they may have written to."""
    try:
        with committed(cursor):
            tx = _Transaction(cursor, numbers)
            return [work(tx) for work in works], tx.named
    except BaseException:
        numbers.drop()
        raise


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the person's SQL or values did wrong as a TablesError; everything else as the store tells it."""
    with _python_errors(), translated(path, told=_tables_error):
        yield


@contextmanager
def _python_errors() -> Iterator[None]:
    try:
        yield
    except HivemindError:
        raise
    except (UnicodeError, OverflowError, TypeError, ValueError) as exc:
        raise WrongValue("A value cannot be stored.", why=f"{exc}.") from exc


def _tables_error(exc: duckdb.Error) -> StoreError | None:
    said = (str(exc).strip() or type(exc).__name__).splitlines()[0]
    wrong_sql = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, duckdb.SyntaxException)
    wrong_value = (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.TypeMismatchException)
    if isinstance(exc, wrong_sql):
        return SQLError("The statement cannot be run.", why=said)
    if isinstance(exc, (*wrong_value, duckdb.InvalidInputException, duckdb.ConstraintException)):
        return WrongValue("A value does not fit.", why=said)
    if isinstance(exc, duckdb.NotImplementedException) or "read-only" in said:
        return SQLError("The statement cannot be run here.", why=said)
    return None


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
