"""When to be silent: one rule for recall and for what measures it (`hivemind bench recall`)."""

import math
from collections.abc import Sequence


def spoken(scores: Sequence[float], *, applies_min: float, margin_min: float, limit: int) -> int:
    """How many of the first are said; 0 is silence.

    scores  probabilities that each applies, best first
    A score counts from `applies_min` on. Where more count than the `limit`, those are said that lead the first one
    left out by `margin_min`: nothing tells the others apart from it. The lead is that of the log odds, so that it means
    as much near 1 as around .5, where it is `margin_min` of probability.
    """
    fitting = sum(score >= applies_min for score in scores)
    if fitting <= limit:
        return fitting
    left_out = _log_odds(scores[limit]) + 4 * margin_min
    return sum(_log_odds(score) >= left_out for score in scores[:limit])


def _log_odds(score: float) -> float:
    inside = min(max(score, 1e-9), 1 - 1e-9)
    return math.log(inside / (1 - inside))
