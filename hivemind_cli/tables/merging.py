"""The SQL of comparing two views of a table and of bringing the changes of one into a branch. `branches` has the rules.

A row is known by its primary key where the table has one, else by _hm_row. Numbers stand in the SQL as they are.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hivemind_cli.storage.tables import Tables, Transaction
from hivemind_cli.tables.catalog import TableInfo
from hivemind_cli.tables.history import NOW, Known, branch_of
from hivemind_cli.tables.layout import BRANCH, DELETED, ROW, SEQ, UNTIL, Lineage, quoted, visible

Rows = Callable[[str], list[tuple[Any, ...]]]
"""Runs a SELECT: `Transaction.run`, or the rows of `Tables.read`."""
_MANY = 2000
"""Versions from which on the database's planner has to know how many there are."""
_CHUNK = 500
"""Versions written by one statement, where they were chosen one by one."""
_S, _T, _S_ROW, _T_ROW, _BOTH = "_hm_s", "_hm_t", "_hm_s_row", "_hm_t_row", "_hm_both"
_NULL = "CAST(NULL AS BIGINT)"


@dataclass(frozen=True, slots=True)
class View:
    """What a branch, or a point of its past, sees and knows."""

    lineage: Lineage
    known: Known


@dataclass(frozen=True, slots=True)
class Base:
    """What was seen of a row at one of the points behind both branches."""

    seq: int | None
    """Of the version; None: there was no such row."""
    event: int
    """Number of what last happened to the row there, a delete too; 0: nothing ever."""
    source_same: bool
    """The row on the source equals this."""
    into_same: bool


@dataclass(frozen=True, slots=True)
class Contested:
    """A row that two branches changed, each without knowing of the other's change, and not alike."""

    source_seq: int | None
    """Of the version; None: it is gone there."""
    source_row: int | None
    into_seq: int | None
    into_row: int | None
    source_event: int
    """Number of what last happened to it there."""
    into_event: int
    bases: tuple[Base, ...] = ()


@dataclass(frozen=True, slots=True)
class Writing:
    """One version to be written: a copy of another one."""

    copy: int
    row: int | None
    """None: a new one."""
    gone: bool
    """It is the mark of a delete."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not the same in both views."""

    source_seq: int | None
    """None: it is not there."""
    into_seq: int | None
    source_changed: bool
    """Since the newest point behind both."""
    into_changed: bool


