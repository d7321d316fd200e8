"""Hosts that keep their sessions in an SQLite database: opened to read, never to write, and read row by row.

A session in a file of many is named `file#id` (see hosts.base.Reader); the id is quoted, so it holds neither # nor /.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from hivemind_cli.hosts.base import Seen, reading
from hivemind_cli.hosts.jsonlines import STRANGE, own_files

FIELD_BYTES_MAX = 16_000_000
"""A longer field is read as None: it is no message."""
BUSY_MS = 2_000
_MAGIC = b"SQLite format 3\x00"
_WAL = b"\x02\x02"
"""Bytes 18 and 19 of a database that keeps a write-ahead log."""

Row = dict[str, Any]
Listed = Callable[[sqlite3.Connection], Sequence[tuple[str, str]]]
"""(id, id of the session it is a subagent of or "") of a database's sessions, oldest first; () of another host's."""


def named(file: Path, session_id: str) -> Path:
    """The name of one session in a file of many."""
    return file.with_name(f"{file.name}#{quote(session_id, safe='')}")


def unnamed(path: Path) -> tuple[Path, str]:
    """File and session id of a name; the id is "" for the file itself."""
    name, mark, session_id = path.name.rpartition("#")
    return (path.with_name(name), unquote(session_id)) if mark and name else (path, "")


def families(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Ids of (id, parent's id or "") in their order, but each followed by its children. A ring of parents is cut."""
    ids = {one for one, _ in pairs}
    children: dict[str, list[str]] = {}
    for one, parent in pairs:
        children.setdefault(parent if parent in ids and parent != one else "", []).append(one)
    ordered: dict[str, None] = {}
    for first in (*children.get("", ()), *(one for one, _ in pairs)):
        waiting = [first]
        while waiting:
            one = waiting.pop()
            if one not in ordered:
                ordered[one] = None
                waiting.extend(reversed(children.get(one, ())))
    return list(ordered)


def sessions(path: Path, listed: Listed) -> tuple[Path, ...]:
    """The sessions of a database, each followed by its subagents'; a name of one session is itself. OSError."""
    file, session_id = unnamed(path)
    if file.suffix != ".db" or not is_database(file):
        return ()
    with opened(file) as database:
        ids = families(listed(database))
    return tuple(named(file, one) for one in ids if session_id in ("", one))


def claimed(path: Path, listed: Listed) -> tuple[Path, ...]:
    """As `sessions`; () if the database cannot be read. Never raises."""
    try:
        return sessions(path, listed)
    except OSError:
        return ()


def found(files: Iterable[Path], root: Path, listed: Listed) -> Iterator[Path]:
    """The sessions of those files that lie under the host's own root.

    A database that cannot be read stands for its sessions: whoever reads it is told why.
    """
    for file in own_files(files, root.resolve()):
        try:
            held = sessions(file, listed)
        except OSError:
            held = (file,)
        yield from held


def is_database(path: Path) -> bool:
    """Does the file begin as an SQLite database does? Never raises."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except (OSError, ValueError):
        return False


def shown(feed: Callable[..., Iterable[Seen]], *values: Any) -> list[Seen]:
    """What `feed` sees in one row; nothing of a row that is not as its host writes it, which is told."""
    try:
        return list(feed(*values))
    except STRANGE:
        reading().skipped["message torn or strange"] += 1
        return []


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The database, read-only. OSError: it is none, is damaged or locked, or changed under our hands.

    A database in use is read through its own log. One that is closed, but set to keep a log, would get a log and an
    index beside it from any ordinary reader: it is read as immutable instead, and its size and time are compared
    before and after.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there.")
    if not is_database(path):
        raise OSError(f"{path} is no SQLite database. Is it another program's file, or damaged?")
    immutable = _closed_with_log(path)
    stamp = _stamp(path)
    try:
        connection = _connect(path, immutable=immutable)
        try:
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as fault:
        raise OSError(_reason(path, fault)) from fault
    if immutable and _stamp(path) != stamp:
        raise OSError(f"{path} was written to while it was read. Its program is running: import it again.")


def columns(connection: sqlite3.Connection, table: str) -> frozenset[str]:
    """The table's columns; none if there is no such table. `table` is one of ours, never a person's text."""
    return frozenset(str(row[1]) for row in connection.execute(f'PRAGMA table_info("{table}")'))


def rows(
    connection: sqlite3.Connection, table: str, wanted: Sequence[str], rest: str = "", values: Sequence[Any] = ()
) -> Iterator[Row]:
    """Rows with the wanted columns, one at a time; a column that this version has not is None. `rest`: WHERE, ORDER."""
    there = columns(connection, table)
    picked = ", ".join(
        f'CASE WHEN length("{name}") <= {FIELD_BYTES_MAX} THEN "{name}" END' if name in there else "NULL"
        for name in wanted
    )
    if there:
        for row in connection.execute(f'SELECT {picked} FROM "{table}" {rest}', tuple(values)):
            yield dict(zip(wanted, row, strict=True))


def _connect(path: Path, *, immutable: bool) -> sqlite3.Connection:
    """Open, and read a first page: sqlite finds out late what is wrong with a file."""
    uri = f"file:{quote(os.fsencode(path))}?mode=ro"
    if immutable:
        return _try(f"{uri}&immutable=1")
    try:
        return _try(uri)
    except sqlite3.OperationalError as fault:
        if getattr(fault, "sqlite_errorname", "") not in ("SQLITE_CANTOPEN", "SQLITE_READONLY_CANTINIT"):
            raise
        return _try(f"{uri}&immutable=1")  # a folder we may not write to, with a log but no index beside it


def _try(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_MS / 1000, isolation_level=None)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _closed_with_log(path: Path) -> bool:
    with path.open("rb") as file:
        keeps_log = file.read(20)[18:20] == _WAL
    log = path.with_name(f"{path.name}-wal")
    return keeps_log and not log.exists()


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _reason(path: Path, fault: sqlite3.Error) -> str:
    if getattr(fault, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"{path} is locked by its program. Close that program, or import again later."
    return f"{path} cannot be read: {fault}. It may be damaged, or of a version we do not know."
