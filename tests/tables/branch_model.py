"""What branches, merges and roll backs should do, said in plain dicts: every state of every branch is kept whole."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

Ident = Hashable
Content = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """What a branch sees of a row, and the commit that did that."""

    commit: int
    content: Content | None
    """None: deleted."""


Tables = dict[str, dict[Ident, Row]]


@dataclass(frozen=True, slots=True)
class Commit:
    """One state of one branch."""

    number: int
    behind: frozenset[int]
    """The commits that led to it, and itself."""
    tables: Tables = field(default_factory=dict)

    def content(self, table: str, ident: Ident) -> Content | None:
        row = self.tables.get(table, {}).get(ident)
        return row.content if row else None

    def by(self, table: str, ident: Ident) -> int:
        row = self.tables.get(table, {}).get(ident)
        return row.commit if row else 0

    def idents(self) -> set[tuple[str, Ident]]:
        return {(table, ident) for table, rows in self.tables.items() for ident in rows}

    def seen(self, table: str) -> list[Content]:
        return sorted(row.content for row in self.tables.get(table, {}).values() if row.content is not None)


Changes = dict[tuple[str, Ident], Content | None]


class Model:
    """All branches of a workspace."""

    def __init__(self) -> None:
        first = Commit(1, frozenset({1}))
        self.commits = {1: first}
        self.heads = {"main": first}
        self.marks: list[tuple[int, dict[str, Commit]]] = []
        """(number of the database, heads then); branches made later stand where their parent stood."""
        self.parents = {"main": ""}

    def commit(self, branch: str, changes: Changes, merged: Commit | None = None) -> None:
        """`branch` has these rows from now on."""
        head = self.heads[branch]
        number = len(self.commits) + 1
        behind = head.behind | (merged.behind if merged else frozenset()) | {number}
        tables = {table: dict(rows) for table, rows in head.tables.items()}
        for (table, ident), content in changes.items():
            tables.setdefault(table, {})[ident] = Row(number, content)
        self.heads[branch] = self.commits[number] = Commit(number, behind, tables)

    def branch(self, name: str, source: str) -> None:
        self.heads[name] = self.heads[source]
        self.parents[name] = source

    def mark(self, seq: int) -> None:
        self.marks.append((seq, dict(self.heads)))

    def at(self, branch: str, mark: int) -> Commit:
        """Where a branch stood then."""
        heads = self.marks[mark][1]
        while branch not in heads:
            branch = self.parents[branch]
        return heads[branch]

    def back(self, branch: str, mark: int) -> Changes:
        """What a roll back writes."""
        past, head = self.at(branch, mark), self.heads[branch]
        return {one: past.content(*one) for one in head.idents() if past.content(*one) != head.content(*one)}

    def differing(self, left: str, right: str) -> set[tuple[str, Ident]]:
        one, other = self.heads[left], self.heads[right]
        return {it for it in one.idents() | other.idents() if one.content(*it) != other.content(*it)}

    def merge(self, source: str, into: str, policy: str) -> tuple[Changes, set[tuple[str, Ident]]]:
        """What a merge writes, and the conflicts that `policy` decided."""
        theirs, ours = self.heads[source], self.heads[into]
        changes: Changes = {}
        conflicts = set()
        for one in theirs.idents():
            mine, other = ours.content(*one), theirs.content(*one)
            if theirs.by(*one) in ours.behind or mine == other:
                continue
            if ours.by(*one) == 0 or ours.by(*one) in theirs.behind:
                changes[one] = other
                continue
            bases = {base.content(*one) for base in self._tops(self._bases(theirs, ours), one)}
            if bases == {other}:
                continue
            if bases == {mine}:
                changes[one] = other
                continue
            conflicts.add(one)
            newer = policy == "newest" and theirs.by(*one) > ours.by(*one)
            changes[one] = other if policy == "theirs" or newer else mine
        return changes, conflicts

    def _bases(self, left: Commit, right: Commit) -> list[Commit]:
        common = [self.commits[number] for number in left.behind & right.behind]
        return [one for one in common if not any(one.number in other.behind for other in common if other is not one)]

    def _tops(self, bases: Iterable[Commit], one: tuple[str, Ident]) -> list[Commit]:
        bases = list(bases)
        return [
            base
            for base in bases
            if not any(
                other.by(*one) != base.by(*one) and (base.by(*one) == 0 or base.by(*one) in other.behind)
                for other in bases
            )
        ]
