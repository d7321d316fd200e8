"""How sure a measured share is: 95 % intervals, from the standard library alone."""

import math
import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

Z = 1.959963984540054
"""Standard normal quantile of .975: both tails together are 5 %."""
ROUNDS = 1000
SEED = 20261121
"""Any fixed number: the same labels must give the same interval twice."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a yes-or-no detector got right and wrong. Shares are None where nothing was asked of them."""

    hits: int = 0
    """Said yes, and it was."""
    false_alarms: int = 0
    """Said yes, and it was not."""
    misses: int = 0
    """Said no, and it was."""

    @property
    def precision(self) -> float | None:
        """Of the yeses, the share that was right."""
        return _share(self.hits, self.hits + self.false_alarms)

    @property
    def recall(self) -> float | None:
        """Of what there was, the share that was found."""
        return _share(self.hits, self.hits + self.misses)

    @property
    def f1(self) -> float | None:
        """The harmonic mean of both; None where there was nothing and nothing was said."""
        return _share(2 * self.hits, 2 * self.hits + self.false_alarms + self.misses)


def tally(pairs: Sequence[tuple[bool, bool]]) -> Tally:
    """The tally of (said, was) pairs."""
    return Tally(
        hits=sum(said and was for said, was in pairs),
        false_alarms=sum(said and not was for said, was in pairs),
        misses=sum(was and not said for said, was in pairs),
    )


def wilson(k: float, n: int) -> tuple[float, float]:
    """The Wilson score interval (95 %) of a share of `k` in `n`; (0, 1) for n = 0: nothing is known.

    With `k` the sum of `n` scores between 0 and 1 it is one of their mean, rather too wide than too narrow: no such
    scores vary more than zeros and ones of the same mean. Wilson, J. Am. Stat. Assoc. 22 (1927) 209. ValueError unless
    0 <= k <= n.
    """
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no share")
    if n == 0:
        return 0.0, 1.0
    share, z2 = k / n, Z * Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # At the ends the bound is exact, whatever rounding says.
    return (0.0 if k == 0 else max(middle - half, 0.0)), (1.0 if k == n else min(middle + half, 1.0))


def clopper_pearson(k: int, n: int) -> tuple[float, float]:
    """The exact interval (95 %) of a share of `k` in `n`; (0, 1) for n = 0. For few trials, where wilson is only near.

    Clopper and Pearson, Biometrika 26 (1934) 404. ValueError unless 0 <= k <= n.
    """
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no share")
    tail = 0.025
    low = 0.0 if k == 0 else _root(lambda share: _at_least(k, n, share) - tail)
    high = 1.0 if k == n else _root(lambda share: tail - (1 - _at_least(k + 1, n, share)))
    return low, high


def fisher(a: int, n: int, b: int, m: int) -> float:
    """The exact two-sided p of `a` in `n` against `b` in `m`: both shares are the same; 1.0 where nothing was tried.

    Fisher, J. R. Stat. Soc. 85 (1922) 87; two-sided as R's fisher.test: all tables no likelier than this one.
    ValueError unless 0 <= a <= n and 0 <= b <= m.
    """
    if not (0 <= a <= n and 0 <= b <= m):
        raise ValueError(f"{a} of {n} or {b} of {m} is no share")
    hits = a + b
    ways = {x: math.comb(n, x) * math.comb(m, hits - x) for x in range(max(0, hits - m), min(n, hits) + 1)}
    return sum(way for way in ways.values() if way <= ways[a]) / math.comb(n + m, hits)


def bootstrap(
    values: Sequence[T],
    statistic: Callable[[Sequence[T]], float | None],
    *,
    groups: Sequence[Hashable] | None = None,
    rounds: int = ROUNDS,
    seed: int = SEED,
) -> tuple[float, float] | None:
    """The percentile interval (95 %) of `statistic` over resamples of `values`; None if it never has a value.

    groups  one for each value: whole groups are drawn, since values of one session or repository are alike
    A resample for which `statistic` is None is left out. Deterministic in `seed`. ValueError: lengths differ.
    """
    if groups is not None and len(groups) != len(values):
        raise ValueError(f"{len(groups)} groups for {len(values)} values")
    units: list[list[T]] = [[value] for value in values]
    if groups is not None:
        together: dict[Hashable, list[T]] = {}
        for value, group in zip(values, groups, strict=True):
            together.setdefault(group, []).append(value)
        units = list(together.values())
    draw = random.Random(seed)
    found = []
    for _ in range(rounds if units else 0):
        sample = [value for unit in draw.choices(units, k=len(units)) for value in unit]
        result = statistic(sample)
        if result is not None:
            found.append(result)
    if not found:
        return None
    found.sort()
    last = len(found) - 1
    return found[round(0.025 * last)], found[round(0.975 * last)]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _at_least(k: int, n: int, share: float) -> float:
    """The chance of `k` or more in `n` trials."""
    return math.fsum(math.comb(n, x) * share**x * (1 - share) ** (n - x) for x in range(k, n + 1))


def _root(rising: Callable[[float], float]) -> float:
    """Where `rising`, below 0 at 0 and above it at 1, is 0."""
    low, high = 0.0, 1.0
    for _ in range(60):  # halves: beyond a float's digits
        middle = (low + high) / 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
