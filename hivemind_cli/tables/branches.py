"""Branches of a workspace's tables: create, compare, merge, roll back.

A branch is one row of hm_branches: its parent, and the number (`_hm_seq`) at which it left it. It sees what it wrote
itself over what its parent had at that number, and so on up to main. What happens on the parent later is not seen.
Schemas belong to the workspace: a table or column made after the fork is there on every branch, empty; a table that is
dropped is gone from every branch, and no roll back brings it back.

What a row is. With a primary key, the key: two branches that insert the same key wrote the same row, and a row whose
key is changed is one row less and another one more. Without one, the row: it is the same row on every branch that sees
it, whatever its columns say, and rows that two branches insert are two rows, however alike.

Merge. As in git, a branch at a number stands for all that happened on it before, on its parent before the fork, and on
the branches merged into it before they were (see history.py). Of every row one asks what last happened to it, an
insert, an update or a delete, on either side:

- The target knows of what happened on the source: it stays as it is.
- The source knows of what happened on the target, and the target not of what happened on the source: the source's
  version is written, or its delete.
- Neither knows of the other's. If both are equal, nothing is done. If one of them equals what both began with (the
  newest points behind both branches; several where branches were merged crosswise, and then those that no other one
  has changed again), it has changed nothing, and the other one is right. Else it is a conflict: `fail` raises, `ours`
  keeps what the target has, `theirs` takes what the source has, `newest` takes what happened last, by number.

So a second merge looks at what happened since the first; a merge back brings only what is new; a sibling's change that
came by way of a third branch is recognised. A conflict that was decided is written as a new version, also where the
target keeps its row, so that the decision reaches other branches as a change and is not asked for again.

What a merge or a roll back writes are new versions of the branch, and a delete is a version, too: nothing of the past
changes. A roll back is a change like any other: what was merged before and rolled back counts as known, and merging the
same branch again does not bring it back (as with a reverted merge in git). Deleting a branch forgets its name only: its
versions remain behind the branches that left it or took it in.

Merge, roll back and comparison run inside one transaction as SQL over the versions that began or ended since the
newest common point: O(changes) written, and O(conflicts) in memory.
"""

import builtins
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hivemind_cli.core.clock import Clock, system_clock
from hivemind_cli.core.errors import BranchError, MergeConflict
from hivemind_cli.storage.tables import Tables, Transaction
from hivemind_cli.tables.catalog import Catalog, TableInfo
from hivemind_cli.tables.history import Fork, History, MergeMade
from hivemind_cli.tables.layout import MAIN, MAIN_NUMBER, ON_MAIN, ROW, SEQ, Lineage, quoted
from hivemind_cli.tables.merging import Comparison, Contested, View, Writing, decided, tops

NAME_CHARS_MAX = 200
POLICIES = ("fail", "ours", "theirs", "newest")
_NAME = re.compile(r"(?!\.)[\w.-]+(?:/[\w.-]+)*")
ROWS_MAX = 100_000
"""Told by one comparison: they are all in memory at once."""
_Tuples = list[tuple[Any, ...]]
_KEPT_MAX = 10_000
"""Branches whose position is remembered."""
_CHUNK = 1000
"""Numbers in one IN list."""


@dataclass(frozen=True, slots=True)
class BranchInfo:
    """One branch."""

    name: str
    number: int
    parent: str
    """"" for main."""
    fork_seq: int
    """What its parent had up to this number is seen. A roll back to it takes back all that was done here."""
    created_at: datetime | None
    """None for main, which was there always."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row in which two branches differ."""

    table: str
    row: int
    key: Mapping[str, Any]
    """Its primary key; empty without one."""
    kind: str
    """From left to right it was `added`, `removed` or `changed`."""
    left: Mapping[str, Any] | None
    """Column -> value; None: not there."""
    right: Mapping[str, Any] | None
    changed_on: str
    """Who did that, since they last had all in common: `left`, `right` or `both`."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """One row that both branches changed since they last had all in common, each in its own way."""

    table: str
    row: int
    key: Mapping[str, Any]
    base: Mapping[str, Any] | None
    """What both began with; None: no such row, or several where branches were merged crosswise."""
    ours: Mapping[str, Any] | None
    """On the branch that is merged into; None: deleted there."""
    theirs: Mapping[str, Any] | None
    """On the branch that is merged."""
    ours_seq: int
    """Number of that change; the larger one is the newer."""
    theirs_seq: int


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did. A merge that had nothing to do did nothing, and has `changed` 0."""

    source: str
    into: str
    policy: str
    changed: int
    """Versions written."""
    conflicts: int
    """Decided by the policy."""
    seq: int
    """A roll back to it brings back what this merge made."""
    before_seq: int
    """A roll back to it takes this merge back."""


