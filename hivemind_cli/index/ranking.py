"""The ranking of skills and memos for a query: what recall asks at a prompt, and what `bench recall` measures.

words     BM25 over everything, BM25 over name and trigger, the fit of the terms (core/match.py)
meaning   cosine of the query to the trigger, to the tasks, and to the nearest piece of the body
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hivemind_cli.core.match import Weights, content
from hivemind_cli.index.base import Document, Index, Scope, Vectors
from hivemind_cli.index.matching import by_words, candidate_documents

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Ranked:
    """A document and how likely it applies."""

    document: Document
    score: float
    """Probability that it applies, 0..1: comparable between queries."""
    bm25: float = 0.0
    cosine: float | None = None
    """Of its nearest part; None without a model."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """Everything else the score was made of, by name."""


class Ranker:
    """Ranks an index's documents. Without vectors, or without the query's, by words alone."""

    def __init__(self, index: Index, vectors: Vectors | None = None) -> None:
        self.index, self.vectors = index, vectors

    def rank(
        self, query: str, scope: Scope, weights: Weights, *, meaning: "NDArray[np.float32] | None" = None, limit: int
    ) -> list[Ranked]:
        """Best first; documents outside `scope` never appear. `meaning` is the query's vector."""
        found = by_words(content(query), candidate_documents(self.index, query, scope), weights)
        return [Ranked(one.document, one.score, one.bm25) for one in found[:limit]]
