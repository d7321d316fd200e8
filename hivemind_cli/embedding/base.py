"""The Embedder port: texts in, unit vectors out. Everything runs on this machine; nothing is downloaded."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOKENS_MAX = 256
QUERY_TOKENS_MAX = 128
"""Of what recall compares with skills: what a prompt is about stands at its beginning, and half takes half the time."""
EXTRA = "pip install 'hivemind-loop[embeddings]'"
"""What brings the runtimes."""
SILENT = {"ORT_DISABLE_TELEMETRY": "1", "ORT_TELEMETRY_DISABLED": "1"}
"""Set before onnxruntime is loaded: its packages otherwise send figures to their maker, and keep an id in the home."""
_CHARS_PER_TOKEN = 64
"""Text beyond so many characters a token is not looked at: a tokenizer reads a megabyte in a second."""
_STREAM_TEXTS = 64


class Embedder(Protocol):
    """Turns texts into vectors whose dot product is their similarity (cosine)."""

    @property
    def name(self) -> str:
        """The model and how it runs: all-MiniLM-L6-v2/onnx-int8. Vectors of two names cannot be compared."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def embed(self, texts: Sequence[str], *, tokens_max: int = TOKENS_MAX) -> "NDArray[np.float32]":
        """(len(texts), dim), in the order of `texts`, rows of unit length.

        Of each text the first `tokens_max` tokens count. Any text is fine, the empty one too. ModelError.
        """


def embed_stream(
    embedder: Embedder,
    texts: Iterable[str],
    *,
    tokens_max: int = TOKENS_MAX,
    progress: Callable[[int], object] | None = None,
) -> "Iterator[NDArray[np.float32]]":
    """The vectors of any number of texts, a small batch at a time; neither texts nor vectors are collected.

    `progress` is told how many texts were done, after each batch. ModelError as `embed`.
    """
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == _STREAM_TEXTS:
            yield embedder.embed(batch, tokens_max=tokens_max)
            if progress:
                progress(len(batch))
            batch = []
    if batch:
        yield embedder.embed(batch, tokens_max=tokens_max)
        if progress:
            progress(len(batch))


def readable(text: str, tokens_max: int) -> str:
    """`text` as tokenizers take it: half characters (lone surrogates) become `?`, what is too long to matter is cut."""
    return text[: max(tokens_max, 1) * _CHARS_PER_TOKEN].encode("utf-8", "replace").decode("utf-8")


def unit(vectors: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Each row at length 1; a row of zeros becomes the first axis, so that every row is a direction."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    empty = ~(lengths[:, 0] > 0)
    rows: NDArray[np.float32] = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    if empty.any():
        rows[empty] = 0
        rows[empty, 0] = 1
    return rows


def sha256_of(path: Path) -> str:
    """Of a file, in hex. OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
