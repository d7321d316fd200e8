"""SELECTs with cosine_similarity, bm25 and hybrid: answered by sidecars and the engine together, always exactly.

The sidecars score all versions of a table's rows; the engine, whose join decides which of them are seen, is given the
scores as a relation. Where the best few are wanted it is given the best few: more of them if a WHERE or a branch hides
some, until there are enough. Ties are kept together, so that further ORDER BY columns decide as they would among all.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from hivemind_cli.storage.tables import Kind as ValueKind
from hivemind_cli.storage.tables import Relations, Result, Type
from hivemind_cli.tables.catalog import ColumnInfo
from hivemind_cli.tables.layout import MAIN_NUMBER
from hivemind_cli.tables.nearness import RELATION, Amount, Call, Few, Plan, Said, Top, planned
from hivemind_cli.tables.scene import Scene
from hivemind_cli.tables.scores import Embedding, Scored, best, scored, vector
from hivemind_cli.tables.sidecar import Sidecar, Sidecars
from hivemind_cli.tables.sql import Kind, Statement, reading

SPARE, SPARE_NARROWED = 16, 200
"""How many more than wanted are given at first, a WHERE or a branch hiding some in the second case."""
FEW_MAX = 1_000
"""Rows that are looked up by their numbers; more are joined."""
WIDER = 16
"""How many times more are given at the second try; at the third, all."""
TRIES = 3
"""Answers while others write this very table: the last one is taken."""
ALMOST = 1e-6
"""Scores of vectors are of 32 bits: what is this near a bound is left to the engine."""


def answer(statement: Statement, scene: Scene, sidecars: Sidecars, embedding: Embedding) -> Result:
    """All rows. UnknownTable, Forbidden, SQLError, WrongValue, ModelError."""
    if statement.kind is Kind.EXPLAIN:
        lines = explain(statement, scene, sidecars, embedding).splitlines()
        return Result(("QUERY PLAN",), (Type(ValueKind.TEXT),), [(line,) for line in lines])
    return _Asked(statement, scene, sidecars, embedding).answer()


@contextmanager
def stream(
    statement: Statement, scene: Scene, sidecars: Sidecars, embedding: Embedding, *, batch_rows: int = 10_000
) -> Iterator[Iterator[Result]]:
    """The same rows, a batch at a time: of scores all are in memory (16 bytes each), of rows a batch."""
    if statement.kind is Kind.EXPLAIN:
        yield iter([answer(statement, scene, sidecars, embedding)])
        return
    asked = _Asked(statement, scene, sidecars, embedding)
    said, relations = asked.every()
    values = said.values(asked.values)
    with scene.engine.stream(said.sql, values, batch_rows=batch_rows, relations=relations) as batches:
        yield batches


def explain(statement: Statement, scene: Scene, sidecars: Sidecars, embedding: Embedding) -> str:
    """Which sidecar answers which call, then how the engine goes about the rest."""
    return _Asked(statement, scene, sidecars, embedding).explained()


class _Asked:
    """One SELECT and its values."""

    def __init__(self, statement: Statement, scene: Scene, sidecars: Sidecars, embedding: Embedding) -> None:
        self.engine, self.sidecars = scene.engine, sidecars
        self.on_main = scene.number == MAIN_NUMBER
        read = reading(statement, scene)
        self.plan: Plan = planned(read, scene.engine.dialect)
        self.values = list(read.values)
        for call in self.plan.calls:
            if call.vector is not None:
                at = call.values[0] - 1
                self.values[at] = vector(call.vector, self.values[at], embedding)

    def answer(self) -> Result:
        """Again if rows came meanwhile that the sidecars did not know of."""
        if not self.plan.calls:
            return self._read(self.plan.every, None)
        for _ in range(TRIES - 1):
            commits, known = self.engine.commits, self._known()
            found = self._once()
            if (commits is not None and commits == self.engine.commits) or known == self._known():
                return found
        return self._once()

    def _once(self) -> Result:
        found = self._top(self.plan.top) if self.plan.top is not None else None
        if self.plan.nearest is not None:
            found = self._nearest(self.plan.nearest)
        return self._read(*self.every()) if found is None else found

    def every(self) -> tuple[Said, Relations | None]:
        """The statement for any shape, and all scores."""
        return self.plan.every, self._relations() if self.plan.calls else None

    def explained(self) -> str:
        """One line a call, then the engine's."""
        top, lines = self.plan.top, []
        nearest = None if self.plan.nearest is None else self._engine_nearest(self._count(self.plan.nearest))
        if self.plan.nearest is not None and nearest is not None:
            said = self.plan.nearest.said
            found = self.engine.read(
                f"EXPLAIN {said.sql}", said.values(self.values), relations={f"{RELATION}1": nearest.relation()}
            )
            lines = [f"{self.plan.calls[0]}: the {len(nearest)} nearest by the database's own index"]
            return "\n".join([*lines, "  joined by row version", *(str(row[-1]) for row in found.rows)])
        for place, call in enumerate(self.plan.calls):
            best = top is not None and top.call == place
            lines += self._told(call, self._count(top) if best and top is not None else None)
        said = self.plan.every if top is None else top.said
        found = self.engine.read(f"EXPLAIN {said.sql}", said.values(self.values), relations=self._relations())
        return "\n".join([*lines, *(str(row[-1]) for row in found.rows)])

    # -- the best few

    def _top(self, top: Top) -> Result | None:
        """None: all rows must be looked at."""
        wanted = self._wanted(top)
        if wanted is None:
            return None
        limit, skipped = wanted
        if top.few is not None and 0 < limit <= FEW_MAX - skipped:
            found = self._few(top.few, limit, skipped)
            if found is not None:
                return found
        place = top.call
        everything = self._floored(place, self._scored(place))
        if self.plan.calls[place].text is not None:  # rows without a score count 0, and may be better than these
            everything = everything.where(everything.scores > 0)
        others = self._relations(but=place)
        floored = any(at == place for at, _ in self.plan.floors)
        few = self._count(top)
        for count in (few, WIDER * few):
            best = everything.best(count)
            if not floored and len(best) < limit + skipped:
                return None
            found = self._read(top.said, {**others, f"{RELATION}{place + 1}": best.relation()})
            if len(found.rows) == limit or (floored and len(best) == len(everything)):
                return found
        return None

    def _few(self, few: Few, limit: int, skipped: int) -> Result | None:
        """The best rows by their numbers; None: they are not enough."""
        call = self.plan.calls[0]
        count = limit + skipped
        allowed = None
        if few.numbers is not None:
            said = self.engine.arrays(few.numbers.sql, few.numbers.values(self.values))
            allowed = np.sort(next(iter(said.values())))
        found = best(call, self.values, self.sidecars.of(call.table), count + SPARE, allowed)
        if call.text is not None:  # rows without a score count 0, and may be better than these
            found = found.where(found.scores > 0)
        order = np.argsort(-found.scores, kind="stable")[: count + SPARE]
        scores = dict(zip(found.numbers[order].tolist(), found.scores[order].tolist(), strict=True))
        numbers = list(scores)
        types, rows = self.sidecars.fetched.rows(call.table, few.rows, numbers[:count])
        if len(rows) < count < len(numbers):  # versions that are not seen
            types, rows = self.sidecars.fetched.rows(call.table, few.rows, numbers)
        seen = [number for number in numbers if number in rows][skipped:count]
        if len(seen) < limit:
            return None
        score = Type(ValueKind.DOUBLE)
        return Result(
            few.names,
            tuple(score if place is None else types[place] for place in few.places),
            [
                tuple(scores[number] if place is None else rows[number][place] for place in few.places)
                for number in seen
            ],
        )

    def _nearest(self, top: Top) -> Result | None:
        """By an index of the engine's; None: it has none, or not enough of what it found is seen."""
        wanted = self._wanted(top)
        if wanted is None:
            return None
        few = self._count(top)
        for count in (few, WIDER * few):
            found = self._engine_nearest(count)
            if found is None or not len(found) or found.scores[-1] <= 0:  # rows without a direction count 0
                return None
            rows = self._read(top.said, {f"{RELATION}1": found.relation()})
            if len(rows.rows) == wanted[0]:
                return rows
        return None

    def _engine_nearest(self, count: int) -> Scored | None:
        call = self.plan.calls[0]
        given = self.values[call.values[0] - 1]
        if call.vector is None or given is None:
            return None
        found = self.engine.nearest(call.table.physical, call.vector.name, given, count)
        return None if found is None else Scored(*found)

    def _wanted(self, top: Top) -> tuple[int, int] | None:
        """LIMIT and OFFSET; None: what they say is for the engine to refuse."""
        said = [one.of(self.values) for one in (top.limit, top.offset)]
        if any(isinstance(one, bool) or not isinstance(one, int | float) or one < 0 or one % 1 for one in said):
            return None
        return int(said[0]), int(said[1])

    def _count(self, top: Top) -> int:
        """How many of the best are given at first."""
        limit, skipped = self._wanted(top) or (0, 0)
        spare = SPARE if self.on_main and not top.narrowed else SPARE_NARROWED
        return 2 * (limit + skipped) + spare

    # -- scores

    def _scored(self, place: int) -> Scored:
        call = self.plan.calls[place]
        return scored(call, self.values, self.sidecars.of(call.table), words_only=self._by_engine(call))

    def _by_engine(self, call: Call) -> bool:
        """Does the engine compare vectors itself?"""
        return self.engine.dialect != "duckdb" and call.vector is not None

    def _relations(self, but: int | None = None) -> dict[str, Any]:
        """All scores of all calls."""
        return {
            f"{RELATION}{place + 1}": self._floored(place, self._scored(place)).relation()
            for place, call in enumerate(self.plan.calls)
            if place != but and not (self._by_engine(call) and call.text is None)
        }

    def _floored(self, place: int, found: Scored) -> Scored:
        """Without what a WHERE lets through in no case."""
        for at, amount in self.plan.floors:
            least = _number(amount, self.values)
            if at == place and least is not None:
                found = found.where(found.scores >= least - ALMOST)
        return found

    def _known(self) -> list[int]:
        """Up to which number the sidecars have followed, all of them caught up."""
        known = []
        for call in self.plan.calls:
            sidecar = self.sidecars.of(call.table)
            columns = (call.text,) if self._by_engine(call) else (call.vector, call.text)
            known += [sidecar.cursor(one) for one in columns if one is not None and not _unknown(one)]
        return known

    def _read(self, said: Said, relations: Relations | None) -> Result:
        return self.engine.read(said.sql, said.values(self.values), relations=relations)

    # -- explaining

    def _told(self, call: Call, best: int | None) -> list[str]:
        sidecar = self.sidecars.of(call.table)
        lines = []
        if call.vector is not None:
            if self._by_engine(call):
                lines.append(f"{call}: vectors compared by the database")
            else:
                lines.append(f"{call}: vectors from the sidecar of {call.table.name}, {_rows(sidecar, call.vector)}")
        if call.text is not None:
            lines.append(f"{call}: words from the sidecar of {call.table.name}, {_rows(sidecar, call.text)}")
        given = "all scores are" if best is None else f"the best {best} are"
        return [*lines, f"  {given} joined by row version"]


def _rows(sidecar: Sidecar, column: ColumnInfo) -> str:
    return f"{0 if _unknown(column) else sidecar.count(column):,} row versions"


def _unknown(column: ColumnInfo) -> bool:
    """A vector column without a vector."""
    return column.type.kind is ValueKind.VECTOR and not column.type.dim


def _number(amount: Amount, values: Sequence[Any]) -> float | None:
    """None: it is no number, and the engine may know what it means."""
    said = amount.of(values)
    return float(said) if isinstance(said, int | float) and not isinstance(said, bool) and said == said else None
