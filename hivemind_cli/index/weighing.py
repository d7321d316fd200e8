"""From the figures of a candidate to the probability that it applies: fitted weights over a few named figures.

    written   documents that say when they apply (a SKILL.md by whoever): BM25 scores and nearness of meaning
    told      documents made of corrections, with the prompts and words of these: their fit (core/match.py) and nearness

Either way the figures give a score; the score, its lead over the other candidates, and how much of the query it covers,
a probability. By words and meaning (hybrid) or by words alone (lexical; a told document's is then a function of its fit
and of nothing else). The weights stand in weighing.json, made by tests/measure/fit_recall.py; none is negative, so that
more of a good thing never hurts.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

Figures = dict[str, float]
HYBRID, LEXICAL = "hybrid", "lexical"
WORDS = ("words", "named", "terms")
MEANING = ("near_trigger", "near_body")
"""Cosines to the trigger and to the nearest piece of the body."""
TOLD = ("fit", "near_task", "near_rule")
CERTAIN = ("score", "lead", "covered", "near_trigger")
UNLIKE = 0.2
"""About the cosine of two texts that have nothing to do with each other."""
LEAD_MAX = 3.0
"""Further ahead of the others than this says no more."""
TERMS_FEW = 6
"""Of a query with as many terms as this or more, its length says little."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights of one sort of documents, in one tier."""

    rank: Mapping[str, float]
    """Of figures: their sum is the score."""
    applies: Mapping[str, float]
    """Of score, lead and figures, with `few` (how many terms the query lacks) and `bias`: a logistic regression."""

    @property
    def floor(self) -> float:
        """Score of a text that has nothing to do with the query: none other to compare with counts as this."""
        return UNLIKE * sum(weight for name, weight in self.rank.items() if name.startswith("near_"))


@cache
def fitted(tier: str, sort: str) -> Fitted:
    """The weights of a tier (HYBRID, LEXICAL) for `written` or `told` documents."""
    found = json.loads(Path(__file__).with_name("weighing.json").read_text(encoding="utf-8"))[tier][sort]
    return Fitted(rank=found["rank"], applies=found["applies"])


def probabilities(figures: Sequence[Figures], terms: int, weights: Fitted) -> list[float]:
    """That each applies: candidates of one sort, of a query with so many `terms`. Adds their `score` and `lead`."""
    for one in figures:
        one["score"] = _weighed(one, weights.rank)
    few = weights.applies.get("few", 0.0) * few_terms(terms) + weights.applies["bias"]
    found = []
    for one, lead in zip(figures, leads([one["score"] for one in figures], weights.floor), strict=True):
        one["lead"] = lead
        found.append(sigmoid(few + _weighed(one, weights.applies)))
    return found


def _weighed(figures: Figures, weights: Mapping[str, float]) -> float:
    return sum([weight * figures.get(name, 0.0) for name, weight in weights.items()])


def leads(scores: Sequence[float], floor: float) -> list[float]:
    """How far each is ahead of the best other one, or of `floor` (behind: negative), -LEAD_MAX..LEAD_MAX."""
    first, second = (*sorted(scores, reverse=True)[:2], floor, floor)[:2]
    return [max(-LEAD_MAX, min(LEAD_MAX, score - max(second if score == first else first, floor))) for score in scores]


def of_fit(fit: float) -> float:
    """Probability, by words alone, that a told document applies: of its `About.fit` (core/match.py) and no more.

    The hook's fallback computes the same from the snapshot.
    """
    slope, bias = fit_line()
    return sigmoid(slope * fit + bias)


def fit_line() -> tuple[float, float]:
    """(slope, bias) of `of_fit`'s logistic curve."""
    told = fitted(LEXICAL, "told")
    return told.rank["fit"] * told.applies["score"], told.applies["bias"]


def few_terms(terms: int) -> float:
    """0 for a query with TERMS_FEW terms or more, more the fewer it has."""
    return math.log(TERMS_FEW / min(max(terms, 1), TERMS_FEW))


def sigmoid(value: float) -> float:
    """0..1."""
    return 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, value))))
