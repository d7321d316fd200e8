"""Intervals against values that stand in print, and against what must be true of any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.core.intervals import Tally, bootstrap, clopper_pearson, fisher, tally, wilson


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_bounds(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_between_0_and_1(share: tuple[int, int]) -> None:
    k, n = share
    low, high = wilson(k, n)
    assert 0.0 <= low <= (k / n if n else 0.5) <= high <= 1.0


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 5; and the closed forms at the ends.
    [
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0, 0.1684),
        (1, 29, 0.0009, 0.1776),
        (3, 3, 0.025 ** (1 / 3), 1.0),
        (0, 3, 0.0, 1 - 0.025 ** (1 / 3)),
        (0, 0, 0.0, 1.0),
    ],
)
def test_clopper_pearson_gives_the_published_bounds(k: int, n: int, low: float, high: float) -> None:
    assert clopper_pearson(k, n) == pytest.approx((low, high), abs=6e-5)


@given(st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_exact_interval_holds_the_share_and_is_mirrored(share: tuple[int, int]) -> None:
    k, n = share
    low, high = clopper_pearson(k, n)
    assert 0.0 <= low <= (k / n if n else 0.5) <= high <= 1.0
    other = clopper_pearson(n - k, n)
    assert (1 - other[1], 1 - other[0]) == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize(
    ("table", "p"),
    # The lady tasting tea (Fisher 1935): 3 of 4 cups against 1 of 4; R's fisher.test gives the same.
    [((3, 4, 1, 4), 34 / 70), ((4, 4, 0, 4), 2 / 70), ((3, 3, 0, 3), 0.1), ((0, 3, 3, 3), 0.1), ((2, 5, 2, 5), 1.0)],
)
def test_fisher_gives_the_known_p(table: tuple[int, int, int, int], p: float) -> None:
    assert fisher(*table) == pytest.approx(p)


def test_fisher_of_nothing_tried_tells_nothing() -> None:
    assert fisher(0, 0, 3, 3) == 1.0
    with pytest.raises(ValueError, match="4 of 3"):
        fisher(4, 3, 0, 3)


def test_what_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        clopper_pearson(3, 2)
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)


def test_a_tally_counts_each_kind_of_right_and_wrong() -> None:
    counted = tally([(True, True), (True, True), (True, False), (False, True), (False, False)])
    assert counted == Tally(hits=2, false_alarms=1, misses=1)
    assert (counted.precision, counted.recall, counted.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))


def test_a_share_of_nothing_is_not_zero() -> None:
    assert (Tally().precision, Tally().recall, Tally().f1) == (None, None, None)


def test_the_bootstrap_of_a_mean_is_about_what_theory_says() -> None:
    values = [float(n % 2) for n in range(400)]  # mean .5, standard error .025
    interval = bootstrap(values, lambda sample: sum(sample) / len(sample))
    assert interval is not None
    assert interval == pytest.approx((0.451, 0.549), abs=0.01)
    assert interval == bootstrap(values, lambda sample: sum(sample) / len(sample))


def test_groups_that_agree_within_widen_the_interval() -> None:
    values = [float(n // 100 % 2) for n in range(400)]
    alone = bootstrap(values, lambda sample: sum(sample) / len(sample))
    grouped = bootstrap(values, lambda sample: sum(sample) / len(sample), groups=[n // 100 for n in range(400)])
    assert alone is not None and grouped is not None
    assert grouped[1] - grouped[0] > 3 * (alone[1] - alone[0])


def test_without_values_there_is_no_interval() -> None:
    assert bootstrap([], lambda sample: 1.0) is None
    assert bootstrap([1.0], lambda sample: None) is None
    with pytest.raises(ValueError, match="1 groups for 2 values"):
        bootstrap([1.0, 2.0], lambda sample: 0.0, groups=["a"])
