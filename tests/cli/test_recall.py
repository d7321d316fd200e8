"""`hivemind recall explain`: the numbers in the order they were made, and the reason in words."""

import pytest

from hivemind_cli.cli.recall import _made_of, _reason
from hivemind_cli.pipeline.recall import OVERRULED

FIGURES = {"fit": 0.61, "near_task": 0.55, "fused": 0.72, "outcomes": 0.2, "held": 3.0, "recurred": 0.5, "needed": 0.5}


def test_the_numbers_stand_in_the_order_they_were_made() -> None:
    assert _made_of(4.25, 0.55, {**FIGURES, "fresh": 0.1}) == (
        "bm25 4.25, cosine 0.55, fit 0.61, near task 0.55, together 0.72, outcomes +0.20 (held 3.0, recurred 0.5), "
        "new +0.10"
    )
    assert _made_of(0.0, None, {"corrected": 2, "clean": 1, "needed": 0.5}) == "", "the act itself decided"


@pytest.mark.parametrize(
    ("decision", "figures", "by_act", "words"),
    [
        ("injected", FIGURES, False, "said: 0.76 is at least the 0.50 that is needed"),
        ("below threshold", FIGURES, False, "not said: 0.76 is below the 0.50 that is needed"),
        ("margin", {**FIGURES, "left_out": 0.75}, False, "too near the first one that there is no room for (0.75)"),
        ("held", {"corrected": 2, "clean": 1}, True, "the act that was corrected; until it was learned, 2 such calls"),
        ("injected", {"corrected": 1, "clean": 3}, True, "1 such call put right, 3 not"),
    ],
)
def test_each_decision_has_its_reason(decision: str, figures: dict[str, float], by_act: bool, words: str) -> None:
    assert words in _reason(decision, 0.76, figures, by_act=by_act)


@pytest.mark.parametrize("decision", ["repeated", "over budget", "own correction", "same lesson", OVERRULED, "named"])
def test_no_decision_needs_numbers_that_are_not_there(decision: str) -> None:
    assert _reason(decision, 0.0, {}, by_act=False)
