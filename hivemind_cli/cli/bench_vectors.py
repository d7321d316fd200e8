"""How near the graph of vectors comes to comparing all of them, and what it costs: made-up vectors, in clusters."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hivemind_cli.core.records import DEFAULT_WORKSPACE
from hivemind_cli.index.base import Place, Where

Vectors = NDArray[np.float32]

DIM = 384
TOP = 10
QUERIES = 100
_DIRECTIONS = 48
"""In which they really differ, of DIM: sentences' vectors fill no more of their space."""
_CLUSTERS = 500
_SPREAD = 0.6
_AT_ONCE = 10_000
_BUILD_S = 900.0


def measure(
    count: int, env: Mapping[str, str], tell: Callable[[str], object]
) -> tuple[float, list[float], list[float]]:
    """(share of the nearest TOP that is found, ms of each query, ms of comparing all). HivemindError, ImportError."""
    from hivemind_cli.index.usearch import UsearchVectors

    chance = np.random.default_rng(1)
    draw = _drawn(chance)
    with tempfile.TemporaryDirectory(prefix="hivemind-bench-") as folder:
        store = UsearchVectors(Path(folder) / "vectors", model="bench", dim=DIM, env=env, work=Path(folder))
        try:
            everything = np.empty((count, DIM), np.float16)
            for start in range(0, count, _AT_ONCE):
                part = draw(min(_AT_ONCE, count - start))
                everything[start : start + len(part)] = part
                places = [_place(start + n) for n in range(len(part))]
                store.update(places, part, (), cursor=start + len(part))
                tell(f"vectors: {start + len(part):,} of {count:,}")
            tell(f"vectors: the graph of {count:,} is built")
            deadline = time.monotonic() + _BUILD_S
            while store.maintain() and time.monotonic() < deadline:
                time.sleep(0.2)
            return _compared(store.near, everything, draw(QUERIES))
        finally:
            store.close()


Near = Callable[..., list[tuple[str, float]]]


def _compared(near: Near, everything: NDArray[np.float16], queries: Vectors) -> tuple[float, list[float], list[float]]:
    where = Where(workspace_id=DEFAULT_WORKSPACE)
    near(queries[0], where, limit=TOP)
    found, asked_ms, exact_ms = 0, [], []
    for query in queries:
        started = time.perf_counter()
        ids = {one for one, _ in near(query, where, limit=TOP)}
        between = time.perf_counter()
        best = _nearest(everything, query)
        asked_ms.append((between - started) * 1000)
        exact_ms.append((time.perf_counter() - between) * 1000)
        found += len(ids & {str(number) for number in best})
    return found / (TOP * len(queries)), asked_ms, exact_ms


def _nearest(everything: NDArray[np.float16], query: Vectors) -> list[int]:
    """Numbers of the TOP nearest, all compared."""
    scores = np.concatenate([part.astype(np.float32) @ query for part in _parts(everything)])
    return [int(number) for number in np.argpartition(-scores, TOP)[:TOP]]


def _parts(everything: NDArray[np.float16]) -> Iterator[NDArray[np.float16]]:
    for start in range(0, len(everything), 50_000):
        yield everything[start : start + 50_000]


def _drawn(chance: np.random.Generator) -> Callable[[int], Vectors]:
    """Draws so many unit vectors around common centres."""
    into = chance.standard_normal((_DIRECTIONS, DIM)).astype(np.float32)
    centres = chance.standard_normal((_CLUSTERS, _DIRECTIONS)).astype(np.float32)

    def draw(count: int) -> Vectors:
        around = centres[chance.integers(_CLUSTERS, size=count)]
        near = around + _SPREAD * chance.standard_normal((count, _DIRECTIONS)).astype(np.float32)
        vectors: Vectors = near @ into + 0.2 * chance.standard_normal((count, DIM)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    return draw


def _place(number: int) -> Place:
    return Place(id=str(number), part="text", digest=str(number), workspace_id=DEFAULT_WORKSPACE)
