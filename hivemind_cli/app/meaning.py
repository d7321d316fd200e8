"""Meaning for the daemon: an embedder that keeps nobody waiting, neither for its model to load nor for other work.

queries   one at a time, before all else, in a process that is not niced; what was asked lately is kept
the loop  a few texts at a time, between the queries
bulk      in a second process, niced, which leaves when there is nothing more to do
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from typing import TYPE_CHECKING, Protocol

from hivemind_cli.app.precedence import Precedence
from hivemind_cli.core.errors import ModelError
from hivemind_cli.embedding.base import TOKENS_MAX, Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AGAIN_S = 60.0
"""Between two tries to start a model that does not come up."""
AT_ONCE_TEXTS = 2
"""Texts of the loop between which a query is let in: 256 tokens take 10 ms each."""
KEPT_QUERIES = 512
"""Vectors of queries that are kept: 1.5 kB each."""
_Asked = tuple[str, int]
"""A text, and how many of its tokens count."""
WAITING_MAX = 16
"""Queries that wait for the model; one more is answered by words at once."""


class Started(Embedder, Protocol):
    """An embedder that has to be started."""

    fault: Exception | None
    """Why it did not come up when it was last started."""

    def ready(self) -> bool:
        """Is the model loaded?"""

    def warm(self) -> None:
        """Load it in the background."""

    def close(self) -> None:
        """Let go of it. Idempotent."""


class AtHand:
    """An embedder that needs no starting (hashing), as if it did."""

    fault: Exception | None = None

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.name, self.dim = embedder.name, embedder.dim

    def __repr__(self) -> str:
        return f"AtHand({self._embedder!r})"

    def embed(self, texts: Sequence[str], *, tokens_max: int = TOKENS_MAX) -> "NDArray[np.float32]":
        """See Embedder."""
        return self._embedder.embed(texts, tokens_max=tokens_max)

    def ready(self) -> bool:
        """Always."""
        return True

    def warm(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing is held."""


class WhenLoaded:
    """`embedder`, once its model is loaded; until then every `embed` is a ModelError, and the model is being loaded.

    Whoever asks goes by words meanwhile: a hook waits for nobody.
    """

    def __init__(self, embedder: Started, bulk: Started | None = None) -> None:
        """`bulk`: the same model for work that nobody waits for; else `embedder` does that, too."""
        self._embedder, self._bulk = embedder, bulk or embedder
        self._tried = -AGAIN_S
        self._first = Precedence()
        self._kept: OrderedDict[_Asked, NDArray[np.float32]] = OrderedDict()
        self._asked: dict[_Asked, Future[NDArray[np.float32]]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="query")
        self.name, self.dim = embedder.name, embedder.dim

    def __repr__(self) -> str:
        return f"WhenLoaded({self._embedder!r})"

    def embed(self, texts: Sequence[str], *, tokens_max: int = TOKENS_MAX) -> "NDArray[np.float32]":
        """See Embedder. ModelError: not loaded yet."""
        import numpy as np

        self._need()
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for at in range(0, len(texts), AT_ONCE_TEXTS):
            self._first.give_way()
            some = texts[at : at + AT_ONCE_TEXTS]
            vectors[at : at + len(some)] = self._embedder.embed(some, tokens_max=tokens_max)
        return vectors

    def in_bulk(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """As `embed`, of work that nobody waits for: its process is started if it does not run. ModelError."""
        return self._bulk.embed(texts)

    def query(self, text: str, within_s: float, *, tokens_max: int = TOKENS_MAX) -> "NDArray[np.float32] | None":
        """The text's vector; None: not loaded, or not in time. What comes too late is there for the next time."""
        found = self.begin(text, tokens_max=tokens_max)
        if not isinstance(found, Future):
            return found
        try:
            return found.result(within_s)
        except (NotInTime, ModelError, CancelledError):
            return None

    def begin(
        self, text: str, *, tokens_max: int = TOKENS_MAX
    ) -> "Future[NDArray[np.float32]] | NDArray[np.float32] | None":
        """The text's vector, or what will give it; None: not loaded, or too much is asked at once. At once."""
        asked = (text, tokens_max)
        with self._lock:
            kept = self._kept.get(asked)
            if kept is not None:
                self._kept.move_to_end(asked)
                return kept
        try:
            self._need()
        except ModelError:
            return None
        with self._lock:
            waiting = self._asked.get(asked)
            if waiting is None:
                if self._closed or len(self._asked) >= WAITING_MAX:
                    return None
                waiting = self._asked[asked] = self._pool.submit(self._ask, asked)
            return waiting

    def forget(self) -> None:
        """What was asked lately is kept no longer."""
        with self._lock:
            self._kept.clear()

    def ready(self) -> bool:
        """Is the model loaded?"""
        return self._embedder.ready()

    def warm(self) -> None:
        """Load the model in the background, unless that was tried a moment ago."""
        now = time.monotonic()
        if not self.ready() and now - self._tried >= AGAIN_S:
            self._tried = now
            self._embedder.warm()

    @property
    def fault(self) -> str:
        """Why the model does not come up; "" if it did, or may yet."""
        return str(self._embedder.fault) if self._embedder.fault and not self.ready() else ""

    def close(self) -> None:
        """End its processes."""
        with self._lock:
            self._closed = True
        self._embedder.close()
        self._bulk.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _need(self) -> None:
        if not self.ready():
            self.warm()
            raise ModelError(f"{self.name} is still being loaded.")

    def _ask(self, asked: _Asked) -> "NDArray[np.float32]":
        text, tokens_max = asked
        try:
            with self._first.question():
                vector: NDArray[np.float32] = self._embedder.embed([text], tokens_max=tokens_max)[0]
            with self._lock:
                self._kept[asked] = vector
                while len(self._kept) > KEPT_QUERIES:
                    self._kept.popitem(last=False)
            return vector
        finally:
            with self._lock:
                self._asked.pop(asked, None)