class Comparison:
    """Two views of one table: `source`, and `into`, which may receive what the source changed.

    With `since`, a point of the past of `into`, `source` is that past, and what `into` changed since is taken back.
    """

    def __init__(self, engine: Tables, table: TableInfo, source: View, into: View, since: Known | None = None) -> None:
        self._engine = engine
        self._table = table
        self._physical = engine.qualified(table.physical)
        self._source = source
        self._into = into
        self._ident = ", ".join(quoted(name) for name in table.key) or ROW
        self._apart = False
        """Nothing that the source changed was changed by `into`; False: nobody has looked."""
        if since is None:
            self._by_source = _touched(source.lineage, into.known)
            self._by_into = _touched(into.lineage, source.known)
        else:
            self._by_source, self._by_into = _touched(into.lineage, since), "FALSE"

    def any(self, rows: Rows) -> bool:
        """There is something to look at. The one question asked of most tables."""
        return bool(rows(f"SELECT 1 FROM {self._physical} WHERE {self._by_source} LIMIT 1"))

    def measure(self, tx: Transaction) -> None:
        """PostgreSQL plans by statistics that come a minute late: 20,000 new rows took longer than that, and 0.4 s
        with them (measured). Making them takes 30 ms."""
        many = f"SELECT count(*) FROM (SELECT 1 FROM {self._physical} WHERE {self._by_source} LIMIT {_MANY}) AS hm_m"
        if self._engine.dialect == "postgres" and tx.run(many)[0][0] >= _MANY:
            tx.run(f"ANALYZE {self._physical}")

    def contested(self, rows: Rows, bases: Sequence[View]) -> list[Contested]:
        """Rows that both changed and that are not equal, oldest first; their `bases` in the order given."""
        self._apart = not self._met(rows)
        if self._apart:
            return []
        parts = [*self._joined(), f"hm_c AS ({self._unequal(f'{_BOTH} IS NOT NULL')})"]
        sources = [
            "hm_c",
            self._versions("hm_vs", "hm_c", _S),
            self._versions("hm_vt", "hm_c", _T),
        ]
        columns = [_S, _S_ROW, _T, _T_ROW]
        for name, view in (("hm_es", self._source), ("hm_et", self._into)):
            parts.append(f"{name} AS ({self._events(view.lineage)})")
            sources.append(f"LEFT JOIN {name} ON {self._same_ident('hm_c', name)}")
            columns.append(f"{name}.hm_event")
        for number, base in enumerate(bases):
            seen, event, version = f"hm_b{number}", f"hm_e{number}", f"hm_v{number}"
            parts.append(f"{seen} AS ({self._seen(base.lineage, 'hm_c', 'hm_at', 'hm_at_row')})")
            parts.append(f"{event} AS ({self._events(base.lineage)})")
            sources += [f"LEFT JOIN {name} ON {self._same_ident('hm_c', name)}" for name in (seen, event)]
            sources.append(self._versions(version, seen, "hm_at"))
            columns += [f"{version}.{SEQ}", f"{event}.hm_event"]
            columns += [self._same("hm_vs", version), self._same("hm_vt", version)]
        found = rows(f"WITH {', '.join(parts)} SELECT {', '.join(columns)} FROM {' '.join(sources)}")
        return sorted(map(_contested, found), key=lambda one: (one.source_event, one.into_event))

    def _met(self, rows: Rows) -> bool:
        """Both changed the same row. Mostly not, and to plan the query for what follows takes 20 ms (measured)."""
        theirs = f"SELECT {self._ident} FROM {self._physical} WHERE {self._by_into}"
        where = f"{self._by_source} AND ({self._ident}) IN ({theirs})"
        return self._by_into != "FALSE" and bool(rows(f"SELECT 1 FROM {self._physical} WHERE {where} LIMIT 1"))

    def differences(self, rows: Rows) -> list[Difference]:
        """Rows that are not the same, oldest version first."""
        sides = [
            f"SELECT {self._ident}, {number} AS hm_of FROM {self._physical} WHERE {condition}"
            for number, condition in enumerate((self._by_source, self._by_into))
        ]
        by = [f"max(CASE WHEN hm_of = {number} THEN 1 ELSE 0 END) AS hm_by{number}" for number in (0, 1)]
        either = (
            f"hm_x AS (SELECT {self._ident}, {', '.join(by)} FROM ({' UNION ALL '.join(sides)}) AS hm_u"
            f" GROUP BY {self._ident})"
        )
        parts = [either, *self._both_seen(), f"hm_j AS (SELECT * FROM hm_x {self._with('hm_sv', 'hm_tv')})"]
        unequal = self._unequal("TRUE", f"{_S}, {_T}, hm_by0, hm_by1")
        found = rows(f"WITH {', '.join(parts)} {unequal}")
        made = [Difference(source, into, bool(left), bool(right)) for source, into, left, right in found]
        return sorted(made, key=lambda one: max(one.source_seq or 0, one.into_seq or 0))

    def apply(self, tx: Transaction, branch: int, first: int, decided: Sequence[Writing] = ()) -> int:
        """What only the source changed, and what was decided, become versions on `branch`; how many.

        first   a number given in this transaction: from there on what stood on the branch before does no more
        """
        if self._apart and not decided and (new := self._all_new(tx)):
            self._copy_new(tx, branch)
            return new
        taken = f"hm_c AS ({self._unequal(f'{_BOTH} IS NULL')})"
        row = f"COALESCE({_T_ROW}, {_NULL if self._table.key else _S_ROW})"
        wanted = f"SELECT COALESCE({_S}, {_T}) AS hm_copy, {row} AS hm_row, {_S} IS NULL AS hm_gone FROM hm_c"
        self._write(tx, branch, f"WITH {', '.join([*self._joined(), taken])}, hm_w AS ({wanted})")
        for chunk in _chunks(decided):
            values = ", ".join(_literal(one) for one in chunk)
            self._write(tx, branch, f"WITH hm_w (hm_copy, hm_row, hm_gone) AS (VALUES {values})")
        written = f"SELECT {ROW} FROM {self._physical} WHERE {BRANCH} = {branch} AND {SEQ} > {first}"
        tx.run(
            f"UPDATE {self._physical} SET {UNTIL} = {first} WHERE {BRANCH} = {branch} AND {UNTIL} IS NULL"
            f" AND {SEQ} < {first} AND {ROW} IN ({written})"
        )
        return int(tx.run(f"SELECT count(*) FROM ({written}) AS hm_n")[0][0])

    def _all_new(self, tx: Transaction) -> int:
        """How many rows the source changed; 0: not all of them are new ones, made there."""
        new = f"{BRANCH} = {self._source.lineage[0].branch} AND {ROW} = {SEQ} AND {UNTIL} IS NULL AND NOT {DELETED}"
        said = f"SELECT count(*), count(CASE WHEN {new} THEN 1 END) FROM {self._physical} WHERE {self._by_source}"
        rows, of_them = tx.run(said)[0]
        return int(rows) if rows == of_them else 0

    def _copy_new(self, tx: Transaction, branch: int) -> None:
        """What only new rows need: to plan the query for all that can happen takes 15 ms (measured)."""
        names = ", ".join(quoted(name) for name in self._table.names)
        row = self._engine.next_number if self._table.key else ROW
        tx.run(
            f"INSERT INTO {self._physical} ({names}, {SEQ}, {ROW}, {BRANCH}, {UNTIL}, {DELETED})"
            f" SELECT {names}, {self._engine.next_number}, {row}, {branch}, {_NULL}, FALSE"
            f" FROM {self._physical} WHERE {self._by_source} ORDER BY {SEQ}"
        )

    def _write(self, tx: Transaction, branch: int, wanted: str) -> None:
        """wanted: WITH that makes hm_w (hm_copy, hm_row, hm_gone)."""
        names = [quoted(name) for name in self._table.names]
        fresh = self._engine.next_number
        hidden = {
            SEQ: fresh,
            ROW: f"COALESCE(hm_w.hm_row, {fresh})",
            BRANCH: str(branch),
            UNTIL: _NULL,
            DELETED: "hm_w.hm_gone",
        }
        copied = ", ".join([*(f"hm_v.{name}" for name in names), *hidden.values()])
        tx.run(
            f"INSERT INTO {self._physical} ({', '.join([*names, *hidden])}) {wanted}"
            f" SELECT {copied} FROM hm_w JOIN (SELECT * FROM {self._physical}"
            f" WHERE {SEQ} IN (SELECT hm_copy FROM hm_w)) AS hm_v ON hm_v.{SEQ} = hm_w.hm_copy"
        )

    def _joined(self) -> list[str]:
        """hm_j: each row that the source changed, its version in either view, and whether `into` changed it, too."""
        return [
            f"hm_x AS (SELECT DISTINCT {self._ident} FROM {self._physical} WHERE {self._by_source})",
            f"hm_y AS (SELECT DISTINCT {self._ident}, 1 AS {_BOTH} FROM {self._physical} WHERE {self._by_into})",
            *self._both_seen(),
            f"hm_j AS (SELECT * FROM hm_x {self._with('hm_sv', 'hm_tv', 'hm_y')})",
        ]

    def _both_seen(self) -> list[str]:
        return [
            f"hm_sv AS ({self._seen(self._source.lineage, 'hm_x', _S, _S_ROW)})",
            f"hm_tv AS ({self._seen(self._into.lineage, 'hm_x', _T, _T_ROW)})",
        ]

    def _with(self, *names: str) -> str:
        return " ".join(f"LEFT JOIN {name} USING ({self._ident})" for name in names)

    def _seen(self, lineage: Lineage, within: str, seq: str, row: str) -> str:
        """The visible versions of the rows in `within`."""
        seen = visible(self._physical, self._table.key, lineage)
        return (
            f"SELECT {self._ident}, hm_s.{SEQ} AS {seq}, hm_s.{ROW} AS {row} FROM ({seen}) AS hm_s"
            f" JOIN (SELECT {self._ident} FROM {within}) AS hm_r USING ({self._ident})"
        )

    def _events(self, lineage: Lineage) -> str:
        """Of each row in hm_c, the number of what last happened to it: a version's, or one's end."""
        begun, ended = [], []
        for level in lineage:
            until = NOW if level.until_seq is None else level.until_seq
            begun.append(f"({BRANCH} = {level.branch} AND {SEQ} <= {until})")
            ended.append(f"({BRANCH} = {level.branch} AND {UNTIL} <= {until})")
        both = " UNION ALL ".join(
            f"SELECT {self._ident}, {number} AS hm_n FROM {self._physical} WHERE {' OR '.join(condition)}"
            for number, condition in ((SEQ, begun), (UNTIL, ended))
        )
        return (
            f"SELECT {self._ident}, max(hm_n) AS hm_event FROM ({both}) AS hm_u"
            f" JOIN (SELECT {self._ident} FROM hm_c) AS hm_r USING ({self._ident}) GROUP BY {self._ident}"
        )

    def _unequal(self, condition: str, columns: str = "hm_j.*") -> str:
        """The rows of hm_j whose two versions do not say the same."""
        return (
            f"SELECT {columns} FROM hm_j {self._versions('hm_vs', 'hm_j', _S)} {self._versions('hm_vt', 'hm_j', _T)}"
            f" WHERE {condition} AND NOT {self._same('hm_vs', 'hm_vt')}"
        )

    def _versions(self, name: str, of: str, number: str) -> str:
        """JOIN of the versions that `of`.`number` names: chosen first, or the database may hash the whole table."""
        chosen = f"SELECT * FROM {self._physical} WHERE {SEQ} IN (SELECT {number} FROM {of})"
        return f"LEFT JOIN ({chosen}) AS {name} ON {name}.{SEQ} = {of}.{number}"

    def _same(self, left: str, right: str) -> str:
        equal = [f"({left}.{SEQ} IS NULL) = ({right}.{SEQ} IS NULL)"]
        equal += [f"{left}.{quoted(one)} IS NOT DISTINCT FROM {right}.{quoted(one)}" for one in self._table.names]
        return f"({' AND '.join(equal)})"

    def _same_ident(self, left: str, right: str) -> str:
        return " AND ".join(f"{left}.{name} = {right}.{name}" for name in self._ident.split(", "))