class Branches:
    """The branches of one workspace. Any thread; what other machines do is seen at the next call."""

    def __init__(self, engine: Tables, catalog: Catalog, workspace: str, clock: Clock = system_clock) -> None:
        self._engine = engine
        self._catalog = catalog
        self._workspace = workspace
        self._clock = clock
        self._known_forks: dict[int, Fork] = {}
        self._kept: dict[str, tuple[int, tuple[int, Lineage]]] = {}
        """Positions, and the state of hm_branches when they were looked up."""

    def create(self, name: str, source: str = MAIN) -> BranchInfo:
        """A branch that sees what `source` sees now. BranchError: no name, or there is one already."""
        checked_branch(name)
        now = self._clock()

        def work(tx: Transaction) -> Fork:
            parent = MAIN_NUMBER if source == MAIN else self._named(tx.run, source).number
            if name == MAIN or self._forks(tx.run, "name = $2 AND NOT deleted", name):
                raise BranchError(f"There is a branch {name!r} already.", fix="Choose another name, or delete it.")
            number = tx.numbers(1)
            insert = (
                f"INSERT INTO {self._engine.qualified('hm_branches')}"
                " (workspace, name, number, parent, fork_seq, created_at, deleted)"
                " VALUES ($1, $2, $3, $4, $5, $6, FALSE)"
            )
            tx.run(insert, [self._workspace, name, number, parent, number, now])
            return Fork(name, number, parent, number, now)

        return _info(self._engine.write(work), source)

    def get(self, name: str) -> BranchInfo:
        """BranchError: there is none."""
        history = self._history(self._rows)
        return self._told(history, self._number(history, name))

    def list(self) -> builtins.list[BranchInfo]:
        """main first, then as they were made; without deleted ones."""
        history = self._history(self._rows)
        numbers = sorted(number for number, fork in history.forks.items() if not fork.deleted)
        return [self._told(history, number) for number in [MAIN_NUMBER, *numbers]]

    def delete(self, name: str) -> None:
        """Forget its name. Branches that left it or took it in keep what they have. BranchError: none, or main."""
        if name == MAIN:
            raise BranchError("main cannot be deleted.", why="Every branch comes from it.")

        def work(tx: Transaction) -> None:
            number = self._named(tx.run, name).number
            table = self._engine.qualified("hm_branches")
            tx.run(f"UPDATE {table} SET deleted = TRUE WHERE workspace = $1 AND number = $2", [self._workspace, number])

        self._engine.write(work)

    def lineage(self, name: str) -> Lineage:
        """How `layout.visible` sees what this branch sees. BranchError: there is none."""
        return self.position(name)[1]

    def position(self, name: str, tx: Transaction | None = None) -> tuple[int, Lineage]:
        """A branch's number and lineage. Of main, and where nothing was branched since, without asking. BranchError."""
        if name == MAIN:
            return MAIN_NUMBER, ON_MAIN
        if tx is not None:
            return self._positioned(name, tx.run)
        changes = self._engine.changes("hm_branches")
        kept = self._kept.get(name)
        if kept is not None and kept[0] == changes:
            return kept[1]
        found = self._positioned(name, self._rows)
        if changes is not None:
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            self._kept[name] = (changes, found)
        return found

    def _positioned(self, name: str, run: Callable[..., _Tuples]) -> tuple[int, Lineage]:
        fork = self._named(run, name)
        self._known_forks[fork.number] = fork
        parent = fork.parent
        while parent != MAIN_NUMBER and parent not in self._known_forks:
            (above,) = self._forks(run, "number = $2", parent)
            self._known_forks[parent] = above
            parent = above.parent
        return fork.number, History([*self._known_forks.values(), fork]).lineage(fork.number)

    def now(self) -> int:
        """The number of this moment: a roll back to it brings back what is there now."""
        return self._engine.write(lambda tx: tx.numbers(1))

    def diff(self, left: str, right: str) -> builtins.list[Change]:
        """Rows that the two do not see alike, by table, then as they were changed. BranchError: more than ROWS_MAX."""
        history = self._history(self._rows)
        views = [self._view(history, self._number(history, name)) for name in (left, right)]
        found: builtins.list[Change] = []
        for table in self._catalog.tables(self._workspace):
            comparison = Comparison(self._engine, table, views[0], views[1])
            back = Comparison(self._engine, table, views[1], views[0])
            if not comparison.any(self._rows) and not back.any(self._rows):
                continue
            different = comparison.differences(self._rows)
            _check_count(len(found) + len(different), left, right)
            said = self._said(table, [seq for one in different for seq in (one.source_seq, one.into_seq)])
            for one in different:
                rows = (said.get(one.source_seq), said.get(one.into_seq))
                kind = "added" if rows[0] is None else "removed" if rows[1] is None else "changed"
                side = "both" if one.source_changed and one.into_changed else "left" if one.source_changed else "right"
                row, key = _which(table, rows[1] or rows[0])
                found.append(Change(table.name, row, key, kind, _values(rows[0]), _values(rows[1]), side))
        return found

    def conflicts(self, source: str, into: str = MAIN) -> builtins.list[Conflict]:
        """Rows for which a merge would ask the policy. BranchError: more than ROWS_MAX."""
        history = self._history(self._rows)
        comparing = _Pair(history, *self._pair(history, source, into))
        found: builtins.list[Conflict] = []
        for table in self._catalog.tables(self._workspace):
            comparison = comparing.of(self._engine, table)
            if not comparison.any(self._rows):
                continue
            contested = comparison.contested(self._rows, comparing.points)
            _check_count(len(found) + len(contested), source, into)
            found += self._conflicts_told(
                table, [one for one in contested if decided(one, comparing.points, "")[1]], comparing
            )
        return found

    def merge(self, source: str, into: str = MAIN, policy: str = "fail") -> Merged:
        """Bring what happened on `source` into `into`: all of it, or nothing.

        MergeConflict: there are conflicts, and the policy is `fail`. BranchError: no such branch or policy.
        """
        if policy not in POLICIES:
            raise BranchError(f"{policy!r} is no policy.", why=f"They are {', '.join(POLICIES)}.")

        def work(tx: Transaction) -> Merged:
            history = self._history(tx.run)
            pair = _Pair(history, *self._pair(history, source, into))
            first = tx.numbers(1)
            changed = conflicts = 0
            for table in self._catalog.tables(self._workspace, tx):
                comparison = pair.of(self._engine, table)
                if comparison.any(tx.run):
                    comparison.measure(tx)
                    writings, decisions = _decisions(comparison.contested(tx.run, pair.points), pair, policy)
                    conflicts += decisions
                    if policy != "fail" or not conflicts:
                        changed += comparison.apply(tx, pair.into, first, writings)
            if policy == "fail" and conflicts:
                raise _conflicting(source, into, conflicts)
            insert = (
                f"INSERT INTO {self._engine.qualified('hm_merges')} (workspace, source, target, seq)"
                " VALUES ($1, $2, $3, $4)"
            )
            tx.run(insert, [self._workspace, pair.source, pair.into, first])
            return Merged(source, into, policy, changed, conflicts, tx.numbers(1), first - 1)

        return self._engine.write(work)

    def rollback(self, branch: str, to_seq: int) -> int:
        """Make a branch see what it saw at that number, by new versions; how many.

        to_seq   of a step, a merge, a fork or `now`: it is included. Before its fork, the branch is what its parent was
        BranchError: no such branch, or the number has not been reached.
        """

        def work(tx: Transaction) -> int:
            history = self._history(tx.run)
            number = self._number(history, branch)
            first = tx.numbers(1)
            if isinstance(to_seq, bool) or not isinstance(to_seq, int) or not 0 <= to_seq < first:
                raise BranchError(
                    f"{branch} cannot be rolled back to {to_seq!r}.",
                    why=f"Its numbers end before {first}.",
                    fix="Take the `seq` of a step, a merge or a branch.",
                )
            into, past = self._view(history, number), View(history.lineage(number, to_seq), {})
            since = {level.branch: to_seq if level.until_seq is None else level.until_seq for level in past.lineage}
            changed = 0
            for table in self._catalog.tables(self._workspace, tx):
                comparison = Comparison(self._engine, table, past, into, since)
                if comparison.any(tx.run):
                    comparison.measure(tx)
                    changed += comparison.apply(tx, number, first)
            return changed

        return self._engine.write(work)

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> _Tuples:
        return self._engine.read(sql, values).rows

    def _history(self, run: Callable[..., _Tuples]) -> History:
        merges = (
            f"SELECT source, target, seq FROM {self._engine.qualified('hm_merges')} WHERE workspace = $1 ORDER BY seq"
        )
        return History(self._forks(run), [MergeMade(*map(int, row)) for row in run(merges, [self._workspace])])

    def _forks(self, run: Callable[..., _Tuples], condition: str = "", *values: Any) -> builtins.list[Fork]:
        found = run(
            "SELECT name, number, parent, fork_seq, created_at, deleted"
            f" FROM {self._engine.qualified('hm_branches')}"
            f" WHERE workspace = $1{' AND ' + condition if condition else ''} ORDER BY number",
            [self._workspace, *values],
        )
        return [Fork(*row) for row in found]

    def _named(self, run: Callable[..., _Tuples], name: str) -> Fork:
        """Not main. Looks at no other branch. BranchError."""
        found = self._forks(run, "name = $2 AND NOT deleted", checked_branch(name))
        if not found:
            raise self._unknown(self._history(run), name)
        return found[-1]

    def _number(self, history: History, name: str) -> int:
        if name == MAIN:
            return MAIN_NUMBER
        checked_branch(name)
        for fork in history.forks.values():
            if fork.name == name and not fork.deleted:
                return fork.number
        raise self._unknown(history, name)

    def _unknown(self, history: History, name: str) -> BranchError:
        from difflib import get_close_matches

        known = [MAIN, *(fork.name for fork in history.forks.values() if not fork.deleted)]
        was = any(fork.name == name for fork in history.forks.values())
        near = get_close_matches(name, known, 1)
        return BranchError(
            f"The branch {name!r} was deleted." if was else f"There is no branch {name!r} in this workspace.",
            fix=f"Did you mean {near[0]!r}?" if near else "`branch` makes one.",
        )

    def _told(self, history: History, number: int) -> BranchInfo:
        if number == MAIN_NUMBER:
            return BranchInfo(MAIN, MAIN_NUMBER, "", 0, None)
        fork = history.forks[number]
        return _info(fork, history.name(fork.parent))

    def _view(self, history: History, number: int) -> View:
        return View(history.lineage(number), history.known(number))

    def _pair(self, history: History, source: str, into: str) -> tuple[int, int]:
        if source == into:
            raise BranchError(f"{source!r} cannot be merged into itself.")
        return self._number(history, source), self._number(history, into)

    def _conflicts_told(
        self, table: TableInfo, contested: Sequence[Contested], pair: "_Pair"
    ) -> builtins.list[Conflict]:
        bases = [{base.seq for base in tops(one, pair.points)} for one in contested]
        said = self._said(
            table,
            [seq for one, seqs in zip(contested, bases, strict=True) for seq in (one.source_seq, one.into_seq, *seqs)],
        )
        found = []
        for one, seqs in zip(contested, bases, strict=True):
            theirs, ours = said.get(one.source_seq), said.get(one.into_seq)
            row, key = _which(table, ours or theirs)
            base = _values(said.get(next(iter(seqs)))) if len(seqs) == 1 else None
            found.append(
                Conflict(table.name, row, key, base, _values(ours), _values(theirs), one.into_event, one.source_event)
            )
        return found

    def _said(self, table: TableInfo, seqs: Sequence[int | None]) -> dict[int | None, dict[str, Any]]:
        """The versions with these numbers: their columns, and _hm_row."""
        wanted = sorted({seq for seq in seqs if seq is not None})
        names = ", ".join([*map(quoted, table.names), ROW, SEQ])
        found: dict[int | None, dict[str, Any]] = {}
        for start in range(0, len(wanted), _CHUNK):
            numbers = ", ".join(map(str, wanted[start : start + _CHUNK]))
            result = self._engine.read(
                f"SELECT {names} FROM {self._engine.qualified(table.physical)} WHERE {SEQ} IN ({numbers})"
            )
            found |= {row[SEQ]: row for row in result.dicts()}
        return found


