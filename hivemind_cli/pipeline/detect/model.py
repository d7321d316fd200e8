"""The trained part of `said`: weights over named features, and over the dimensions of an embedding where there is one.

    features.py ─▶ weights ─▶ softmax over SaidKind ─▶ calibrated probability of a correction
                └▶ weights ─▶ probability that the words hold beyond today

Multinomial logistic regressions, fitted by tests/measure/fit_said.py, which prints how well they do; the weights stand
in said.json. Without an embedding nothing here needs numpy.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hivemind_cli.core.records import SaidKind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hivemind_cli.embedding.base import Embedder

TOKENS_MAX = 64
"""Of each side that are embedded."""
EMBEDDED_BEFORE_CHARS = 300
"""Of what the agent said last: its end is what people answer."""
EMBEDDED_USER_CHARS = 600


@dataclass(frozen=True, slots=True)
class Meaning:
    """The embedded pair: two unit vectors of the same dimensions."""

    user: "NDArray[np.float32]"
    before: "NDArray[np.float32]"


@dataclass(frozen=True, slots=True)
class Scores:
    """What the model makes of a pair."""

    kinds: Mapping[SaidKind, float]
    """Probabilities that sum to 1."""
    correction: float
    """Calibrated probability that the words are a correction."""
    durable: float
    """Probability that they are a lesson for later sessions, correction or not."""


class Weights:
    """One fitted regression: a row of weights for each class."""

    def __init__(self, fitted: Mapping[str, Any]) -> None:
        self.kinds = tuple(SaidKind(kind) for kind in fitted["kinds"])
        self._bias: list[float] = fitted["bias"]
        self._features: dict[str, list[float]] = fitted["features"]
        self._platt: list[float] = fitted["platt"]
        self._durable: dict[str, float] = fitted["durable"]["features"]
        self._durable_bias: float = fitted["durable"]["bias"]
        by_rules = [weight for name, weight in self._durable.items() if name.startswith("rule.")]
        self._durable_by_rules = sum(weight for weight in by_rules if weight > 0)
        self._meaning: dict[str, Any] | None = fitted.get("meaning")

    def score(
        self, features: Mapping[str, float], rules: Mapping[str, float], meaning: Meaning | None = None
    ) -> Scores:
        """The scores of one pair; `rules` (said.py) tell only how long the words hold."""
        sums = list(self._bias)
        for name, value in features.items():
            row = self._features.get(name)
            if row:
                sums = [total + weight * value for total, weight in zip(sums, row, strict=True)]
        if self._meaning is not None and meaning is not None:
            cosine = float(meaning.user @ meaning.before)
            added = meaning.user @ self._user(len(meaning.user))
            sums = [total + cosine * self._meaning["cosine"][n] + float(added[n]) for n, total in enumerate(sums)]
        top = max(sums)
        parts = [math.exp(total - top) for total in sums]
        whole = sum(parts)
        kinds = {kind: part / whole for kind, part in zip(self.kinds, parts, strict=True)}
        raw = min(max(kinds[SaidKind.CORRECTION], 1e-6), 1 - 1e-6)
        slope, shift = self._platt
        durable = self._durable_bias
        for named in (features, rules):
            durable += sum(self._durable.get(name, 0.0) * value for name, value in named.items())
        return Scores(kinds, _logistic(slope * math.log(raw / (1 - raw)) + shift), _logistic(durable))

    def durable_at_most(self, features: Mapping[str, float]) -> float:
        """The highest `Scores.durable` that these features can have, whatever the rules say: rules cost time."""
        named = sum(self._durable.get(name, 0.0) * value for name, value in features.items())
        return _logistic(self._durable_bias + named + self._durable_by_rules)

    @cache  # noqa: B019  two instances live as long as the process
    def _user(self, dim: int) -> "NDArray[np.float32]":
        import numpy as np

        assert self._meaning is not None
        return np.asarray(self._meaning["user"], dtype=np.float32).reshape(dim, len(self.kinds))


@dataclass(frozen=True, slots=True)
class Model:
    """Both tiers, and the thresholds chosen with them."""

    lexical: Weights
    hybrid: Weights
    embedder: str
    """The model's name whose dimensions the hybrid weights are for; vectors of any other are not used."""
    durable_min: float
    failure_min: float
    """Sum of correction, failure report and interrupt from which words that are no correction report a failure."""

    def fits(self, embedder: "Embedder | None") -> bool:
        """Can the hybrid weights use this embedder's vectors?"""
        return embedder is not None and embedder.name.partition("/")[0] == self.embedder


@cache
def load() -> Model:
    """The model that ships with hivemind."""
    fitted = json.loads(Path(__file__).with_name("said.json").read_text(encoding="utf-8"))
    return Model(
        lexical=Weights(fitted["lexical"]),
        hybrid=Weights(fitted["hybrid"]),
        embedder=fitted["embedder"],
        durable_min=fitted["durable_min"],
        failure_min=fitted["failure_min"],
    )


def embed_pairs(pairs: Sequence[tuple[str, str]], embedder: "Embedder") -> list[Meaning]:
    """The meanings of (user, before) pairs, in one batch."""
    texts = [user[:EMBEDDED_USER_CHARS] for user, _ in pairs] + [before[-EMBEDDED_BEFORE_CHARS:] for _, before in pairs]
    rows = embedder.embed(texts, tokens_max=TOKENS_MAX)
    return [Meaning(rows[n], rows[n + len(pairs)]) for n in range(len(pairs))]


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(min(value, 30.0), -30.0)))
