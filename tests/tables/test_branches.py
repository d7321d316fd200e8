"""Branches: what each sees, and what comes of merges and roll backs."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from hivemind_cli.core.errors import BranchError, DuplicateKey, MergeConflict, WrongValue
from hivemind_cli.storage.tables import Kind, Tables, Type
from hivemind_cli.tables import branches, writing
from hivemind_cli.tables.history import NOW, Fork, History, MergeMade
from hivemind_cli.tables.layout import Level
from tests.tables.worlds import TEXT, World


@pytest.fixture
def world(engine: Tables) -> World:
    return World(engine)


def test_a_branch_sees_what_its_parent_had_and_what_it_did_itself(world: World) -> None:
    notes = world.table()
    world.put(notes, a=1, b=2, c=3)
    world.branches.create("run-42/a")
    world.change(notes, a=10, b=None)
    world.put(notes, late=1)
    world.change(notes, "run-42/a", c=30, a=None)
    world.put(notes, "run-42/a", d=4)
    inner = world.branches.create("inner", "run-42/a")
    world.change(notes, "run-42/a", c=31)
    world.change(notes, "inner", b=None, d=40)
    assert world.said(notes) == {"a": 10, "c": 3, "late": 1}
    assert world.said(notes, "run-42/a") == {"b": 2, "c": 31, "d": 4}
    assert world.said(notes, "inner") == {"c": 30, "d": 40}
    assert inner.parent == "run-42/a" and inner.created_at is not None and inner.created_at.tzinfo is UTC
    assert [one.name for one in world.branches.list()] == ["main", "run-42/a", "inner"]
    assert world.branches.get("inner") == world.branches.list()[2]


def test_a_table_made_after_the_fork_is_there_and_empty(world: World) -> None:
    world.branches.create("a")
    notes = world.table()
    world.put(notes, x=1)
    assert world.said(notes, "a") == {}
    world.put(notes, "a", y=2)
    assert world.branches.merge("a").changed == 1
    assert world.said(notes) == {"x": 1, "y": 2}


def test_a_merge_brings_inserts_updates_and_deletes_and_a_second_one_only_what_is_new(world: World) -> None:
    notes = world.table()
    world.put(notes, a=1, b=2, c=3, d=4)
    world.branches.create("a")
    world.change(notes, "a", a=10, b=None)
    world.put(notes, "a", e=5)
    world.change(notes, c=30)
    done = world.branches.merge("a")
    assert (done.changed, done.conflicts) == (3, 0)
    assert world.said(notes) == {"a": 10, "c": 30, "d": 4, "e": 5}
    assert world.branches.merge("a").changed == 0
    world.change(notes, a=11)  # on main, which has the branch's version
    world.change(notes, "a", e=6)
    assert world.branches.merge("a").changed == 1
    assert world.said(notes) == {"a": 11, "c": 30, "d": 4, "e": 6}
    assert world.branches.merge("main", "a").changed == 2
    assert world.said(notes, "a") == world.said(notes)
    assert world.branches.merge("a").changed == 0 == world.branches.merge("main", "a").changed
    assert world.branches.diff("main", "a") == []


def test_merging_back_and_forth_writes_nothing_again(world: World) -> None:
    notes = world.table()
    world.branches.create("a")
    for number in range(4):
        world.insert(notes, {"name": [f"a{number}"], "value": [number]}, "a")
        world.insert(notes, {"name": [f"m{number}"], "value": [number]})
        assert world.branches.merge("a").changed == 1
        assert world.branches.merge("main", "a").changed == 1
    assert len(world.said(notes)) == 8 and world.said(notes) == world.said(notes, "a")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("ours", {"both": 1, "gone_here": None, "gone_there": 3, "new": 5, "same": 9}),
        ("theirs", {"both": 2, "gone_here": 4, "gone_there": None, "new": 6, "same": 9}),
        ("newest", {"both": 1, "gone_here": 4, "gone_there": None, "new": 6, "same": 9}),
    ],
)
def test_conflicts_are_decided_as_the_policy_says(world: World, policy: str, expected: dict[str, int | None]) -> None:
    notes = world.table()
    world.put(notes, both=0, gone_here=0, gone_there=0, same=0)
    world.branches.create("a")
    world.change(notes, "a", both=2)
    world.put(notes, new=5)
    world.put(notes, "a", new=6)
    world.change(notes, both=1, gone_there=3, gone_here=None, same=9)
    world.change(notes, "a", gone_there=None, gone_here=4, same=9)
    before = world.said(notes)
    with pytest.raises(MergeConflict, match="4 rows"):
        world.branches.merge("a")
    assert world.said(notes) == before
    asked = {one.key["name"]: one for one in world.branches.conflicts("a")}
    assert set(asked) == {"both", "gone_here", "gone_there", "new"}
    assert asked["both"].base == {"name": "both", "value": 0}
    assert asked["both"].ours == {"name": "both", "value": 1} and asked["both"].theirs == {"name": "both", "value": 2}
    assert asked["gone_here"].ours is None and asked["gone_there"].theirs is None and asked["new"].base is None
    assert world.branches.merge("a", policy=policy).conflicts == 4
    assert world.said(notes) == {name: value for name, value in expected.items() if value is not None}
    assert world.branches.conflicts("a") == []
    world.branches.merge("main", "a")  # no conflict any more: the decision is what is new
    assert world.said(notes, "a") == world.said(notes)


def test_a_row_without_a_key_is_the_same_row_on_every_branch(world: World) -> None:
    notes = world.table(key=())
    world.put(notes, a=1, b=2)
    world.branches.create("a")
    world.put(notes, "a", c=3)
    world.put(notes, c=3)
    world.change(notes, "a", a=10, b=None)
    world.branches.merge("a")
    assert world.rows(notes) == [("a", 10), ("c", 3), ("c", 3)]
    world.change(notes, "a", a=11)
    world.change(notes, a=12)
    with pytest.raises(MergeConflict, match="1 row"):
        world.branches.merge("a")
    world.branches.merge("a", policy="theirs")
    assert world.rows(notes) == [("a", 11), ("c", 3), ("c", 3)]


def test_with_a_key_the_key_is_the_row(world: World) -> None:
    notes = world.table()
    world.put(notes, old=1, kept=5)
    world.branches.create("a")
    world.put(notes, "a", equal=1)
    world.put(notes, equal=1)
    world.supersede(notes, "name = 'old'", {"name": "'renamed'"}, "a")
    world.change(notes, "a", kept=None)
    world.put(notes, "a", kept=5)  # the same again, as a new row
    world.change(notes, kept=6)
    world.branches.merge("a")
    assert world.said(notes) == {"renamed": 1, "equal": 1, "kept": 6}
    with pytest.raises(DuplicateKey):
        world.put(notes, renamed=2)


def test_the_keys_of_many_rows_are_checked_on_a_branch(world: World) -> None:
    notes = world.table()
    values = [0] * writing.MANY
    rows: dict[str, list[Any]] = {"name": [f"n{number}" for number in range(writing.MANY)], "value": values}
    world.put(notes, n7=1)
    world.branches.create("a")
    with pytest.raises(DuplicateKey, match="n7"):
        world.insert(notes, rows, "a")
    with pytest.raises(WrongValue, match="missing"):
        world.insert(notes, {"name": [None, None, *map(str, range(2, writing.MANY))], "value": values}, "a")
    world.change(notes, "a", n7=None)
    world.insert(notes, rows, "a")
    assert world.branches.merge("a").changed == writing.MANY and len(world.said(notes)) == writing.MANY


def test_what_was_changed_back_is_no_conflict(world: World) -> None:
    notes = world.table()
    world.put(notes, a=1, b=1)
    world.branches.create("a")
    world.change(notes, "a", a=2, b=2)
    world.change(notes, "a", a=1)
    world.change(notes, a=3, b=3)
    world.change(notes, b=1)
    assert world.branches.conflicts("a") == []
    world.branches.merge("a")
    assert world.said(notes) == {"a": 3, "b": 2}


def test_a_change_that_came_by_way_of_a_third_branch_is_known(world: World) -> None:
    notes = world.table()
    world.put(notes, a=1, b=1)
    for name in ("s", "t", "u"):
        world.insert(notes, {"name": [f"before_{name}"], "value": [1]})
        world.branches.create(name)
    world.change(notes, "s", a=2, b=2)
    world.branches.merge("s", "u")
    world.change(notes, "t", a=3)
    world.branches.merge("s", "t", "ours")
    assert world.said(notes, "t")["a"] == 3 and world.said(notes, "t")["b"] == 2
    assert world.branches.conflicts("t", "u") == []  # u has what s had, and t decided over it
    world.branches.merge("t", "u")
    assert world.said(notes, "u")["a"] == 3
    world.branches.merge("u", "t")
    assert world.branches.diff("t", "u") == []


def test_crosswise_decisions_meet_as_a_conflict(world: World) -> None:
    notes = world.table()
    world.put(notes, a=1)
    for name in ("a", "b", "c", "d"):
        world.branches.create(name)
    world.change(notes, "a", a=2)
    world.change(notes, "b", a=3)
    for into, policy in (("c", "theirs"), ("d", "ours")):
        world.branches.merge("a", into)
        world.branches.merge("b", into, policy)
    assert (world.said(notes, "c"), world.said(notes, "d")) == ({"a": 3}, {"a": 2})
    (conflict,) = world.branches.conflicts("c", "d")
    assert conflict.base is None  # two points are behind both, and they disagree
    with pytest.raises(MergeConflict):
        world.branches.merge("c", "d")


def test_a_decision_to_keep_is_a_change_that_others_hear_of(world: World) -> None:
    notes = world.table()
    world.put(notes, a=1, b=1)
    for name in ("t", "s", "u"):
        world.branches.create(name)
    world.change(notes, "t", a=2, b=None)
    world.branches.merge("t", "u")
    world.change(notes, "s", a=3, b=3)
    world.branches.merge("s", "u", "theirs")
    world.branches.merge("s", "t", "ours")
    assert world.said(notes, "t") == {"a": 2} and world.said(notes, "u") == {"a": 3, "b": 3}
    assert len(world.branches.conflicts("t", "u")) == 2  # t was asked and kept its own; u took the other


def test_diff_says_what_and_where(world: World) -> None:
    notes, empty = world.table(), world.table("empty")
    world.put(notes, a=1, b=2, c=3, d=4)
    world.branches.create("a")
    world.change(notes, "a", a=10, b=None, d=40)
    world.put(notes, "a", e=5)
    world.change(notes, c=30, d=41)
    found = {one.key["name"]: (one.kind, one.changed_on) for one in world.branches.diff("main", "a")}
    assert found == {
        "a": ("changed", "right"),
        "b": ("removed", "right"),
        "c": ("changed", "left"),
        "d": ("changed", "both"),
        "e": ("added", "right"),
    }
    (added,) = [one for one in world.branches.diff("main", "a") if one.kind == "added"]
    assert (added.table, added.left, added.right) == ("notes", None, {"name": "e", "value": 5})
    assert world.rows(empty) == []


def test_what_is_too_much_to_tell_is_refused_and_still_merged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(branches, "ROWS_MAX", 2)
    notes = world.table()
    world.put(notes, a=1, b=2, c=3)
    world.branches.create("a")
    world.supersede(notes, "TRUE", {"value": "10"}, "a")
    world.supersede(notes, "TRUE", {"value": "20"})
    for refused in (world.branches.diff, world.branches.conflicts):
        with pytest.raises(BranchError, match="more than 2 rows"):
            refused("a", "main")
    assert world.branches.merge("a", policy="theirs").conflicts == 3


def test_a_roll_back_is_a_new_version_that_says_the_old(world: World) -> None:
    notes = world.table()
    world.put(notes, a=1, b=2)
    start = world.branches.now()
    world.change(notes, a=10, b=None)
    world.put(notes, c=3)
    later = world.branches.now()
    world.branches.create("a")
    assert world.branches.rollback("main", start) == 3
    assert world.said(notes) == {"a": 1, "b": 2}
    assert world.said(notes, "a") == {"a": 10, "c": 3}
    assert world.branches.rollback("main", start) == 0
    assert world.branches.rollback("main", later) == 3
    assert world.said(notes) == {"a": 10, "c": 3}
    world.change(notes, "a", a=11)
    world.branches.rollback("a", start)  # before it was made: what its parent was
    assert world.said(notes, "a") == {"a": 1, "b": 2}
    world.branches.merge("a", policy="theirs")
    assert world.said(notes) == {"a": 1, "b": 2}


def test_a_merge_can_be_taken_back_and_is_not_brought_again(world: World) -> None:
    notes = world.table()
    world.put(notes, a=1)
    world.branches.create("a")
    world.change(notes, "a", a=2)
    world.put(notes, "a", b=2)
    merged = world.branches.merge("a")
    world.change(notes, a=3)
    world.branches.rollback("main", merged.before_seq)
    assert world.said(notes) == {"a": 1}
    assert world.branches.merge("a").changed == 0
    world.branches.rollback("main", merged.seq)
    assert world.said(notes) == {"a": 2, "b": 2}


def test_deleting_a_branch_forgets_its_name_only(world: World) -> None:
    notes = world.table()
    world.branches.create("a")
    world.put(notes, "a", x=1)
    world.branches.create("b", "a")
    world.branches.delete("a")
    assert world.said(notes, "b") == {"x": 1} and world.branches.get("b").parent == "a"
    for refused in (
        lambda: world.branches.merge("a"),
        lambda: world.branches.merge("main", "a"),
        lambda: world.branches.diff("main", "a"),
        lambda: world.branches.rollback("a", 1),
        lambda: world.branches.create("c", "a"),
        lambda: world.branches.delete("a"),
        lambda: world.branches.lineage("a"),
    ):
        with pytest.raises(BranchError, match="was deleted"):
            refused()
    assert world.branches.create("a").number != world.branches.get("b").number
    assert world.said(notes, "a") == {}
    world.branches.merge("b")
    assert world.said(notes) == {"x": 1}


def test_what_makes_no_sense_is_refused_and_changes_nothing(world: World) -> None:
    notes = world.table()
    world.put(notes, a=1)
    world.branches.create("ok/Ä-1.x_y")
    names = ["", "a/../b", "..", "/a", "a/", "a//b", ".a", "a b", "a\0", "a\n", "x" * 201, "main", "ok/Ä-1.x_y", "a'"]
    refusals: list[Callable[[], object]] = [lambda name=name: world.branches.create(name) for name in names]  # type: ignore[misc]
    refusals += [
        lambda: world.branches.delete("main"),
        lambda: world.branches.get("ok/Ä-1.x"),
        lambda: world.branches.merge("main", "main"),
        lambda: world.branches.merge("ok/Ä-1.x_y", policy="mine"),
        lambda: world.branches.rollback("main", -1),
        lambda: world.branches.rollback("main", 10**9),
        lambda: world.branches.create("b", "nowhere"),
    ]
    for refused in refusals:
        with pytest.raises(BranchError):
            refused()
    assert [one.name for one in world.branches.list()] == ["main", "ok/Ä-1.x_y"]
    assert world.said(notes) == {"a": 1}


def test_every_kind_of_value_is_compared_and_copied(world: World) -> None:
    values = {
        "name": ("n", TEXT),
        "json": ({"a": [1, None]}, Type(Kind.JSON)),
        "vector": (np.array([0.5, 1], np.float32), Type(Kind.VECTOR, 2)),
        "double": (0.1, Type(Kind.DOUBLE)),
        "real": (0.5, Type(Kind.REAL)),
        "bigint": (2**40, Type(Kind.BIGINT)),
        "boolean": (True, Type(Kind.BOOLEAN)),
        "timestamp": (datetime(2026, 1, 2, 3, 4, 5, 6, UTC), Type(Kind.TIMESTAMP)),
    }
    things = world.table("things", types={name: type for name, (_, type) in values.items()})
    world.branches.create("a")
    row = {name: [value] for name, (value, _) in values.items()}
    world.insert(things, row)
    world.insert(things, row, "a")
    nothing = {name: [None] for name in row}
    world.insert(things, {**nothing, "name": ["null"]}, "a")
    assert world.branches.merge("a").changed == 1  # the equal row is none
    assert world.branches.diff("main", "a") == []
    assert len(world.rows(things)) == 2


def test_workspaces_do_not_see_each_others_branches(engine: Tables) -> None:
    from hivemind_cli.tables.branches import Branches

    world = World(engine)
    world.branches.create("a")
    other = Branches(engine, world.catalog, "other")
    assert [one.name for one in other.list()] == ["main"]
    with pytest.raises(BranchError):
        other.merge("a")


def test_a_history_knows_what_is_behind_a_branch() -> None:
    forks = [Fork("a", 1, 0, 10), Fork("b", 2, 0, 20), Fork("c", 3, 1, 30)]
    history = History(forks, [MergeMade(1, 2, 40), MergeMade(2, 1, 50)])
    assert history.known(2, 39) == {2: 39, 0: 20}
    assert history.known(2) == {2: NOW, 0: 20, 1: 40}
    assert history.known(1) == {1: NOW, 0: 20, 2: 50}
    assert history.bases(1, 2) == [(2, 50)]
    assert history.bases(3, 2) == [(1, 30)]
    crossed = History([*forks, Fork("d", 4, 0, 35)], [MergeMade(1, 2, 40), MergeMade(1, 4, 36)])
    assert crossed.bases(4, 2) == [(0, 20), (1, 36)]
    assert history.lineage(3) == (Level(3), Level(1, 30), Level(0, 10))
    assert history.lineage(3, 15) == (Level(1, 15), Level(0, 10))
