"""What a SQL engine does between BEGIN and COMMIT: append, move a cursor, prune. Written for DuckDB's SQL.

It imports no engine: duckdb.py gives it a connection, begins, and commits or rolls back.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from hivemind_cli.core.records import (
    Correction,
    Event,
    GateSkip,
    Notice,
    Outcome,
    Recall,
    Record,
    SkillCheck,
    SkillRevision,
    Tombstone,
)
from hivemind_cli.storage.admission import BURIED_WITH, Known, admit, native_key
from hivemind_cli.storage.forgetting import OF_SESSION, fallout, silenced
from hivemind_cli.storage.schema import Table, from_values, table_of, to_values
from hivemind_cli.storage.sql import SQL_TYPES, any_of, names_of, native_hash

R = TypeVar("R", bound=Record)

_INSERT_ROWS = 1000
"""Rows in one INSERT; lists of values are 16 times as fast as a statement a row (measured)."""


class Connection(Protocol):
    """An open connection: values are bound as `?`, what comes back can be fetched."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Any:
        """Run one statement; its result has `fetchone` and `fetchall`."""


class Transaction:
    """What can be done between BEGIN and COMMIT."""

    def __init__(self, connection: Connection, last_seq: dict[str, int], gone: set[str]) -> None:
        self._connection = connection
        self.last_seq = last_seq
        self.gone = gone
        self.inserted: list[tuple[type[Record], int, list[tuple[Any, ...]]]] = []
        """Record type, first seq, and rows as `to_values` made them."""

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

    def move_cursor(self, stage: str, to: int) -> None:
        """Its store knows where it stood."""
        row = self._connection.execute("UPDATE cursors SET position = ? WHERE stage = ?", [to, stage]).fetchone()
        if not row or not row[0]:
            self._connection.execute("INSERT INTO cursors VALUES (?, ?)", [stage, to])

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
            checks=self._all(SkillCheck),
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
        skills = [one.skill_id for one in records if isinstance(one, SkillRevision)]
        if skills:
            versions = self._lookup("skill_revision", "skill_id, version", "skill_id", "VARCHAR", skills)
            known.versions.update((row[0], row[1]) for row in versions)
        return known

    def _lookup(self, table: str, columns: str, key: str, sql_type: str, wanted: Sequence[Any]) -> list[Any]:
        if not self.last_seq[table]:
            return []
        condition, parameters = any_of(key, sql_type, list(dict.fromkeys(wanted)))
        found = self._connection.execute(f"SELECT {columns} FROM {table} WHERE {condition}", parameters).fetchall()
        return list(found)

    def _insert(self, table: Table, records: Sequence[Record]) -> None:
        first = self.last_seq[table.name] + 1
        last = self.last_seq[table.name] = first + len(records) - 1
        names = [f'"{name}"' for name in table.columns]
        sql_types = [SQL_TYPES[column.type] for column in table.columns.values()]
        rows = [to_values(record) for record in records]
        self.inserted.append((table.kind, first, rows))
        columns = list(zip(*rows, strict=True))
        if table.kind is Event:
            names.append("native_hash")
            sql_types.append("BIGINT")
            columns.append(tuple(native_hash(native_key(event)) for event in records if isinstance(event, Event)))
        given, values = [f"unnest(range({first}, {last + 1}))"], []
        for sql_type, column in zip(sql_types, columns, strict=True):
            same = column.count(column[0]) == len(column)  # as workspace, person and host of a flood are
            given.append(f"?::{sql_type}" if same else f"unnest(?::{sql_type}[])")
            values.append(column[0] if same else list(column))
        self._connection.execute(
            f"INSERT INTO {table.name} (seq, {', '.join(names)}) SELECT {', '.join(given)}", values
        )

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