def tops(one: Contested, points: Sequence[View]) -> list[Base]:
    """The bases of a row that no other one knows of and has changed again. `points`: the bases' views, in order."""
    found = []
    for base, view in zip(one.bases, points, strict=True):
        branch = branch_of(base.event, view.lineage)
        if not any(
            other.event != base.event and other_view.known.get(branch, -1) >= base.event
            for other, other_view in zip(one.bases, points, strict=True)
            if other is not base
        ):
            found.append(base)
    return found


def decided(one: Contested, points: Sequence[View], policy: str) -> tuple[Writing | None, bool]:
    """What has to be written for a contested row, and whether it is a conflict.

    A side that equals what both began with has changed nothing. No conflict, then: the other side is right.
    """
    bases = tops(one, points)
    if bases and all(base.source_same for base in bases):
        return None, False
    if bases and all(base.into_same for base in bases):
        return _taking(one), False
    theirs = policy == "theirs" or (policy == "newest" and one.source_event > one.into_event)
    return (_taking(one) if theirs else _keeping(one)), True


def _taking(one: Contested) -> Writing:
    if one.source_seq is None:
        assert one.into_seq is not None, "two absent rows are equal"
        return Writing(one.into_seq, one.into_row, gone=True)
    return Writing(one.source_seq, one.into_row, gone=False)


