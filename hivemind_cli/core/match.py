"""How well a query fits what a skill or memo is about, by shared terms, 0..1.

The hook's fallback computes the same numbers from the snapshot; tests/hooks holds the two against each other.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hivemind_cli.core.stopwords import STOPWORDS
from hivemind_cli.core.terms import terms, weight

RULE_FACTOR = 0.8
"""What a rule says counts less than the task under which the mistake happened: prompts name tasks, not rules."""
LONG_FACTOR = 0.6
"""A long prompt dilutes the cosine; covering the task's own terms still counts, by this much."""
LONG_MATCH_MIN = 1.2
"""... if what is shared weighs at least this: one full word and a bit."""
_KNOWN_MAX = 50_000
"""Terms whose weight is remembered: the same few thousand come up at every recall."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What each term says: its prior (core/terms.py) times its rarity in the person's own prompts."""

    rarity: Mapping[str, float] = field(default_factory=dict)
    """Term -> 0..1; terms not in it are rare: 1."""
    _known: dict[str, float] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of(self, term: str) -> float:
        """0 for a function word, else 0..1."""
        known = self._known.get(term)
        if known is None:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            known = 0.0 if term in STOPWORDS else weight(term) * self.rarity.get(term, 1.0)
            self._known[term] = known
        return known

    def sum(self, found: frozenset[str]) -> float:
        """Of all these."""
        known = self._known
        try:
            return math.fsum([known[term] for term in found])  # asked for every candidate of every recall
        except KeyError:
            return math.fsum(map(self.of, found))


def content(text: str) -> frozenset[str]:
    """The distinct terms of `text` that are no function words."""
    return frozenset(terms(text)) - STOPWORDS


def fit(query: frozenset[str], tasks: Sequence[frozenset[str]], rule: frozenset[str], weights: Weights) -> float:
    """The query's best fit to a task and its fit to the rule, joined as two independent hints are (noisy or)."""
    return About.of(tasks, rule, weights).fit(query)


@dataclass(frozen=True, slots=True)
class About:
    """What one skill or memo is about, weighed once: many queries may be compared with it."""

    tasks: tuple[tuple[frozenset[str], float], ...]
    rule: tuple[frozenset[str], float]
    weights: Weights

    @classmethod
    def of(cls, tasks: Sequence[frozenset[str]], rule: frozenset[str], weights: Weights) -> "About":
        """The terms of each task and of the rule, with what they weigh together."""
        return cls(tuple((one, weights.sum(one)) for one in tasks), (rule, weights.sum(rule)), weights)

    def fit(self, query: frozenset[str], whole: float | None = None) -> float:
        """As `fit`; `whole` is what the query's terms weigh together, for who asks often."""
        (rule, own), tasks = self.rule, self.tasks
        in_rule, in_tasks = query & rule, [query & terms for terms, _ in tasks]
        if not in_rule and not any(in_tasks):
            return 0.0
        weights = self.weights
        whole = weights.sum(query) if whole is None else whole
        fits = [_fit(common, whole, of, weights) for common, (_, of) in zip(in_tasks, tasks, strict=True) if common]
        return 1.0 - (1.0 - max(fits, default=0.0)) * (1.0 - RULE_FACTOR * _fit(in_rule, whole, own, weights))


def rarity(prompts: Iterable[str]) -> dict[str, float]:
    """From a person's prompts: how rare each term is, 0.2 (in nearly all) to 1 (in few)."""
    seen: dict[str, int] = {}
    count = 0
    for prompt in prompts:
        count += 1
        for term in content(prompt):
            seen[term] = seen.get(term, 0) + 1
    if count < 20:  # too little history to tell a habit from a topic
        return {}
    top = math.log(1 + count)
    return {term: max(0.2, math.log(1 + count / n) / top) for term, n in seen.items() if n >= max(3, count // 50)}


def _fit(common: frozenset[str], whole: float, own: float, weights: Weights) -> float:
    """Of a query that weighs `whole` to a subject that weighs `own`, by the terms they have in common."""
    if not common or not own or not whole:
        return 0.0
    shared = weights.sum(common)
    fit = shared / math.sqrt(whole * own)
    if shared >= LONG_MATCH_MIN:
        fit = max(fit, LONG_FACTOR * shared / own)
    return min(fit, 1.0)
