"""The vectors of a bench's texts: made once, kept between runs in a folder of ours that is safe to delete."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hivemind_cli.core.paths import FOLDER_MODE
from hivemind_cli.index.base import Place
from hivemind_cli.index.inmemory_vectors import InMemoryVectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hivemind_cli.embedding.base import Embedder

KEPT_MAX = 4
"""Files of vectors that are kept: the last used."""
_BATCH = 64
Progress = Callable[[int, int], object]
"""Told how many of how many texts are embedded."""


def vectors_of(
    parts: Sequence[tuple[Place, str]], embedder: "Embedder", cache: Path, progress: Progress
) -> InMemoryVectors:
    """The vectors of (place, text) each. ModelError."""
    places = [place for place, _ in parts]
    told = hashlib.sha256("\n".join([embedder.name, *(place.digest for place in places)]).encode()).hexdigest()
    kept = cache / f"{told[:32]}.npy"
    found = _kept(kept, (len(parts), embedder.dim))
    if found is None:
        found = _embedded([text for _, text in parts], embedder, progress)
        _keep(kept, found)
    vectors = InMemoryVectors(model=embedder.name)
    vectors.update(places, found, [], cursor=1)
    return vectors


def _embedded(texts: Sequence[str], embedder: "Embedder", progress: Progress) -> "NDArray[np.float32]":
    """The vectors of `texts`: those of like length together, since a batch costs as much as its longest."""
    import numpy as np

    found = np.zeros((len(texts), embedder.dim), np.float32)
    order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
    for start in range(0, len(order), _BATCH):
        some = order[start : start + _BATCH]
        found[some] = embedder.embed([texts[n] for n in some])
        progress(start + len(some), len(texts))
    return found


def _kept(path: Path, shape: tuple[int, int]) -> "NDArray[np.float32] | None":
    import numpy as np

    try:
        found = np.load(path, allow_pickle=False)
        os.utime(path)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == shape and found.dtype == np.float32 else None


def _keep(path: Path, vectors: "NDArray[np.float32]") -> None:
    """For the next run; where that cannot be, it goes without."""
    import numpy as np

    try:
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        aside = path.with_suffix(f".{os.getpid()}.tmp")
        with aside.open("wb") as file:
            np.save(file, vectors, allow_pickle=False)
        aside.replace(path)
        old = sorted(path.parent.iterdir(), key=lambda one: one.stat().st_mtime, reverse=True)[KEPT_MAX:]
        for one in old:
            one.unlink(missing_ok=True)
    except OSError:
        return
