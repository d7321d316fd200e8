"""When to be silent: one rule for recall and for what measures it (`hivemind bench recall`)."""

from collections.abc import Sequence


def spoken(scores: Sequence[float], *, applies_min: float, margin_min: float, limit: int) -> int:
    """How many of the first are said; 0 is silence.

    scores  probabilities that each applies, best first
    A score counts from `applies_min` on. Where more count than the `limit`, those are said that lead the first one
    left out by `margin_min`: nothing tells the others apart from it.
    """
    fitting = sum(score >= applies_min for score in scores)
    if fitting <= limit:
        return fitting
    left_out = scores[limit]
    return sum(score - left_out >= margin_min for score in scores[:limit])
