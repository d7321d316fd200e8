"""What each branch knows: forks and merges of one workspace, and the questions asked of them. Pure.

A branch at a number is a point of a graph, as a commit is in git: behind it stand the same branch at every smaller
number, its parent at the fork, and each branch that was merged into it, as it was then. What a point knows is said as
branch -> the largest number of that branch that is behind it (a version vector).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from hivemind_cli.tables.layout import MAIN, MAIN_NUMBER, Level

NOW = 2**62
"""Larger than any number: a branch as it is."""

Known = Mapping[int, int]
"""Branch -> up to which number."""
Point = tuple[int, int]
"""A branch, and up to which number."""


@dataclass(frozen=True, slots=True)
class Fork:
    """One branch as the database keeps it."""

    name: str
    number: int
    parent: int
    fork_seq: int
    created_at: datetime | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class MergeMade:
    """That `source` as it was at `seq` is behind `into` from there on."""

    source: int
    into: int
    seq: int


class History:
    """The forks and merges of a workspace, deleted branches too."""

    def __init__(self, forks: Sequence[Fork], merges: Sequence[MergeMade] = ()) -> None:
        self.forks = {fork.number: fork for fork in forks}
        self._merges: dict[int, list[MergeMade]] = {}
        for merge in merges:
            self._merges.setdefault(merge.into, []).append(merge)

    def name(self, number: int) -> str:
        """Of a branch, deleted ones too."""
        return MAIN if number == MAIN_NUMBER else self.forks[number].name

    def lineage(self, number: int, seq: int = NOW) -> tuple[Level, ...]:
        """What `number` saw at `seq`. Before its fork that is what its parent saw."""
        levels: list[Level] = []
        while number != MAIN_NUMBER:
            fork = self.forks[number]
            if seq > fork.fork_seq:
                levels.append(Level(number, None if seq == NOW else seq))
            number, seq = fork.parent, min(seq, fork.fork_seq)
        return (*levels, Level(MAIN_NUMBER, None if seq == NOW else seq))

    def known(self, number: int, seq: int = NOW) -> dict[int, int]:
        """What is behind a branch at `seq`."""
        found: dict[int, int] = {}
        waiting = [(number, seq)]
        while waiting:
            branch, until = waiting.pop()
            before = found.get(branch, -1)
            if until <= before:
                continue
            found[branch] = until
            if branch != MAIN_NUMBER:
                waiting.append((self.forks[branch].parent, min(until, self.forks[branch].fork_seq)))
            waiting += [(one.source, one.seq) for one in self._merges.get(branch, ()) if before < one.seq <= until]
        return found

    def bases(self, left: int, right: int) -> list[Point]:
        """The newest points behind both: one as a rule, several where branches were merged crosswise."""
        mine, theirs = self.known(left), self.known(right)
        points = [(branch, min(until, theirs[branch])) for branch, until in sorted(mine.items()) if branch in theirs]
        behind = {point: self.known(*point) for point in points}
        return [
            point
            for point in points
            if not any(other != point and behind[other].get(point[0], -1) >= point[1] for other in points)
        ]


def branch_of(seq: int, lineage: Sequence[Level]) -> int:
    """On which level of a lineage a version with this number stands: each begins where the next one ends."""
    for nearer, further in pairwise(lineage):
        if further.until_seq is not None and seq > further.until_seq:
            return nearer.branch
    return lineage[-1].branch
