"""The newest rows of each table, and which sessions are young, in memory: what stages always ask needs no query.

A row is kept as the engine holds it, so that what is read here is what a query would give.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hivemind_cli.core.errors import StoreError
from hivemind_cli.core.records import Event
from hivemind_cli.storage.schema import accepted, naive_utc, table_of

Values = tuple[Any, ...]
"""As `schema.to_values` makes them of a record."""

ROWS_MAX = 1000
"""Of one table."""
CHARS_MAX = 2_000_000
"""... and of their texts."""


@dataclass(frozen=True, slots=True)
class _Newest:
    """Of one table all rows from seq `start` on, without a gap. Never changed, only replaced."""

    start: int
    rows: Sequence[Values] = ()
    sizes: Sequence[int] = ()
    """Characters of each."""

    @property
    def next(self) -> int:
        """The seq of the row that comes next."""
        return self.start + len(self.rows)

    def and_then(self, added: Sequence[Values]) -> "_Newest":
        rows = [*self.rows, *added][-ROWS_MAX:]
        sizes = [*self.sizes, *map(_chars, added[-ROWS_MAX:])][-ROWS_MAX:]
        chars, first = sum(sizes), 0
        while chars > CHARS_MAX:
            chars -= sizes[first]
            first += 1
        return _Newest(self.next + len(added) - len(rows) + first, rows[first:], sizes[first:])


class Tail:
    """Kept up by the one who writes, after each commit and under its lock; any thread may read."""

    def __init__(self, sessions: Callable[[], Iterable[tuple[str, str]]]) -> None:
        """`sessions` gives (host, session_id) of every stored event; asked once, and again after `forget`."""
        self._sessions = sessions
        self._tables: dict[type[Any], _Newest] = {}
        self._old: set[int] | None = None
        """Hashes of sessions that may have events before those kept here; None: of all."""
        self._young: dict[int, int] = {}
        """Hash of any other session -> the seq of its first event, in this order."""

    def add(self, kind: type[Any], first: int, rows: Sequence[Values]) -> None:
        """These rows were committed, with seqs from `first` on."""
        newest = self._tables.get(kind)
        if newest is None or newest.next != first:
            newest = _Newest(first)
        newest = newest.and_then(rows)
        if kind is Event:
            self._note(first, rows, newest.start)
        self._tables[kind] = newest

    def forget(self) -> None:
        """Rows were deleted or changed, or what was committed is not certain."""
        self._old = None
        self._young = {}
        self._tables = {}

    def rows(
        self,
        kind: type[Any],
        equals: Mapping[str, Any],
        *,
        after: int = 0,
        until: int | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> list[tuple[int, Values]] | None:
        """(seq, row) of what Store.find is asked; None where some of it may lie further back."""
        newest = self._tables.get(kind)
        if newest is None:
            return None
        begun = self._begun(equals, newest) if kind is Event else None
        whole = after >= newest.start - 1 or begun is not None
        if not whole and (limit is None or not newest_first):
            return None
        names = list(table_of(kind).columns)
        wanted = [(names.index(name), set(accepted(kind, name, value))) for name, value in equals.items()]
        at, start = names.index("occurred_at"), naive_utc(since) if since else None
        most = len(newest.rows) if limit is None else max(limit, 0)
        low = max(after + 1, newest.start, begun or 0)
        high = newest.next if until is None else min(until + 1, newest.next)
        found: list[tuple[int, Values]] = []
        for seq in reversed(range(low, high)) if newest_first else range(low, high):
            if len(found) >= most:
                break
            row = newest.rows[seq - newest.start]
            if all(row[place] in values for place, values in wanted) and (start is None or row[at] >= start):
                found.append((seq, row))
        return found if whole or len(found) == most else None

    def _note(self, first: int, rows: Sequence[Values], start: int) -> None:
        """Whose events these are, and whose are not all kept any more."""
        if self._old is None:
            with suppress(StoreError):  # the rows are stored all the same; the next ones ask again
                self._old = {hash(session) for session in self._sessions()}
            return
        names = list(table_of(Event).columns)
        host, session_id = names.index("host"), names.index("session_id")
        for seq, row in enumerate(rows, first):
            session = hash((row[host], row[session_id]))
            if session not in self._old:
                self._young.setdefault(session, seq)
        grown = []
        for session, seq in self._young.items():
            if seq >= start:
                break
            grown.append(session)
        self._old.update(grown)  # before the rows go: who reads meanwhile must not miss them
        for session in grown:
            del self._young[session]

    def _begun(self, equals: Mapping[str, Any], newest: _Newest) -> int | None:
        """The seq from which on the one session asked for may have events, where all of these are kept; else None."""
        host, session_id, old = equals.get("host"), equals.get("session_id"), self._old
        if old is None or not isinstance(host, str) or not isinstance(session_id, str):
            return None
        (host,), (session_id,) = accepted(Event, "host", host), accepted(Event, "session_id", session_id)
        session = hash((host, session_id))
        begun = self._young.get(session, newest.next)
        return None if session in old else begun


def _chars(row: Values) -> int:
    return sum(len(value) for value in row if isinstance(value, str))
