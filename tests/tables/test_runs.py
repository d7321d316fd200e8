"""Runs: each step is numbered and durable, and a run goes on where it stands on its branch."""

import threading
from datetime import UTC

import numpy as np
import pytest

from hivemind_cli.core.errors import BranchError, MergeConflict, WrongValue
from hivemind_cli.storage.tables import Tables
from hivemind_cli.tables.runs import Resume, Runs
from tests.tables.worlds import OwnWorld


@pytest.fixture
def world(engine: Tables) -> OwnWorld:
    return OwnWorld(engine)


@pytest.fixture
def runs(world: OwnWorld) -> Runs:
    return Runs(world)  # type: ignore[arg-type]


def test_steps_are_numbered_in_their_run_and_come_back_whole(runs: Runs) -> None:
    assert runs.resume("r") == Resume(0, None, 1) and runs.last("r") is None and runs.list() == []
    made = runs.step("r", "plan", "fine é", {"todo": [1, {"a": None}]}, 12)
    runs.step("other", "look")
    second = runs.step("r", "act", state=None)
    for state in ("text", '{"as": "text"}', "", [1, "a"], 0, False):
        runs.step("any", "x", state=state)
        last = runs.last("any")
        assert last is not None and last.state == state and type(last.state) is type(state)
    assert (made.step, second.step) == (1, 2) and made.created_at.tzinfo is UTC and second.seq > made.seq
    assert runs.at("r", 1) == made and runs.last("r") == second and runs.at("r", 3) is None
    assert runs.history("r") == [made, second] and runs.history("r", after=1) == [second]
    assert runs.history("r", limit=1) == [made]
    assert runs.resume("r") == Resume(2, None, 3)
    listed = {one.run_id: (one.steps, one.tokens_used) for one in runs.list()}
    assert listed == {"r": (2, 12), "other": (1, 0), "any": (6, 0)}


def test_a_branch_goes_on_from_the_fork_and_a_merge_brings_its_steps(world: OwnWorld, runs: Runs) -> None:
    runs.step("r", "one", state=1)
    world.branches.create("a")
    world.branches.create("b")
    assert runs.step("r", "two on a", branch="a").step == 2
    assert runs.step("r", "three on a", state={"at": 3}, branch="a").step == 3
    assert runs.step("r", "two on b", branch="b").step == 2
    assert runs.resume("r").next_step == 2 and runs.resume("r", "a").next_step == 4
    world.branches.merge("a")
    assert runs.resume("r") == Resume(3, {"at": 3}, 4)
    with pytest.raises(MergeConflict):
        world.branches.merge("b")  # another second step
    assert runs.step("r", "four").step == 4  # what was remembered is not what is there
    assert [one.action for one in runs.history("r")] == ["one", "two on a", "three on a", "four"]


def test_after_a_roll_back_the_next_number_is_the_old_one(world: OwnWorld, runs: Runs) -> None:
    first = runs.step("r", "one")
    runs.step("r", "two")
    world.branches.rollback("main", first.seq)
    assert runs.last("r") == runs.at("r", 1) and runs.step("r", "two again").step == 2


def test_another_process_steps_the_same_run(world: OwnWorld, runs: Runs) -> None:
    other = Runs(world)  # type: ignore[arg-type]
    assert [one.step("r", "x").step for one in (runs, other, other, runs, other)] == [1, 2, 3, 4, 5]


def test_a_branch_that_is_deleted_takes_no_step(world: OwnWorld, runs: Runs) -> None:
    world.branches.create("a")
    runs.step("r", "one", branch="a")
    world.branches.delete("a")
    with pytest.raises(BranchError):
        runs.step("r", "two", branch="a")
    world.branches.create("a")
    assert runs.step("r", "one again", branch="a").step == 1
    with pytest.raises(BranchError):
        runs.step("r", "one", branch="nowhere")


def test_many_write_at_once_and_no_number_is_given_twice(world: OwnWorld, runs: Runs) -> None:
    branches = ["main", *(world.branches.create(f"b{n}").name for n in range(3))]
    given: dict[str, list[int]] = {name: [] for name in branches}

    def work(name: str) -> None:
        for _ in range(5):
            given[name].append(runs.step("shared", "x", branch=name).step)

    threads = [threading.Thread(target=work, args=(name,)) for name in branches for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: sorted(steps) for name, steps in given.items()} == {name: list(range(1, 11)) for name in branches}


def test_what_does_not_fit_is_refused_and_takes_no_number(runs: Runs) -> None:
    runs.step("r", "one", embedding=[0.5, 1])
    wrong = (
        {"run_id": ""},
        {"run_id": "x" * 501},
        {"run_id": "nul\0"},
        {"action": "nul\0"},
        {"embedding": [1.0, 2.0, 3.0]},
        {"embedding": [float("nan"), 1.0]},
        {"tokens_used": "many"},
        {"state": {"x": float("nan")}},
    )
    for one in wrong:
        with pytest.raises(WrongValue):
            runs.step(**{"run_id": "r", "action": "x", **one})  # type: ignore[arg-type]
    assert runs.step("r", "two", embedding=np.array([1, 2], np.float32)).step == 2  # type: ignore[arg-type]