class _Pair:
    """Two branches, and the newest points behind both."""

    def __init__(self, history: History, source: int, into: int) -> None:
        self.source = source
        self.into = into
        self._views = [View(history.lineage(number), history.known(number)) for number in (source, into)]
        bases = history.bases(source, into)
        self.points = [View(history.lineage(*point), history.known(*point)) for point in bases]

    def of(self, engine: Tables, table: TableInfo) -> Comparison:
        return Comparison(engine, table, self._views[0], self._views[1])


def checked_branch(name: str) -> str:
    """The name itself. BranchError: it cannot be one."""
    if not isinstance(name, str) or len(name) > NAME_CHARS_MAX or ".." in name or not _NAME.fullmatch(name):
        raise BranchError(
            f"{str(name)[:60]!r} cannot name a branch.",
            why=f"A name is 1 to {NAME_CHARS_MAX} letters, digits, _, -, . or /, without .. or an empty part,"
            " and begins with neither . nor /.",
        )
    return name


def _decisions(contested: Sequence[Contested], pair: _Pair, policy: str) -> tuple[list[Writing], int]:
    """What to write, and how many were conflicts."""
    found = [decided(one, pair.points, policy) for one in contested]
    return [writing for writing, _ in found if writing is not None], sum(conflict for _, conflict in found)


