"""The reference vectors: one matrix, compared whole. What it finds is what `Vectors` means."""

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hivemind_cli.index.base import Place, Where

if TYPE_CHECKING:
    from numpy.typing import NDArray


class InMemoryVectors:
    """Vectors that are forgotten with their process."""

    def __init__(self, *, model: str) -> None:
        self.model = model
        self._places: list[Place] = []
        self._rows: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._of: dict[str, list[int]] = {}
        """id -> numbers of its rows."""
        self._cursor = 0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"InMemoryVectors(model={self.model!r}, vectors={len(self._places)}, cursor={self._cursor})"

    def cursor(self) -> int:
        return self._cursor

    def update(
        self,
        put: Sequence[Place],
        vectors: "NDArray[np.float32]",
        drop: Sequence[str],
        *,
        cursor: int,
        gone: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Drops first, then puts: what is in both is there."""
        with self._lock:
            ids = {*drop, *(place.id for place in put)}
            kept = [
                n
                for n, place in enumerate(self._places)
                if place.id not in ids and (place.host, place.session_id) not in gone
            ]
            added = np.asarray(vectors, np.float32).reshape(len(put), -1 if put else 0)
            places = [*(self._places[n] for n in kept), *put]
            rows = (
                np.concatenate([self._rows[kept], added]) if kept and len(put) else self._rows[kept] if kept else added
            )
            of: dict[str, list[int]] = {}
            for n, place in enumerate(places):
                of.setdefault(place.id, []).append(n)
            self._places, self._rows, self._of, self._cursor = places, rows, of, cursor

    def near(
        self, vector: "NDArray[np.float32]", where: Where, *, limit: int, ids: Collection[str] | None = None
    ) -> list[tuple[str, float]]:
        """Ordered by cosine, then by id."""
        with self._lock:
            places, rows = self._places, self._rows
        if not places or limit <= 0:
            return []
        cosines = rows @ vector
        found: dict[str, float] = {}
        least = -np.inf
        for n in np.argsort(-cosines, kind="stable").tolist():
            if len(found) >= limit and cosines[n] < least:
                break
            place = places[n]
            if place.id not in found and (ids is None or place.id in ids) and _inside(place, where):
                found[place.id] = least = float(cosines[n])
        return sorted(found.items(), key=lambda one: (-one[1], one[0]))[:limit]

    def parts(self, vector: "NDArray[np.float32]", ids: Collection[str]) -> dict[str, dict[str, float]]:
        with self._lock:
            places, rows, of = self._places, self._rows, self._of
        found: dict[str, dict[str, float]] = {}
        wanted = [id for id in ids if id in of]
        numbers = [n for id in wanted for n in of[id]]
        if not numbers:
            return found
        for n, cosine in zip(numbers, (rows[numbers] @ vector).tolist(), strict=True):
            place = places[n]
            best = found.setdefault(place.id, {})
            best[place.part] = max(cosine, best.get(place.part, -1.0))
        return found

    def digests(self, ids: Collection[str] | None = None) -> Mapping[str, frozenset[str]]:
        with self._lock:
            places, of = self._places, self._of
        return {id: frozenset(places[n].digest for n in of[id]) for id in (of if ids is None else ids) if id in of}

    def ids(self, where: Where) -> list[str]:
        """Ids of all that `where` lets pass."""
        with self._lock:
            places, of = self._places, self._of
        return [id for id, numbers in of.items() if _inside(places[numbers[0]], where)]

    def clear(self) -> None:
        """Forget everything; the cursor is 0 again."""
        with self._lock:
            self._places, self._rows, self._of, self._cursor = [], np.zeros((0, 0), np.float32), {}, 0

    def count(self) -> int:
        return len(self._places)

    def maintain(self) -> bool:
        """Nothing gathers."""
        return False

    def close(self) -> None:
        """Nothing is held."""


def _inside(place: Place, where: Where) -> bool:
    chosen = (
        (where.project_ids, place.project_id),
        (where.kinds, place.kind),
        (where.hosts, place.host),
        (where.session_ids, place.session_id),
    )
    return (
        place.workspace_id == where.workspace_id
        and all(not wanted or has in wanted for wanted, has in chosen)
        and (where.since_ms is None or place.at_ms >= where.since_ms)
        and (where.until_ms is None or place.at_ms < where.until_ms)
        and (where.before is None or place.number < where.before)
    )
