"""Meaning for the loop: an embedder in a worker that never keeps anybody waiting for its model to load."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hivemind_cli.core.errors import ModelError
from hivemind_cli.embedding.base import TOKENS_MAX

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hivemind_cli.embedding.worker import InWorker

AGAIN_S = 60.0
"""Between two tries to start a model that does not come up."""


class WhenLoaded:
    """`embedder`, once its model is loaded; until then every `embed` is a ModelError, and the model is being loaded.

    Whoever asks goes by words meanwhile: a hook waits for nobody.
    """

    def __init__(self, embedder: "InWorker") -> None:
        self._embedder = embedder
        self._tried = -AGAIN_S
        self.name, self.dim = embedder.name, embedder.dim

    def __repr__(self) -> str:
        return f"WhenLoaded({self._embedder!r})"

    def embed(self, texts: Sequence[str], *, tokens_max: int = TOKENS_MAX) -> "NDArray[np.float32]":
        """See Embedder. ModelError: not loaded yet."""
        if not self.ready():
            now = time.monotonic()
            if now - self._tried >= AGAIN_S:
                self._tried = now
                self._embedder.warm()
            raise ModelError(f"{self.name} is still being loaded.")
        return self._embedder.embed(texts, tokens_max=tokens_max)

    def ready(self) -> bool:
        """Is the model loaded?"""
        return self._embedder.ready()

    def close(self) -> None:
        """End its process."""
        self._embedder.close()