def _check_count(rows: int, left: str, right: str) -> None:
    if rows > ROWS_MAX:
        raise BranchError(
            f"{left} and {right} differ in more than {ROWS_MAX:,} rows.",
            why="A comparison tells all of them at once.",
            fix="Stream the tables of both with SQL; a merge and a roll back take any number.",
        )


def _conflicting(source: str, into: str, conflicts: int) -> MergeConflict:
    said = "1 row was" if conflicts == 1 else f"{conflicts:,} rows were"
    return MergeConflict(
        f"{source} cannot be merged into {into}: {said} changed on both.",
        why="The policy is `fail`, and nothing was changed.",
        fix=f"`conflicts({source!r}, {into!r})` shows them; the policies ours, theirs and newest decide.",
    )


def _info(fork: Fork, parent: str) -> BranchInfo:
    from datetime import UTC

    made = fork.created_at
    if made is not None and made.tzinfo is None:
        made = made.replace(tzinfo=UTC)
    return BranchInfo(fork.name, fork.number, parent, fork.fork_seq, made)


def _which(table: TableInfo, row: Mapping[str, Any] | None) -> tuple[int, dict[str, Any]]:
    assert row is not None, "a row that differs is on one side at least"
    return int(row[ROW]), {name: row[name] for name in table.key}


def _values(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if row is None else {name: value for name, value in row.items() if name not in (ROW, SEQ)}
