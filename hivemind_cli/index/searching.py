"""The ranking of everything that can be searched: what `hivemind search` asks, and what `bench search` measures.

words     BM25 as a share of what a text with all of the query's words would score
meaning   cosine of the query to the nearest piece of the text
score     both, weighed by what the query is: prose leans on meaning, identifiers and error text lean on words

A convex combination of scores on fixed scales; it needs no tuning to a collection and beats ranks fused blindly
(Bruch, Gai, Ingber: "An Analysis of Fusion Functions for Hybrid Retrieval", 2023).
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hivemind_cli.index.base import Corpus, Found, Text, Vectors, Where
from hivemind_cli.index.tokens import identifiers
from hivemind_cli.index.wanted import said

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CANDIDATES = 100
"""Of each, words and meaning, that are looked at more closely."""
FILES_TEXTS_MAX = 5000
"""Newest texts about a file that a search in that file compares by meaning."""
MEANING_OF_PROSE, MEANING_OF_IDENTIFIERS = 0.85, 0.5
"""Weight of meaning, for a few words of prose, and for a query with IDENTIFIERS_FULL of identifiers or more."""
FEW_WORDS = 5
IDENTIFIERS_FULL = 0.15
"""Share of identifiers in a query: one in a line of error text."""
TITLE, WHOLE = 1.0, 2.0
"""Weights of a query's first line and of all of it, where it has several lines."""

FOUND_MIN = 0.3
"""Score below which even the best is not what was looked for. Measured: the best answer to a query about another matter
altogether (code looked for in bug reports, or the reverse) has less in 40 to 80 %, a right one at least .38."""


@dataclass(frozen=True, slots=True)
class Result:
    """A text found, and how well it fits."""

    text: Text
    score: float
    """0..1, comparable between queries."""
    bm25: float = 0.0
    cosine: float | None = None
    """Of its nearest piece; None without a vector."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """Everything else the score was made of, by name."""


class Searcher:
    """Searches a corpus. Without vectors, or without the query's, by words alone."""

    def __init__(self, corpus: Corpus, vectors: Vectors | None = None) -> None:
        self.corpus, self.vectors = corpus, vectors

    def search(
        self, query: str, where: Where, *, meaning: "NDArray[np.float32] | None" = None, limit: int
    ) -> list[Result]:
        """Best first. `meaning` is the query's vector (see `meaning_of`)."""
        if limit <= 0:
            return []
        by_words = self.corpus.search(query, where, limit=max(limit, CANDIDATES))
        if self.vectors is None or meaning is None:
            return [_by_words(one) for one in by_words[:limit]]
        found = {one.text.id: one for one in by_words}
        cosines = self._cosines(self.vectors, meaning, where, found, max(limit, CANDIDATES))
        self._complete(found, query, where, cosines.keys() - found.keys())
        weight = weight_of_meaning(query)
        known = [cosines[one.text.id] for one in by_words if one.text.id in cosines]
        unknown = sum(known) / len(known) if known else 0.0
        results = [_result(one, cosines.get(id), weight, unknown) for id, one in found.items()]
        return sorted(results, key=lambda one: (-one.score, one.text.id))[:limit]

    def _cosines(
        self, vectors: Vectors, meaning: "NDArray[np.float32]", where: Where, found: Collection[str], limit: int
    ) -> dict[str, float]:
        """Of the nearest, and of those found by words that have a vector."""
        ids = None
        if where.path:
            ids = [text.id for text in self.corpus.latest(where, limit=FILES_TEXTS_MAX)]
        near = dict(vectors.near(meaning, where, limit=limit, ids=ids))
        rest = vectors.parts(meaning, [id for id in found if id not in near])
        return near | {id: max(parts.values()) for id, parts in rest.items()}

    def _complete(self, found: dict[str, Found], query: str, where: Where, ids: Collection[str]) -> None:
        """Add the texts that only meaning found, with their BM25; what is no longer there is left out."""
        if not ids:
            return
        for one in self.corpus.search(query, where, limit=len(ids), ids=ids):
            found[one.text.id] = one
        wordless = [id for id in ids if id not in found]
        found.update((id, Found(text, 0.0)) for id, text in self.corpus.get(wordless, where).items())


def weight_of_meaning(query: str) -> float:
    """How much a query leans on meaning rather than on its words, 0..1.

    Few words of prose can be said in many ways; of many words, some are names that what is looked for has, too.
    """
    wanted = said(query)
    words = len(wanted.terms) if wanted else 0
    prose = 1.0 - min(identifiers(query) / IDENTIFIERS_FULL, 1.0)
    share = prose * min(1.0, FEW_WORDS / max(words, 1))
    return MEANING_OF_IDENTIFIERS + (MEANING_OF_PROSE - MEANING_OF_IDENTIFIERS) * share


def meaning_of(query: str, embed: Callable[[Sequence[str]], "NDArray[np.float32]"]) -> "NDArray[np.float32]":
    """The vector of a query; of one with several lines that of its first line and that of all of it, together."""
    first = query.strip().partition("\n")[0].strip()
    if first == query.strip():
        vector: NDArray[np.float32] = embed([first])[0]
        return vector
    title, whole = embed([first, query.strip()])
    both: NDArray[np.float32] = TITLE * title + WHOLE * whole
    return both / max(math.sqrt(float(both @ both)), 1e-9)


def _by_words(one: Found) -> Result:
    return Result(one.text, _saturated(one.share), one.bm25, figures={"share": one.share})


def _result(one: Found, cosine: float | None, weight: float, unknown: float) -> Result:
    """A text without a vector is taken to be as near as the others that its words brought up."""
    near = max(unknown if cosine is None else cosine, 0.0)
    score = weight * near + (1 - weight) * _saturated(one.share)
    return Result(one.text, min(score, 1.0), one.bm25, cosine, {"share": one.share, "weight": weight})


def _saturated(share: float) -> float:
    """0..1; a text may well have more than each word once."""
    return math.tanh(share)
