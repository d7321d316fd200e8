"""The agents' own tables as part of the owner: opened when first asked for, for most daemons never are."""

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hivemind_cli.app.evaluations import Evaluations
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.paths import Paths
from hivemind_cli.storage.base import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hivemind_cli.app.meaning import WhenLoaded
    from hivemind_cli.app.memory import Memory
    from hivemind_cli.embedding.hashing import Hashing
    from hivemind_cli.llm.base import Provider
    from hivemind_cli.storage.tables import Tables

FEW_TEXTS = 8
"""So few are embedded by the process that answers queries, where it has its model already."""


class AgentMemory:
    """Holds a Memory once there is one. Any thread."""

    def __init__(
        self,
        paths: Paths,
        store: Store,
        embedder: "WhenLoaded | None",
        provider: "Provider | None" = None,
        evaluations_day_max: int = 0,
    ) -> None:
        """`provider` judges what agents store, so often a day."""
        self._paths, self._store = paths, store
        self._provider = Evaluations(provider, store, evaluations_day_max) if provider else None
        self._embedding = TableEmbedding(embedder)
        self._lock = threading.Lock()
        self._memory: Memory | None = None

    def opened(self) -> "Memory":
        """The Memory. It opens no database before a workspace is asked for."""
        with self._lock:
            if self._memory is None:
                from hivemind_cli.app.memory import Memory

                self._memory = Memory(
                    self._tables,
                    index=self._paths.index / "tables",
                    handed_over=self._paths.handed,
                    embedding=self._embedding,
                    provider=self._provider,
                )
            return self._memory

    def call(self, verb: str, args: dict[str, Any]) -> Any:
        """memory.<method>."""
        return self.opened().call(verb.removeprefix("memory."), args)

    def rest(self) -> None:
        """Close what was left open."""
        if self._memory is not None:
            self._memory.rest()

    def close(self) -> None:
        """Release it. Idempotent."""
        with self._lock:
            memory, self._memory = self._memory, None
        if memory is not None:
            memory.close()

    def _tables(self) -> "Tables":
        from hivemind_cli.storage.duckdb import DuckDBStore

        if not isinstance(self._store, DuckDBStore):
            raise ConfigError(
                "This store holds no tables of agents.",
                why=f"It is {type(self._store).__name__}.",
                fix="Set `storage.engine` to duckdb, or connect to a PostgreSQL URL.",
            )
        return self._store.tables()


class TableEmbedding:
    """Texts of tables as vectors: by the configured model, else by hashed words. See tables.workspace.Embedding."""

    def __init__(self, embedder: "WhenLoaded | None") -> None:
        self._embedder = embedder

    @cached_property
    def _hashing(self) -> "Hashing":
        from hivemind_cli.embedding.hashing import Hashing

        return Hashing()

    @property
    def model(self) -> str:
        return self._embedder.name if self._embedder else self._hashing.name

    @property
    def dim(self) -> int:
        return self._embedder.dim if self._embedder else self._hashing.dim

    def __call__(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        if self._embedder is None:
            return self._hashing.embed(texts)
        if len(texts) <= FEW_TEXTS and self._embedder.ready():
            return self._embedder.embed(texts)
        return self._embedder.in_bulk(texts)
