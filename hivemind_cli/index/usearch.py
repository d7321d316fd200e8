"""Vectors on disk: exact where few are in scope, by a graph (HNSW) where many are. The one file that knows usearch.

The rows are index/rows.py's. The graph is disposable: a child process builds it from them, and until it is there, and
for rows that came after it, everything is exact. What a filter lets pass is never guessed: neighbours that it does not
let pass are dropped, then more are asked for, and at last every row that passes is looked at.
"""

import contextlib
import logging
import mmap
import subprocess
import sys
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hivemind_cli.core import child
from hivemind_cli.core.paths import FILE_MODE
from hivemind_cli.index.base import Place, Where
from hivemind_cli.index.rows import Damaged, RowNumbers, Rows, State

if TYPE_CHECKING:
    from usearch.index import Index

logger = logging.getLogger(__name__)

EXACT_MAX = 50_000
"""Rows in scope that are all looked at: about 10 ms."""
HOT_MAX = 4096
"""So few rows are kept in memory, as f32 (6 MB at most): 1 ms, and usearch is not imported."""
CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH = 16, 128, 192
"""Measured with all-MiniLM-L6-v2, recall@10 at 128 and 192: of 100,000 vectors .981 and .990, of 770,000 .947 and .960
(0.9 and 1.3 ms of processor time)."""
WIDEST = 4096
"""Neighbours asked of the graph, at most, before every row is looked at."""
TAIL_SHARE, TAIL_MIN = 0.1, 5_000
"""Rows beyond the graph, at which it is extended: a share of it, and no fewer than."""
DEAD_SHARE, DEAD_MIN = 0.3, 1_000
"""Replaced and dropped rows, at which the files are written anew."""
BLOCK = 16_384
"""Rows that are copied at a time, where they do not stand side by side."""


