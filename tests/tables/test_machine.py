"""Random branches, rows, steps, merges, roll backs and crashes: as a model in plain dicts says, on both engines."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from hivemind_cli.core.errors import BranchError, DuplicateKey, MergeConflict
from hivemind_cli.storage.duckdb import DuckDBStore
from hivemind_cli.storage.tables import Kind, Tables, Type
from hivemind_cli.tables.branches import POLICIES
from hivemind_cli.tables.layout import BRANCH, ROW, SEQ, UNTIL
from hivemind_cli.tables.runs import COLUMNS, KEY, TABLE, Runs
from tests.tables.branch_model import Model
from tests.tables.worlds import INT, TEXT, OwnWorld

NAMES = "abcd"
VALUES = st.integers(0, 3)
BRANCHES_MAX = 6
_numbers = count(1)


class Died(Exception):
    """The process, in the midst of it."""


class Machine(RuleBasedStateMachine):
    """One workspace, of a database that other examples have used, too."""

    engine: Tables
    reopened: Callable[[], Tables]

    def __init__(self) -> None:
        super().__init__()
        self.name = f"ws{next(_numbers)}"
        self._open()
        self.keyed = self.world.table("keyed")
        self.keyless = self.world.table("keyless", key=())
        self.world.own_table(TABLE, COLUMNS, KEY)
        self.model = Model()
        self.fresh = count(1)
        self.model.mark(self.world.branches.now())

    def _open(self) -> None:
        self.world = OwnWorld(self.engine, self.name)
        self.runs = Runs(self.world)  # type: ignore[arg-type]

    def _branch(self, chosen: int) -> str:
        names = [one.name for one in self.world.branches.list()]
        assert set(names) <= set(self.model.heads)
        return names[chosen % len(names)]

    @rule(source=st.integers(0, 9))
    def branch(self, source: int) -> None:
        if len(self.model.heads) > BRANCHES_MAX:
            return
        parent, name = self._branch(source), f"b/{next(self.fresh)}"
        self.world.branches.create(name, parent)
        self.model.branch(name, parent)

    @rule(branch=st.integers(0, 9), name=st.sampled_from(NAMES), value=VALUES)
    def insert_keyed(self, branch: int, name: str, value: int) -> None:
        on = self._branch(branch)
        if self.model.heads[on].content("keyed", name) is not None:
            with pytest.raises(DuplicateKey):
                self.world.put(self.keyed, on, **{name: value})
            return
        self.world.put(self.keyed, on, **{name: value})
        self.model.commit(on, {("keyed", name): (name, value)})

    @rule(branch=st.integers(0, 9), values=st.lists(VALUES, min_size=1, max_size=3))
    def insert_keyless(self, branch: int, values: list[int]) -> None:
        on = self._branch(branch)
        rows = {f"r{next(self.fresh)}": value for value in values}
        self.world.insert(self.keyless, {"name": list(rows), "value": values}, on)
        self.model.commit(on, {("keyless", name): (name, value) for name, value in rows.items()})

    @rule(branch=st.integers(0, 9), limit=VALUES, value=st.none() | VALUES, table=st.sampled_from(["keyed", "keyless"]))
    def change(self, branch: int, limit: int, value: int | None, table: str) -> None:
        """UPDATE or DELETE of some rows."""
        on = self._branch(branch)
        hit = [one for one in self.model.heads[on].seen(table) if one[1] == limit]
        changed = None if value is None else {"value": str(value)}
        which = self.keyed if table == "keyed" else self.keyless
        assert self.world.supersede(which, f"value = {limit}", changed, on) == len(hit)
        if hit:
            self.model.commit(on, {(table, one[0]): None if value is None else (one[0], value) for one in hit})

    @rule(branch=st.integers(0, 9), old=st.sampled_from(NAMES), new=st.sampled_from(NAMES))
    def rename(self, branch: int, old: str, new: str) -> None:
        """UPDATE of a key."""
        on = self._branch(branch)
        head = self.model.heads[on]
        row = head.content("keyed", old)
        if row is None or old == new or head.content("keyed", new) is not None:
            return
        self.world.supersede(self.keyed, f"name = '{old}'", {"name": f"'{new}'"}, on)
        self.model.commit(on, {("keyed", old): None, ("keyed", new): (new, row[1])})

    @rule(branch=st.integers(0, 9), run=st.sampled_from("xy"))
    def step(self, branch: int, run: str) -> None:
        on = self._branch(branch)
        steps = [int(str(one[1])) for one in self.model.heads[on].seen("steps") if one[0] == run]
        action = f"act {next(self.fresh)}"
        assert self.runs.resume(run, on).next_step == max(steps, default=0) + 1
        made = self.runs.step(run, action, state={"n": len(steps)}, branch=on)
        assert made.step == max(steps, default=0) + 1
        assert self.runs.last(run, on) == made
        self.model.commit(on, {("steps", (run, made.step)): (run, made.step, action)})

    @rule(source=st.integers(0, 9), into=st.integers(0, 9), policy=st.sampled_from(POLICIES))
    def merge(self, source: int, into: int, policy: str) -> None:
        there, here = self._branch(source), self._branch(into)
        if there == here:
            return
        changes, conflicts = self.model.merge(there, here, policy)
        asked = {
            (one.table, _ident(one.table, one.key, one.ours or one.theirs))
            for one in self.world.branches.conflicts(there, here)
        }
        assert asked == conflicts
        if conflicts and policy == "fail":
            with pytest.raises(MergeConflict):
                self.world.branches.merge(there, here, policy)
            return
        merged = self.world.branches.merge(there, here, policy)
        assert (merged.conflicts, merged.changed) == (len(conflicts), len(changes))
        self.model.commit(here, changes, self.model.heads[there])
        self.model.mark(merged.seq)

    @rule()
    def mark(self) -> None:
        self.model.mark(self.world.branches.now())

    @rule(branch=st.integers(0, 9), mark=st.integers(0, 9))
    def rollback(self, branch: int, mark: int) -> None:
        on, mark = self._branch(branch), mark % len(self.model.marks)
        changes = self.model.back(on, mark)
        assert self.world.branches.rollback(on, self.model.marks[mark][0]) == len(changes)
        self.model.commit(on, changes)

    @precondition(lambda self: len(self.model.heads) > 2)
    @rule(branch=st.integers(1, 9))
    def delete(self, branch: int) -> None:
        name = self._branch(branch)
        if name == "main":
            return
        self.world.branches.delete(name)
        with pytest.raises(BranchError):
            self.world.branches.merge(name)

    @rule(branch=st.integers(0, 9), name=st.sampled_from(NAMES))
    def die(self, branch: int, name: str) -> None:
        """In the midst of a transaction; then the database is opened again."""
        number, _ = self.world.branches.position(self._branch(branch))
        physical = self.engine.qualified(self.keyless.physical)

        def half(tx: Any) -> None:
            row = {"name": (TEXT, [name]), "value": (INT, [7])}
            big = Type(Kind.BIGINT)
            hidden = {SEQ: (big, [tx.numbers(1)]), ROW: (big, [1]), BRANCH: (big, [number])}
            tx.insert(physical, row | hidden)
            tx.run(f"UPDATE {physical} SET {UNTIL} = 1")
            raise Died

        with pytest.raises(Died):
            self.engine.write(half)
        type(self).engine = self.reopened()
        self._open()

    @invariant()
    def every_branch_sees_what_the_model_says(self) -> None:
        steps = self.world.catalog.get(self.name, TABLE)
        for one in self.world.branches.list():
            head = self.model.heads[one.name]
            assert self.world.rows(self.keyed, one.name) == head.seen("keyed")
            assert self.world.rows(self.keyless, one.name) == head.seen("keyless")
            assert [row[:3] for row in self.world.rows(steps, one.name)] == head.seen("steps")

    @rule(left=st.integers(0, 9), right=st.integers(0, 9))
    def diff(self, left: int, right: int) -> None:
        one, other = self._branch(left), self._branch(right)
        found = self.world.branches.diff(one, other)
        told = {(it.table, _ident(it.table, it.key, it.left or it.right)) for it in found}
        assert told == self.model.differing(one, other) and len(told) == len(found)


def _ident(table: str, key: Any, values: Any) -> Any:
    return (key["run_id"], key["step"]) if table == TABLE else values["name"]


@pytest.fixture(params=["duckdb", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Tables, Callable[[], Tables]]]:
    """A database, and what closes and opens it again."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    with ExitStack() as stack:

        def reopen() -> Tables:
            stack.close()
            if url:
                from hivemind_cli.storage.postgres import PostgresTables

                return stack.enter_context(PostgresTables(url))
            return stack.enter_context(DuckDBStore(tmp_path / "db" / "hivemind.duckdb")).tables()

        yield reopen(), reopen


def _run(engine: Tables, reopen: Callable[[], Tables], examples: int, steps: int) -> None:
    machine = type("Fresh", (Machine,), {"engine": engine, "reopened": staticmethod(reopen)})
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)


def test_branches_do_what_the_model_says(opened: tuple[Tables, Callable[[], Tables]]) -> None:
    _run(*opened, examples=4, steps=12)


@pytest.mark.thorough
def test_branches_do_what_the_model_says_for_long(opened: tuple[Tables, Callable[[], Tables]]) -> None:
    _run(*opened, examples=20, steps=30)