def _keeping(one: Contested) -> Writing:
    """Written again, so that it is known to have been decided."""
    if one.into_seq is None:
        assert one.source_seq is not None, "two absent rows are equal"
        return Writing(one.source_seq, None, gone=True)
    return Writing(one.into_seq, one.into_row, gone=False)


def _touched(lineage: Lineage, known: Known) -> str:
    """SQL: a version of `lineage` that began or ended without `known` knowing of it."""
    parts = []
    for level in lineage:
        after = known.get(level.branch, -1)
        until = NOW if level.until_seq is None else level.until_seq
        if after < until:
            within = [f"({one} > {after} AND {one} <= {until})" for one in (SEQ, UNTIL)]
            parts.append(f"({BRANCH} = {level.branch} AND ({' OR '.join(within)}))")
    return f"({' OR '.join(parts)})" if parts else "FALSE"


def _contested(row: tuple[Any, ...]) -> Contested:
    source_seq, source_row, into_seq, into_row, source_event, into_event, *rest = row
    bases = [rest[at : at + 4] for at in range(0, len(rest), 4)]
    return Contested(
        source_seq,
        source_row,
        into_seq,
        into_row,
        source_event or 0,
        into_event or 0,
        tuple(Base(seq, event or 0, bool(mine), bool(theirs)) for seq, event, mine, theirs in bases),
    )


def _chunks(decided: Sequence[Writing]) -> Iterator[Sequence[Writing]]:
    for start in range(0, len(decided), _CHUNK):
        yield decided[start : start + _CHUNK]


def _literal(one: Writing) -> str:
    row = _NULL if one.row is None else str(one.row)
    return f"({one.copy}, {row}, {'TRUE' if one.gone else 'FALSE'})"
