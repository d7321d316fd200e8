"""Sums and selections of scores by number, however the numbers lie."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.tables.scores import Scored, both

NUMBERS = st.one_of(
    st.lists(st.integers(0, 30), unique=True, max_size=20),
    st.integers(0, 9).flatmap(lambda first: st.integers(0, 20).map(lambda count: list(range(first, first + count)))),
    st.lists(st.integers(0, 10**9), unique=True, max_size=9),
)


def scored(numbers: list[int]) -> Scored:
    ascending = np.array(sorted(numbers), np.int64)
    return Scored(ascending, np.sin(ascending.astype(np.float64)) + 2)


def told(found: Scored) -> dict[int, float]:
    assert found.numbers.tolist() == sorted(found.numbers.tolist())
    return dict(zip(found.numbers.tolist(), found.scores.tolist(), strict=True))


@settings(deadline=None, max_examples=50)
@given(NUMBERS, NUMBERS)
def test_sums_count_what_is_missing_as_0(near: list[int], said: list[int]) -> None:
    left, right = told(scored(near)), told(scored(said))
    wanted = {one: 0.25 * left.get(one, 0.0) + 3 * right.get(one, 0.0) for one in {*left, *right}}
    found = told(both(scored(near), scored(said), 0.25, 3))
    assert found.keys() == wanted.keys()
    np.testing.assert_allclose([found[one] for one in sorted(found)], [wanted[one] for one in sorted(wanted)])


@settings(deadline=None, max_examples=50)
@given(NUMBERS, NUMBERS, st.integers(0, 25))
def test_the_best_and_those_among_some_are_kept(numbers: list[int], some: list[int], count: int) -> None:
    everything: Any = scored(numbers)
    known = told(everything)
    assert told(everything.among(np.array(sorted(some), np.int64))) == {
        one: score for one, score in known.items() if one in some
    }
    best = told(everything.best(count))
    assert sorted(best.values(), reverse=True)[:count] == sorted(known.values(), reverse=True)[:count]
