"""Unit vectors as int8 with what that loses, so that most of them need no look: the nearest ones stay exact.

A row is `scale * bytes` and an error of known length, so its cosine with a vector lies within known bounds of what the
bytes say. Whatever could by these bounds be among the best is counted again in float32. A quarter of the memory is
read, which is what a scan costs. Works for any numpy; numkong (usearch brings it) has the instructions for int8.
"""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS_MIN = 20_000
"""Fewer are scanned as they are in as little time: they stay in the processor's cache (0.3 ms for 10,000 of 384)."""
_BYTE = 127
_BLOCK = 64
"""Rows of which only the best is looked at for the threshold."""
_CHUNK_ROWS = 16_384
_AGAIN_SHARE_MAX = 0.1
"""Of the rows; with more to count again the bytes have told nothing."""
_SLACK = 1e-5
"""For what float32 itself loses."""


class Quantized:
    """The first rows of a matrix of unit vectors, which only grows. Any thread."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._lock = threading.Lock()
        self._rows = 0
        self._bytes: NDArray[np.int8] = np.empty((0, dim), np.int8)
        self._scales: NDArray[np.float32] = np.empty(0, np.float32)
        self._lost = 0.0
        """Length of the longest error."""

    def cosines(
        self, vectors: NDArray[np.float32], unit: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float] | None:
        """[rows]: the cosine of each row of `vectors` with `unit`, and by how much none is off at most.

        None: few rows, or a vector of zeros: count them.
        """
        rows = len(vectors)
        step = float(np.abs(unit).max()) / _BYTE
        if rows < ROWS_MIN or not step:
            return None
        quantized, scales, lost = self._up_to(vectors)
        rounded = np.rint(unit / step).astype(np.int8)
        missing = float(np.linalg.norm(unit - step * rounded))
        said = _products(quantized[:rows], rounded) * (scales[:rows] * np.float32(step))
        return said, lost + missing * (1 + lost) + _SLACK

    def _up_to(self, vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32], float]:
        """Of at least all rows of `vectors`."""
        with self._lock:
            rows = len(vectors)
            if rows > self._rows:
                if rows > len(self._bytes):
                    room = rows + rows // 4
                    self._bytes = _longer(self._bytes, self._rows, room)
                    self._scales = _longer(self._scales, self._rows, room)
                for start in range(self._rows, rows, _CHUNK_ROWS):
                    self._take(vectors[start : start + _CHUNK_ROWS], start)
                self._rows = rows
            return self._bytes, self._scales, self._lost

    def _take(self, vectors: NDArray[np.float32], start: int) -> None:
        scales = np.abs(vectors).max(axis=1) / np.float32(_BYTE)
        steps = np.where(scales > 0, scales, 1)[:, None]
        rounded = np.rint(vectors / steps)
        self._lost = max(self._lost, float(np.linalg.norm(vectors - rounded * steps, axis=1).max()))
        self._bytes[start : start + len(vectors)] = rounded
        self._scales[start : start + len(vectors)] = scales


def among_best(scores: NDArray[Any], count: int, slack: float) -> NDArray[np.int64] | None:
    """Places among which the `count` highest are, if each score may be off by `slack`; None: all may be."""
    blocks = len(scores) // _BLOCK
    if blocks < count:
        return None
    best_of_blocks = scores[: blocks * _BLOCK].reshape(-1, _BLOCK).max(axis=1)
    kth = float(np.partition(best_of_blocks, blocks - count)[blocks - count])
    places = np.flatnonzero(scores >= kth - 2 * slack)
    return places if len(places) <= _AGAIN_SHARE_MAX * len(scores) else None


def _products(rows: NDArray[np.int8], vector: NDArray[np.int8]) -> NDArray[np.float32]:
    """[rows], new."""
    try:
        from numkong import cdist
    except ImportError:
        parts = [
            rows[start : start + _CHUNK_ROWS].astype(np.float32) @ vector.astype(np.float32)
            for start in range(0, len(rows), _CHUNK_ROWS)
        ]
        return np.concatenate(parts)
    found: NDArray[np.float32] = np.asarray(cdist(vector[None], rows, metric="dot"))[0].astype(np.float32)
    return found


def _longer(array: NDArray[Any], rows: int, room: int) -> NDArray[Any]:
    longer = np.empty((room, *array.shape[1:]), array.dtype)
    longer[:rows] = array[:rows]
    return longer