@dataclass(frozen=True, slots=True)
class _Graph:
    """Rows 0 .. count of a generation."""

    generation: int
    count: int
    index: "Index"
    mapped: mmap.mmap
    """What `index` looks into."""

    def let_go(self) -> None:
        """What was looked at stays in the system's cache, but counts as our memory no more."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self.mapped.madvise(mmap.MADV_DONTNEED)

    def of(self, state: State) -> bool:
        """Are its rows of this state?"""
        return self.generation == state.generation and self.count <= state.count


@dataclass(slots=True)
class _Hot:
    """The first rows of a generation, checked and in memory."""

    generation: int = 0
    vectors: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """Longer than `ids`, perhaps."""
    ids: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)


class UsearchVectors:
    """Vectors in `folder`, which is ours alone: what is damaged or of another model is begun anew, at cursor 0."""

    def __init__(
        self,
        folder: Path,
        *,
        model: str,
        dim: int,
        env: Mapping[str, str] | None = None,
        work: Path | None = None,
        hot_max: int | None = None,
    ) -> None:
        """`hot_max`: rows that are kept in memory, at most; more than HOT_MAX for those that every hook asks.

        `env`, `work`: of the process that builds the graph; without them there is none, and all is exact.

        HivemindError only where the folder cannot be written at all.
        """
        self.model, self.dim = model, dim
        self._rows = Rows(folder, model, dim)
        self._hot = _Hot()
        self._hot_max = HOT_MAX if hot_max is None else hot_max
        self._graph: _Graph | None = None
        self._env, self._work = env, work
        self._builder: subprocess.Popen[bytes] | None = None
        self._graph_looked_for = 0
        """The generation whose graph file was looked for."""

    def __repr__(self) -> str:
        return f"UsearchVectors({str(self._rows.folder)!r}, {self.model!r}, count={self.count()})"

    def cursor(self) -> int:
        return self._rows.state.cursor

    def update(
        self,
        put: Sequence[Place],
        vectors: NDArray[np.float32],
        drop: Sequence[str],
        *,
        cursor: int,
        gone: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Drops first, then puts: what is in both is there."""
        with self._rows.lock:
            state = self._rows.state
            dead = self._rows.of_ids({place.id for place in put} | set(drop), state)
            if gone:
                dead = np.unique(np.concatenate([dead, *(state.of_session(*one) for one in gone)]))
            self._rows.append(put, vectors, dead, cursor=cursor)

    def near(
        self, vector: NDArray[np.float32], where: Where, *, limit: int, ids: Collection[str] | None = None
    ) -> list[tuple[str, float]]:
        """Ordered by cosine, then by id."""
        if limit <= 0 or vector.shape != (self.dim,):
            return []
        wanted = np.ascontiguousarray(vector, np.float32)
        found: list[tuple[str, float]] = self._read(lambda state: self._near(state, wanted, where, limit, ids), [])
        return found

    def parts(self, vector: NDArray[np.float32], ids: Collection[str]) -> dict[str, dict[str, float]]:
        if vector.shape != (self.dim,):
            return {}
        found: dict[str, dict[str, float]] = self._read(lambda state: self._parts(state, vector, ids), {})
        return found

    def digests(self, ids: Collection[str] | None = None) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = {}

        def read(state: State) -> dict[str, set[str]]:
            rows = np.flatnonzero(state.live) if ids is None else self._rows.of_ids(ids, state)
            said: dict[str, set[str]] = {}
            for id, digest, _ in state.strings(rows):
                said.setdefault(id, set()).add(digest)
            return said

        found = self._read(read, {})
        return {id: frozenset(digests) for id, digests in found.items()}

    def ids(self, where: Where) -> list[str]:
        found: list[str] = self._read(
            lambda state: sorted({id for id, _, _ in state.strings(np.flatnonzero(state.passes(where)))}), []
        )
        return found

    def count(self) -> int:
        state = self._rows.state
        return state.count - state.dead

    def clear(self) -> None:
        with self._rows.lock:
            self._rows.begin_anew()

    def close(self) -> None:
        if self._builder is not None:
            child.end(self._builder)
            self._builder = None
        self._graph = None

    def maintain(self) -> bool:
        """Write the files anew if much of them is dead, and see to the graph; is something of it under way?

        Called now and then by whoever updates. Nothing here takes longer than reading or writing the files once.
        """
        state = self._rows.state
        if state.dead > max(DEAD_MIN, DEAD_SHARE * state.count):
            self._read(lambda state: self._rows.compact(), None)
            state = self._rows.state
        if state.count <= self._hot_max:
            self._read(self._heated, None)
        if self._graph is not None:
            self._graph.let_go()
        if self._env is None or self._work is None:
            return False
        if self._builder is not None:
            if self._builder.poll() is None:
                return True
            child.end(self._builder)
            self._builder = None
            self._graph_looked_for = 0
        if self._graph_looked_for != state.generation:
            self._graph_looked_for = state.generation
            self._graph = _opened_graph(state)
        begun = self._graph.count if self._graph is not None else 0
        living = state.count - state.dead
        if living <= EXACT_MAX or state.count - begun <= max(TAIL_MIN, TAIL_SHARE * begun):
            return False
        said = [str(state.folder), str(state.generation), str(state.count), str(self.dim)]
        argv = [sys.executable, "-P", "-m", "hivemind_cli.index.usearch", *said]
        self._builder = child.start(argv, env=self._env, cwd=self._work)
        return True

    # -- reading

    def _read(self, work: Any, nothing: Any) -> Any:
        """What `work` makes of the rows; `nothing` if they turn out damaged, and are then begun anew."""
        for _ in range(3):
            state = self._rows.state
            try:
                return work(state)
            except Damaged as exc:
                self._damaged(state, str(exc))
                return nothing
            except OSError as exc:
                if self._rows.state.generation == state.generation:  # else they were written anew meanwhile
                    self._damaged(state, str(exc))
                    return nothing
        return nothing

    def _damaged(self, state: State, what: str) -> None:
        with self._rows.lock:
            if self._rows.state.generation == state.generation:
                logger.warning("the vectors in %s are begun anew: %s", state.folder, what)
                self._rows.begin_anew()

    def _near(
        self,
        state: State,
        vector: NDArray[np.float32],
        where: Where,
        limit: int,
        ids: Collection[str] | None,
    ) -> list[tuple[str, float]]:
        among = None if ids is None else self._rows.of_ids(ids, state)
        passes = state.passes(where, among)
        many = int(np.count_nonzero(passes))
        if not many:
            return []
        graph = self._graph
        if among is None and many > EXACT_MAX and graph is not None and graph.of(state):
            rows = self._by_graph(state, graph, vector, passes, limit)
            if rows is not None:
                return _told(state, vector, rows, limit)
        allowed = np.flatnonzero(passes) if among is None else among[passes]
        if state.count <= self._hot_max:
            return self._by_hot(state, vector, allowed, limit)
        some = min(4 * limit + 16, len(allowed))
        while True:
            rows = _best(state, vector, allowed, some)
            if some == len(allowed) or _ids_of(state, rows) >= limit:
                return _told(state, vector, rows, limit)
            some = min(4 * some, len(allowed))

    def _by_hot(
        self, state: State, vector: NDArray[np.float32], allowed: RowNumbers, limit: int
    ) -> list[tuple[str, float]]:
        hot = self._heated(state)
        scores = hot.vectors[allowed] @ vector if len(allowed) * 2 < state.count else _all(hot, state, vector)[allowed]
        best: dict[str, float] = {}
        least = 1.0
        for at in np.argsort(-scores, kind="stable").tolist():
            id, score = hot.ids[allowed[at]], float(scores[at])
            if len(best) >= limit and score < least:  # those as near as the last one stay, for their order by id
                break
            if id not in best:
                best[id] = least = score
        return sorted(best.items(), key=lambda one: (-one[1], one[0]))[:limit]

    def _by_graph(
        self, state: State, graph: _Graph, vector: NDArray[np.float32], passes: NDArray[np.bool_], limit: int
    ) -> RowNumbers | None:
        """The nearest rows that pass; None: too few of the graph's neighbours do."""
        half = vector.astype(np.float16)
        some = max(4 * limit, EXPANSION_SEARCH)
        while some <= WIDEST:
            keys = graph.index.search(half, some, threads=1).keys.astype(np.int64)
            rows = keys[passes[keys]]
            if _ids_of(state, rows) >= limit:
                tail = graph.count + np.flatnonzero(passes[graph.count :])
                return np.concatenate([rows, _best(state, vector, tail, min(4 * limit, len(tail)))])
            some *= 4
        return None

    def _parts(self, state: State, vector: NDArray[np.float32], ids: Collection[str]) -> dict[str, dict[str, float]]:
        rows = self._rows.of_ids(ids, state)
        if not len(rows):
            return {}
        if state.count <= self._hot_max:
            hot = self._heated(state)
            scores = hot.vectors[rows] @ vector
            said: Iterator[tuple[str, str]] = ((hot.ids[row], hot.parts[row]) for row in rows)
        else:
            scores = state.checked(rows) @ vector
            said = ((id, part) for id, _, part in state.strings(rows))
        found: dict[str, dict[str, float]] = {}
        for (id, part), score in zip(said, scores.tolist(), strict=True):
            of_id = found.setdefault(id, {})
            of_id[part] = max(of_id.get(part, -1.0), score)
        return found

    def _heated(self, state: State) -> _Hot:
        """The rows of `state`, in memory."""
        hot = self._hot
        if hot.generation == state.generation and len(hot.ids) >= state.count:
            return hot
        with self._rows.lock:
            hot = self._hot if self._hot.generation == state.generation else _Hot(state.generation)
            begun = len(hot.ids)
            rows = np.arange(begun, state.count)
            if len(rows):
                vectors = hot.vectors
                if len(vectors) < state.count:
                    vectors = np.zeros((min(state.count + state.count // 2 + 64, self._hot_max), self.dim), np.float32)
                    if begun:
                        vectors[:begun] = hot.vectors[:begun]
                vectors[begun : state.count] = state.checked(rows)
                said = list(state.strings(rows))
                hot.vectors = vectors
                hot.parts.extend(part for _, _, part in said)
                hot.ids.extend(id for id, _, _ in said)  # last: by their count readers, who do not wait, know the rows
            self._hot = hot
            return hot


def _all(hot: _Hot, state: State, vector: NDArray[np.float32]) -> NDArray[np.float32]:
    scores: NDArray[np.float32] = hot.vectors[: state.count] @ vector
    return scores


def _best(state: State, vector: NDArray[np.float32], allowed: RowNumbers, some: int) -> RowNumbers:
    """The `some` rows of `allowed` with the largest dot products, by their stored halves."""
    if some >= len(allowed):
        return allowed
    from usearch.index import MetricKind, search  # type: ignore[attr-defined]

    half = vector.astype(np.float16)
    rows, distances = [], []
    for start in range(0, len(allowed), BLOCK):
        numbers = allowed[start : start + BLOCK]
        first, last = int(numbers[0]), int(numbers[-1])
        mapped = state.vectors(first, last + 1)  # no more than this block counts as our memory at a time
        side_by_side = last - first + 1 == len(numbers)
        block = np.asarray(mapped if side_by_side else mapped[numbers - first])
        found = search(block, half, min(some, len(numbers)), MetricKind.IP, exact=True, threads=1)
        rows.append(numbers[found.keys.astype(np.int64)])
        distances.append(found.distances)
    all_rows = np.concatenate(rows)
    order = np.argsort(np.nan_to_num(np.concatenate(distances), nan=-np.inf), kind="stable")
    return all_rows[order[:some]]


def _ids_of(state: State, rows: RowNumbers) -> int:
    """How many ids these rows are of."""
    return len(np.unique(state.columns["key"][rows]))


def _told(state: State, vector: NDArray[np.float32], rows: RowNumbers, limit: int) -> list[tuple[str, float]]:
    """The ids of these rows with their best cosine, best first. Damaged."""
    scores = state.checked(rows) @ vector
    best: dict[str, float] = {}
    for (id, _, _), score in zip(state.strings(rows), scores.tolist(), strict=True):
        best[id] = max(best.get(id, -1.0), score)
    return sorted(best.items(), key=lambda one: (-one[1], one[0]))[:limit]


# -- the graph: a file graph-COUNT-CRC.GENERATION


def _opened_graph(state: State) -> _Graph | None:
    """The generation's newest graph that is whole; the others go."""
    found: _Graph | None = None
    for path in sorted(state.folder.glob(f"graph-*-*.{state.generation}"), key=_count_of, reverse=True):
        if found is None:
            found = _mapped(path, state)
        if found is None or _count_of(path) != found.count:
            path.unlink(missing_ok=True)
    return found


def _count_of(path: Path) -> int:
    count = path.name.split("-")[1]
    return int(count) if count.isdecimal() else 0


def _mapped(path: Path, state: State) -> _Graph | None:
    from usearch.index import Index

    try:
        with path.open("rb") as file:
            crc = _crc(file)  # read, not looked at where it is mapped: that would count as our memory
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if f"{crc:08x}" != path.name.split("-")[2].partition(".")[0] or _count_of(path) > state.count:
            raise ValueError("it is damaged")
        index = Index.restore(memoryview(mapped), view=True)
        if index is None or index.ndim != state.dim or len(index) != _count_of(path):
            raise ValueError("it is of other rows")
    except (OSError, ValueError, RuntimeError) as exc:
        logger.warning("the graph %s is built anew: %s", path, exc)
        return None
    index.expansion_search = EXPANSION_SEARCH  # type: ignore[misc]
    return _Graph(state.generation, len(index), index, mapped)


def _crc(file: BinaryIO) -> int:
    crc = 0
    while data := file.read(1 << 20):
        crc = zlib.crc32(data, crc)
    return crc


def build(folder: Path, generation: int, count: int, dim: int) -> None:
    """Write the graph of the first `count` rows: the one that is there, extended, or a new one. For a child process."""
    from usearch.index import Index

    def new() -> "Index":
        return Index(
            ndim=dim,
            metric="ip",
            dtype="f16",
            connectivity=CONNECTIVITY,
            expansion_add=EXPANSION_ADD,
            enable_key_lookups=False,
        )

    index, begun = new(), 0
    for path in sorted(folder.glob(f"graph-*-*.{generation}"), key=_count_of)[-1:]:
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            index.load(path)
            begun = _count_of(path)
        if len(index) != begun:
            index, begun = new(), 0
    vectors = np.memmap(folder / f"vectors.{generation}", np.float16, "r", shape=(count, dim))
    for start in range(begun, count, BLOCK):
        end = min(start + BLOCK, count)
        index.add(np.arange(start, end, dtype=np.uint64), np.asarray(vectors[start:end]), threads=1)
    aside = folder / f"unfinished.{generation}"
    index.save(aside)
    aside.chmod(FILE_MODE)
    with aside.open("rb") as file:
        crc = _crc(file)
    aside.rename(folder / f"graph-{count}-{crc:08x}.{generation}")


if __name__ == "__main__":
    build(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
