"""What is derived from the store and lives beside it: the skill index, the corpus, their vectors, and the model.

The skill index follows in the loop's own turn, so that recall knows a correction at once. Everything dear (the corpus
of all events, vectors) follows on a thread of its own (app/following.py), which nobody waits for.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hivemind_cli.app.following import Follower
from hivemind_cli.app.meaning import WhenLoaded
from hivemind_cli.embedding.base import TOKENS_MAX
from hivemind_cli.index.base import Corpus, Index, Vectors
from hivemind_cli.index.ranking import Ranker
from hivemind_cli.index.searching import Searcher
from hivemind_cli.pipeline import meanings, texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hivemind_cli.storage.base import Store

QUERY_S = 0.06
"""So long a hook's query waits for its vector, of 150 ms in all."""


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
        without: str = "",
    ) -> None:
        """`vectors` are of the index's documents, `text_vectors` of the corpus's texts.

        without  why there is no embedder, in words for the person
        """
        self.index, self.corpus, self.embedder = index, corpus, embedder
        self.vectors, self.text_vectors = vectors, text_vectors
        self.ranker = Ranker(index, vectors)
        self.searcher = Searcher(corpus, text_vectors) if corpus else None
        self._without = without
        self._follower: Follower | None = None
        self._store: Store | None = None

    def follow(self, store: "Store", pause: Callable[..., object]) -> None:
        """Keep all of it up to `store` from now on, which is closed later.

        pause  returns once no hook asks, or after so many seconds
        """
        if self.corpus is not None:
            texts.begin(store, self.corpus)
        if self.text_vectors is not None:
            meanings.begin(store, self.text_vectors)
        self._store = store
        if self.embedder is not None:
            self.embedder.warm()
        self._follower = Follower(self, store, pause)

    def wake(self, *, documents: bool = False) -> None:
        """Records were stored; `documents`: the index changed. Costs nothing."""
        if self._follower is not None:
            self._follower.wake(documents=documents)

    def meaning(
        self, query: str, within_s: float = QUERY_S, *, tokens_max: int = TOKENS_MAX
    ) -> "NDArray[np.float32] | None":
        """The query's vector; None without a model, while it is being loaded, or where it took longer."""
        if self.embedder is None or self.vectors is None:
            return None
        return self.embedder.query(query, within_s, tokens_max=tokens_max)

    def expect(self, query: str, *, tokens_max: int = TOKENS_MAX) -> None:
        """`meaning` will be asked for it in a moment. Costs nothing without a model."""
        if query and self.embedder is not None and self.vectors is not None:
            self.embedder.begin(query, tokens_max=tokens_max)

    def catch_up(self, within_s: float) -> bool:
        """Bring the corpus up to the store now, for a search; False if that takes longer."""
        return self._follower is not None and self._follower.catch_up(within_s)

    def settle(self, seconds: float) -> bool:
        """Wait until all of it is up to the store; False if that takes longer."""
        return self._follower is not None and self._follower.settle(seconds)

    def rebuild(self, *, vectors: bool) -> None:
        """Begin the corpus anew in the background, and with `vectors` them, too."""
        if self._follower is not None:
            self._follower.rebuild(vectors=vectors)

    def forget(self, gone: Sequence[tuple[str, str]]) -> None:
        """Nothing of these sessions, (host, session_id), that the store has let go of is found any more."""
        import numpy as np

        if self.corpus is not None:
            texts.forget(self.corpus, gone)
        if self.text_vectors is not None:
            vectors, nothing = self.text_vectors, np.zeros((0, 0), np.float32)
            vectors.update([], nothing, [], cursor=vectors.cursor(), gone=gone)
        if self.embedder is not None:
            self.embedder.forget()

    def busy(self) -> bool:
        """Is there something to follow, and does that get on?"""
        return self._follower is not None and self._follower.busy()

    def state(self) -> dict[str, Any]:
        """What there is and how far it is, as JSON (the verb `index.state`).

        tier             hybrid: words and meaning. lexical: words; `why` says why not meaning
        documents        skills and memos; `embedded` of them have their vectors
        texts            in the corpus; `words_behind` records of the store are not in it yet
        vectors          of texts; `meaning_behind` records of the store were not read for them yet
        working          is anything of it under way or waiting? fault: what stands in the way
        """
        follower, embedder = self._follower, self.embedder
        progress = follower.progress if follower is not None else None
        ready = embedder is not None and embedder.ready()
        why = self._without if embedder is None else "" if ready else embedder.fault or "the model is being loaded"
        cursors = [(one, one.cursor()) for one in (self.corpus, self.text_vectors) if one is not None]
        behind = [texts.behind(self._store, cursor) if self._store else 0 for _, cursor in cursors]
        return {
            "tier": "hybrid" if ready and self.vectors is not None else "lexical",
            "why": why,
            "model": embedder.name if embedder else "",
            "ready": ready,
            "documents": len(self.index.all()),
            "embedded": progress.documents.embedded if progress else 0,
            "document_vectors": self.vectors.count() if self.vectors is not None else 0,
            "texts": self.corpus.count() if self.corpus is not None else 0,
            "words_behind": behind[0] if self.corpus is not None else 0,
            "vectors": self.text_vectors.count() if self.text_vectors is not None else 0,
            "meaning_behind": behind[-1] if self.text_vectors is not None else 0,
            "working": follower is not None and follower.waiting(),
            "fault": progress.fault if progress else "",
        }

    def close(self) -> None:
        """Release everything. Idempotent."""
        if self.embedder is not None:
            self.embedder.close()  # a batch under way gets an error: the follower need not wait for it
        if self._follower is not None:
            self._follower.close()
        for one in (self.corpus, self.vectors, self.text_vectors, self.index):
            if one is not None:
                one.close()
