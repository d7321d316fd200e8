"""Numbered vectors of one length in a file that only grows, the newest in memory: exact cosines of all of them.

    vectors     float32 [rows, dim], rows of unit length or zero
    numbers     int64 [rows], ascending
    bytes       int8 [rows, dim], the vectors once more (index/quantized.py)
    scales      float32 [rows]

What counts of them, and their CRC-32, stands in a manifest.
"""

import os
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hivemind_cli.core.paths import FILE_MODE
from hivemind_cli.index.arrays import Damaged, as_bytes
from hivemind_cli.index.quantized import Quantized

KINDS = ("vectors", "numbers", "bytes", "scales")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """Some vectors, in the order of their numbers."""

    vectors: NDArray[np.float32]
    numbers: NDArray[np.int64]
    quantized: Quantized | None = None
    """Of those in files."""


@dataclass(frozen=True, slots=True)
class Rough:
    """The cosine of all vectors with one, each off by `slack` at most."""

    numbers: NDArray[np.int64]
    """Ascending."""
    cosines: NDArray[np.float32]
    slack: float
    parts: Sequence[Part]
    unit: NDArray[np.float32]

    def exactly(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Of those at some places, ascending."""
        found, begun = [], 0
        for one in self.parts:
            inside = places[(places >= begun) & (places < begun + len(one.numbers))] - begun
            found.append(np.clip(one.vectors[inside] @ self.unit, -1, 1))
            begun += len(one.numbers)
        return np.concatenate(found)


@dataclass(slots=True)
class Matrix:
    """Vectors of length `dim` in `folder`. One writer at a time; readers take `parts`."""

    folder: Path
    dim: int
    stored: int = 0
    """Rows in the files that count."""
    crcs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    _mapped: Part | None = None
    _tail: Part | None = None
    """Longer than `_tail_rows`, perhaps."""
    _tail_rows: int = 0
    lost: float = 0.0
    """Length of what the bytes lose of a vector, at most."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return self.stored + self._tail_rows

    def parts(self) -> list[Part]:
        """All of it, as it is now."""
        with self._lock:
            found = [self._mapped] if self._mapped is not None else []
            if self._tail is not None and self._tail_rows:
                found.append(Part(self._tail.vectors[: self._tail_rows], self._tail.numbers[: self._tail_rows]))
        return found

    def rough(self, vector: NDArray[np.float32]) -> Rough | None:
        """None: there are so few that they are counted as quickly."""
        wanted, parts = unit(vector), self.parts()
        quantized = parts[0].quantized if parts else None
        found = quantized.cosines(wanted) if quantized is not None else None
        if found is None:
            return None
        cosines, slack = found
        if len(parts) == 1:
            return Rough(parts[0].numbers, cosines, slack, parts, wanted)
        rest = [np.clip(one.vectors @ wanted, -1, 1) for one in parts[1:]]
        numbers = np.concatenate([one.numbers for one in parts])
        return Rough(numbers, np.concatenate([cosines, *rest]), slack, parts, wanted)

    def add(self, numbers: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """To the rows in memory. `vectors` of any length; a row of zeros stays one."""
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        units = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32, copy=False)
        rows = self._tail_rows + len(numbers)
        tail = self._tail
        if tail is None or len(tail.numbers) < rows:
            room = rows + rows // 2 + 16
            longer = Part(np.empty((room, self.dim), np.float32), np.empty(room, np.int64))
            if tail is not None:
                longer.vectors[: self._tail_rows] = tail.vectors[: self._tail_rows]
                longer.numbers[: self._tail_rows] = tail.numbers[: self._tail_rows]
            tail = longer
        tail.vectors[self._tail_rows : rows] = units
        tail.numbers[self._tail_rows : rows] = numbers
        with self._lock:
            self._tail, self._tail_rows = tail, rows

    @property
    def waiting(self) -> int:
        """Rows that are in memory only."""
        return self._tail_rows

    def store(self) -> None:
        """Write the rows that are in memory; they count once the manifest says so (`said`). OSError."""
        tail, rows = self._tail, self._tail_rows
        if tail is None or not rows:
            return
        quantized = Quantized.of(tail.vectors[:rows])
        columns: Sequence[NDArray[Any]] = (tail.vectors[:rows], tail.numbers[:rows], quantized.bytes, quantized.scales)
        crcs, lost = dict(self.crcs), max(self.lost, quantized.lost)
        for kind, column in zip(KINDS, columns, strict=True):
            data, at = as_bytes(column), self.stored * self._size(kind)
            crcs[kind] = zlib.crc32(data, crcs[kind])
            fd = os.open(self.folder / kind, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            try:
                while data:
                    written = os.pwrite(fd, data, at)
                    data, at = data[written:], at + written
            finally:
                os.close(fd)
        mapped = self._map(self.stored + rows, lost)
        with self._lock:
            self._mapped, self.stored, self.crcs, self.lost = mapped, self.stored + rows, crcs, lost
            self._tail, self._tail_rows = None, 0

    def said(self) -> dict[str, Any]:
        """For the manifest."""
        return {"dim": self.dim, "stored": self.stored, "crcs": self.crcs, "lost": self.lost}

    @classmethod
    def opened(cls, folder: Path, said: dict[str, Any]) -> "Matrix":
        """What a manifest speaks of. OSError, Damaged."""
        crcs = {kind: int(said["crcs"][kind]) for kind in KINDS}
        matrix = cls(folder, int(said["dim"]), int(said["stored"]), crcs, lost=float(said["lost"]))
        if matrix.stored:
            for kind in KINDS:
                if _crc_of(folder / kind, matrix.stored * matrix._size(kind)) != crcs[kind]:
                    raise Damaged(kind)
            matrix._mapped = matrix._map(matrix.stored, matrix.lost)
        return matrix

    def _size(self, kind: str) -> int:
        """Bytes of a row."""
        return {"vectors": 4 * self.dim, "numbers": 8, "bytes": self.dim, "scales": 4}[kind]

    def _map(self, rows: int, lost: float) -> Part:
        def mapped(kind: str, type: Any, *shape: int) -> NDArray[Any]:
            return np.asarray(np.memmap(self.folder / kind, type, "r", shape=(rows, *shape)))

        bytes, scales = mapped("bytes", np.int8, self.dim), mapped("scales", np.float32)
        vectors, numbers = mapped("vectors", np.float32, self.dim), mapped("numbers", np.int64)
        return Part(vectors, numbers, Quantized(bytes, scales, lost))


def cosines(parts: Sequence[Part], vector: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Numbers, ascending, and the cosine of each with `vector`: -1..1, 0 where one of the two is zero."""
    wanted = unit(vector)
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    scores = [np.clip(one.vectors @ wanted, -1, 1) for one in parts]
    if len(parts) == 1:
        return parts[0].numbers, scores[0]
    return np.concatenate([one.numbers for one in parts]), np.concatenate(scores)


def cosines_among(
    parts: Sequence[Part], vector: NDArray[np.float32], numbers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The same of those alone that have one of some numbers, which ascend."""
    wanted = unit(vector)
    found, scores = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    for one in parts:
        at = np.minimum(np.searchsorted(one.numbers, numbers), len(one.numbers) - 1)
        at = at[one.numbers[at] == numbers]
        found.append(one.numbers[at])
        scores.append(np.clip(one.vectors[at] @ wanted, -1, 1))
    return np.concatenate(found), np.concatenate(scores)


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """At length 1; zeros stay."""
    wide = vector.astype(np.float64)
    length = float(np.linalg.norm(wide))
    found: NDArray[np.float32] = (wide / length if length > 0 else wide).astype(np.float32)
    return found


def _crc_of(path: Path, size: int) -> int:
    crc = 0
    with path.open("rb") as file:
        while size > 0 and (data := file.read(min(size, _CHUNK))):
            crc = zlib.crc32(data, crc)
            size -= len(data)
    if size:
        raise Damaged(path.name)
    return crc
