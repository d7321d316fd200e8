"""The ranking of everything that can be searched: what `hivemind search` asks, and what `bench search` measures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hivemind_cli.index.base import Corpus, Text, Vectors, Where

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Result:
    """A text found, and how well it fits."""

    text: Text
    score: float
    """0..1, comparable between queries."""
    bm25: float = 0.0
    cosine: float | None = None
    figures: Mapping[str, float] = field(default_factory=dict)


class Searcher:
    """Searches a corpus. Without vectors, or without the query's, by words alone."""

    def __init__(self, corpus: Corpus, vectors: Vectors | None = None) -> None:
        self.corpus, self.vectors = corpus, vectors

    def search(
        self, query: str, where: Where, *, meaning: "NDArray[np.float32] | None" = None, limit: int
    ) -> list[Result]:
        """Best first. `meaning` is the query's vector."""
        found = self.corpus.search(query, where, limit=limit)
        top = max((one.bm25 for one in found), default=0.0)
        return [Result(one.text, one.bm25 / top if top else 0.0, one.bm25) for one in found]
