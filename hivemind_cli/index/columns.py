"""A table's column as an index in a folder: words of texts, or vectors. Numbered rows only come, in ascending order.

The newest rows are in memory, and are written when there are many: whoever adds rows says up to which number they go,
and after a start `cursor` says from which number they are wanted again. A folder that is missing, damaged or of another
column is begun anew, at cursor 0.
"""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.paths import FOLDER_MODE
from hivemind_cli.index import arrays
from hivemind_cli.index.inverted import Scores, Segment, best, made, merged, scores, worth_merging
from hivemind_cli.index.matrix import Matrix, Part, Rough, cosines, cosines_among

logger = logging.getLogger(__name__)

FORMAT = 2
WAITING_MAX = 4096
"""Rows in memory; more are written."""


class _Column:
    """What both have. One thread at a time adds; any may ask meanwhile."""

    def __init__(self, folder: Path, of: str) -> None:
        """`of` names the column: a folder of another one is begun anew."""
        self.folder = folder
        self._of = f"{FORMAT} {of}"
        self.cursor = 0
        """Up to which number rows were added."""
        self.left_out = 0
        """Rows up to there that were not wanted."""
        try:
            said = arrays.load_manifest(folder)
            if said is None or said["of"] != self._of:
                self.clear()
            else:
                self.cursor, self.left_out = int(said["cursor"]), int(said["left_out"])
                self._open(said)
        except (OSError, ValueError, KeyError, TypeError, arrays.Damaged) as exc:
            logger.warning("the index in %s is begun anew: %s", folder, exc)
            self.clear()

    def clear(self) -> None:
        """Forget everything; the cursor is 0. HivemindError: the folder cannot be written at all."""
        self.cursor = self.left_out = 0
        self._forget()
        try:
            if self.folder.is_dir() and not self.folder.is_symlink():
                shutil.rmtree(self.folder)
            else:
                self.folder.unlink(missing_ok=True)
            self.folder.mkdir(mode=FOLDER_MODE, parents=True)
        except OSError as exc:
            raise _unwritable(self.folder, exc) from exc

    def save(self) -> None:
        """Write what is in memory only. HivemindError."""
        try:
            said = {"of": self._of, "cursor": self.cursor, "left_out": self.left_out, **self._written()}
            arrays.save_manifest(self.folder, said)
            self._sweep()
        except OSError as exc:
            raise _unwritable(self.folder, exc) from exc

    def _open(self, said: dict[str, Any]) -> None:
        raise NotImplementedError

    def _forget(self) -> None:
        raise NotImplementedError

    def _written(self) -> dict[str, Any]:
        raise NotImplementedError

    def _sweep(self) -> None:
        raise NotImplementedError


class TextColumn(_Column):
    """Words of texts."""

    _segments: tuple[Segment, ...] = ()
    """By their numbers, those in files first."""
    _files: tuple[tuple[str, int], ...] = ()
    """Name and CRC-32 of each that is in one."""

    def __len__(self) -> int:
        return sum(len(one) for one in self._segments)

    def add(self, numbers: NDArray[np.int64], texts: Sequence[str], cursor: int) -> None:
        """Numbers above all before."""
        if len(numbers):
            self._segments = _settled((*self._segments, made(numbers, texts)), len(self._files))
        self.cursor = cursor
        if sum(len(one) for one in self._segments[len(self._files) :]) >= WAITING_MAX:
            self.save()

    def scores(self, query: str) -> Scores:
        """BM25 of every text that has a word of `query`."""
        return scores(self._segments, query)

    def best(self, query: str, count: int, allowed: NDArray[np.int64] | None = None) -> Scores:
        """Of some of them, the `count` highest among them; of those `allowed` (ascending) alone."""
        return best(self._segments, query, count, allowed)

    def _open(self, said: dict[str, Any]) -> None:
        self._files = tuple((str(name), int(crc)) for name, crc in said["files"])
        self._segments = tuple(Segment(**arrays.load(self.folder / name, crc)) for name, crc in self._files)

    def _forget(self) -> None:
        self._segments, self._files = (), ()

    def _written(self) -> dict[str, Any]:
        segments = self._segments
        while len(segments) > len(self._files) + 1:
            segments = (*segments[:-2], merged(segments[-2], segments[-1]))
        segments = _settled(segments, 0)
        kept = len(
            [1 for one, other in zip(segments, self._segments[: len(self._files)], strict=False) if one is other]
        )
        files = list(self._files[:kept])
        for segment in segments[kept:]:
            name = f"words-{self.cursor}-{len(files)}"
            files.append((name, arrays.save(self.folder / name, segment.arrays())))
        self._segments = (
            *segments[:kept],
            *(Segment(**arrays.load(self.folder / name, crc)) for name, crc in files[kept:]),
        )
        self._files = tuple(files)
        return {"files": files}

    def _sweep(self) -> None:
        known = {name for name, _ in self._files}
        for path in self.folder.glob("words-*"):
            if path.name not in known:
                path.unlink(missing_ok=True)


class VectorColumn(_Column):
    """Vectors of one length."""

    def __init__(self, folder: Path, of: str, dim: int) -> None:
        self.dim = dim
        self._matrix = Matrix(folder, dim)
        super().__init__(folder, f"{of} {dim}")

    def __len__(self) -> int:
        return len(self._matrix)

    def add(self, numbers: NDArray[np.int64], vectors: NDArray[np.float32], cursor: int) -> None:
        """Numbers above all before."""
        if len(numbers):
            self._matrix.add(numbers, vectors)
        self.cursor = cursor
        if self._matrix.waiting >= WAITING_MAX:
            self.save()

    def parts(self) -> list[Part]:
        """All vectors, as they are now."""
        return self._matrix.parts()

    def cosines(self, vector: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Numbers, ascending, and the cosine of each with `vector`."""
        return cosines(self._matrix.parts(), vector)

    def cosines_among(
        self, vector: NDArray[np.float32], numbers: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The same of those alone that have one of some numbers, which ascend."""
        return cosines_among(self._matrix.parts(), vector, numbers)

    def rough(self, vector: NDArray[np.float32]) -> Rough | None:
        """Nearly so, in a fifth of the time; None: there are so few that it takes none."""
        return self._matrix.rough(vector)

    def _open(self, said: dict[str, Any]) -> None:
        self._matrix = Matrix.opened(self.folder, said["matrix"])

    def _forget(self) -> None:
        self._matrix = Matrix(self.folder, self.dim)

    def _written(self) -> dict[str, Any]:
        self._matrix.store()
        return {"matrix": self._matrix.said()}

    def _sweep(self) -> None:
        """Its files only grow."""


def _settled(segments: tuple[Segment, ...], fixed: int) -> tuple[Segment, ...]:
    """Merged until no neighbours are worth it; the first `fixed` stay."""
    while len(segments) > fixed + 1 and worth_merging(segments[-2], segments[-1]):
        segments = (*segments[:-2], merged(segments[-2], segments[-1]))
    return segments


def _unwritable(folder: Path, exc: OSError) -> HivemindError:
    return HivemindError(
        "A table's index could not be written.",
        why=f"{folder}: {exc}.",
        fix="Free disk space or give your user write access; what was missed is indexed at the next query.",
    )
