"""What is derived from the store and lives beside it: the skill index, the corpus, their vectors, and the model.

The skill index follows in the loop's own turn, so that recall knows a correction at once. Everything dear (the corpus
of all events, vectors) follows on a thread of its own, which nobody waits for.
"""

from typing import TYPE_CHECKING

from hivemind_cli.app.meaning import WhenLoaded
from hivemind_cli.core.errors import ModelError
from hivemind_cli.index.base import Corpus, Index, Vectors
from hivemind_cli.index.ranking import Ranker
from hivemind_cli.index.searching import Searcher

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Sidecars:
    """Holds and closes them. Threads may share it."""

    def __init__(
        self,
        index: Index,
        *,
        corpus: Corpus | None = None,
        vectors: Vectors | None = None,
        text_vectors: Vectors | None = None,
        embedder: WhenLoaded | None = None,
    ) -> None:
        """`vectors` are of the index's documents, `text_vectors` of the corpus's texts."""
        self.index, self.corpus, self.embedder = index, corpus, embedder
        self.vectors, self.text_vectors = vectors, text_vectors
        self.ranker = Ranker(index, vectors)
        self.searcher = Searcher(corpus, text_vectors) if corpus else None

    def meaning(self, query: str, within_s: float = 0.06) -> "NDArray[np.float32] | None":
        """The query's vector; None without a model, while it is being loaded, or where it took longer."""
        if self.embedder is None or self.vectors is None:
            return None
        try:
            vector: NDArray[np.float32] = self.embedder.embed([query])[0]
        except ModelError:
            return None
        return vector

    def close(self) -> None:
        """Release everything. Idempotent."""
        if self.embedder is not None:
            self.embedder.close()
        for one in (self.corpus, self.vectors, self.text_vectors, self.index):
            if one is not None:
                one.close()
