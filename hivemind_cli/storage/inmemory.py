"""The reference engine: lists in memory. What `InMemoryStore` does is what `Store` means."""

import threading
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

from hivemind_cli.core.errors import StoreError
from hivemind_cli.core.records import (
    RECORD_TYPES,
    Correction,
    GateSkip,
    Notice,
    Outcome,
    Recall,
    Record,
    SkillCheck,
    SkillRevision,
)
from hivemind_cli.storage.admission import Known, admit, checked_tombstone, cursor_moved
from hivemind_cli.storage.base import Row
from hivemind_cli.storage.forgetting import OF_SESSION, fallout, silenced
from hivemind_cli.storage.schema import accepted, naive_utc, normalised, table_of

R = TypeVar("R", bound=Record)


class InMemoryStore:
    """A store that lives as long as the object. Public: test with it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._rows: dict[type[Any], list[Row[Record]]] = {kind: [] for kind in RECORD_TYPES}
        self._last_seq = dict.fromkeys(RECORD_TYPES, 0)
        self._cursors: dict[str, int] = {}
        self._known = Known()
        self._closed = False

    @classmethod
    def open(cls, path: Path, *, memory_mb: int) -> "InMemoryStore":
        """An empty store; `path` and `memory_mb` mean nothing to it."""
        return cls()

    def __repr__(self) -> str:
        return f"InMemoryStore({sum(map(len, self._rows.values()))} records)"

    def __enter__(self) -> "InMemoryStore":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def append(self, records: Sequence[Record]) -> int:
        plain = [normalised(record) for record in records]
        with self._lock:
            self._check_open()
            return self._append(plain)

    def commit(self, stage: str, outputs: Sequence[Record], *, cursor_from: int, cursor_to: int) -> int:
        plain = [normalised(record) for record in outputs]
        with self._lock:
            self._check_open()
            current = self._cursors.get(stage, 0)
            if current != cursor_from:
                raise cursor_moved(stage, expected=cursor_from, current=current)
            stored = self._append(plain)
            self._cursors[stage] = cursor_to
            return stored

    def cursor(self, stage: str) -> int:
        with self._lock:
            self._check_open()
            return self._cursors.get(stage, 0)

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
        wanted = {name: set(accepted(kind, name, value)) for name, value in equals.items()}
        start = naive_utc(since) if since else None
        with self._lock:
            self._check_open()
            rows = self._rows[kind]
            first = bisect_right(rows, after, key=lambda row: row.seq)
            last = len(rows) if until is None else bisect_right(rows, until, key=lambda row: row.seq)
            rows = rows[first:last]
        found = (
            row
            for row in (reversed(rows) if newest_first else rows)
            if (start is None or naive_utc(row.record.occurred_at) >= start)
            and all(table.column(name).value(getattr(row.record, name)) in values for name, values in wanted.items())
        )
        return cast("list[Row[R]]", list(islice(found, None if limit is None else max(limit, 0))))

    def count(self, kind: type[R], /, *, since: datetime | None = None, **equals: Any) -> int:
        return len(self.find(kind, since=since, **equals))

    def prune(self, host: str, session_id: str, tombstone: Record, *, bury: bool = True) -> int:
        plain = normalised(checked_tombstone(host, session_id, tombstone))
        with self._lock:
            self._check_open()
            gone = {row.record.id for row in self._of_session(Correction, host, session_id)}
            recalls = {row.record.id for row in self._rows[Recall]}
            pruned_recalls = {row.record.id for row in self._of_session(Recall, host, session_id)}
            outcomes = [
                row
                for row in self._rows[Outcome]
                if isinstance(row.record, Outcome)
                and (
                    row.record.recall_id in pruned_recalls
                    or row.record.subject_id in gone
                    or (row.record.session_id == session_id and row.record.recall_id not in recalls)
                )
            ]
            deleted = self._delete(Outcome, outcomes)
            for kind in OF_SESSION:
                deleted += self._delete(kind, self._of_session(kind, host, session_id))
            fallen = fallout(
                gone,
                session_id,
                plain.occurred_at,
                revisions=[row.record for row in self.find(SkillRevision)],
                skips=[row.record for row in self.find(GateSkip)],
                notices=[row.record for row in self.find(Notice)],
                checks=[row.record for row in self.find(SkillCheck)],
            )
            for fallen_kind, ids in fallen.deleted.items():
                deleted += self._delete(fallen_kind, self.find(fallen_kind, id=ids))
            told = [Row(row.seq, silenced(row.record, gone | fallen.skills)) for row in self.find(Recall)]
            self._rows[Recall] = cast("list[Row[Record]]", told)
            self._known = Known(gone=self._known.gone | gone)
            for rows in self._rows.values():
                self._known.add(row.record for row in rows)
            self._append([*([plain] if bury else []), *fallen.added])
            return deleted

    def rest(self) -> None:
        """Nothing to tidy."""

    def close(self) -> None:
        with self._lock:
            self._closed = True

    def _append(self, records: Sequence[Record]) -> int:
        fresh = admit(records, self._known)
        for record in fresh:
            kind = type(record)
            self._last_seq[kind] += 1
            self._rows[kind].append(Row(self._last_seq[kind], record))
        return len(fresh)

    def _of_session(self, kind: type[R], host: str, session_id: str) -> list[Row[R]]:
        return self.find(kind, host=host, session_id=session_id)

    def _delete(self, kind: type[Any], rows: Sequence[Row[Any]]) -> int:
        gone = {row.seq for row in rows}
        # A new list: readers may still walk the old one.
        self._rows[kind] = [row for row in self._rows[kind] if row.seq not in gone]
        return len(gone)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("This store is closed.")
