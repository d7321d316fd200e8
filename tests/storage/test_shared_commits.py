"""Who comes while another one commits shares the next commit; nobody's failure is another one's."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from hivemind_cli.storage.shared_commits import SharedCommits

DEADLINE_S = 60


class Counted:
    """Commits that wait until they may go on; how many works each of them had."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.begun, self.may_go_on = threading.Event(), threading.Event()

    def __call__(self, works: Sequence[Callable[[], Any]]) -> list[Any]:
        self.sizes.append(len(works))
        self.begun.set()
        assert self.may_go_on.wait(DEADLINE_S)
        return [work() for work in works]


def _waited(shared: "SharedCommits[Any]", count: int) -> None:
    """Until so many stand in line."""
    step = threading.Event()
    for _ in range(DEADLINE_S * 100):
        if len(shared._waiting) == count:
            return
        step.wait(0.01)
    raise AssertionError("they did not come")


def test_those_who_wait_share_a_commit() -> None:
    commit = Counted()
    shared: SharedCommits[Callable[[], Any]] = SharedCommits(commit)
    with ThreadPoolExecutor(10) as pool:
        first = pool.submit(shared.write, lambda: "first")
        assert commit.begun.wait(DEADLINE_S)
        rest = [pool.submit(shared.write, partial(int, n)) for n in range(9)]
        _waited(shared, 9)
        commit.may_go_on.set()
        assert first.result(DEADLINE_S) == "first"
        assert [one.result(DEADLINE_S) for one in rest] == list(range(9))
    assert commit.sizes == [1, 9]


def test_one_that_fails_takes_nobody_with_it() -> None:
    commit = Counted()
    shared: SharedCommits[Callable[[], Any]] = SharedCommits(commit)

    def failing() -> None:
        raise KeyError("mine")

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(shared.write, lambda: 0)
        assert commit.begun.wait(DEADLINE_S)
        rest = [pool.submit(shared.write, work) for work in (lambda: 1, failing, lambda: 3)]
        _waited(shared, 3)
        commit.may_go_on.set()
        assert (first.result(DEADLINE_S), rest[0].result(DEADLINE_S), rest[2].result(DEADLINE_S)) == (0, 1, 3)
        with pytest.raises(KeyError, match="mine"):
            rest[1].result(DEADLINE_S)
    assert commit.sizes == [1, 3, 1, 1, 1]
