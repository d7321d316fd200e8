"""Over PostgreSQL's own index of a large table's vectors: the same rows as without it, and what was just written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hivemind_cli.embedding.hashing import Hashing
from hivemind_cli.storage.tables import Kind, Tables, Type
from hivemind_cli.tables.sidecar import Sidecars
from hivemind_cli.tables.workspace import Workspace

ROWS, DIM = 1500, 16
NEAREST = "SELECT id, cosine_similarity(at, $1) AS score FROM points{where} ORDER BY score DESC LIMIT {limit}"


class Hashed:
    """Texts as vectors without a model."""

    model, dim = "hashing-16", DIM

    def __call__(self, texts: list[str]) -> Any:
        return Hashing(DIM).embed(texts)


class Points:
    """Ids and unit vectors in a workspace, the index of them made."""

    def __init__(self, engine: Tables, folder: Path) -> None:
        self.workspace = Workspace("w", engine, Sidecars(engine, folder), Hashed())  # type: ignore[arg-type]
        made = np.random.default_rng(3)
        centres = made.normal(size=(25, DIM))
        points = centres[np.arange(ROWS) % 25] + made.normal(size=(ROWS, DIM)) / 2
        self.points = (points / np.linalg.norm(points, axis=1)[:, None]).astype(np.float32)
        typed = {"at": Type(Kind.VECTOR, DIM)}
        self.workspace.ingest("points", {"id": list(range(ROWS)), "at": self.points}, types=typed)
        self.ids(self.points[0], 1)
        engine.settle()  # type: ignore[attr-defined]

    def ids(self, near: Any, limit: int, where: str = "", branch: str = "main") -> list[int]:
        found = self.workspace.query(NEAREST.format(where=where, limit=limit), [near], branch=branch)
        scores = [row[1] for row in found.rows]
        assert scores == sorted(scores, reverse=True)
        return [row[0] for row in found.rows]

    def explained(self, limit: int = 5) -> str:
        return self.workspace.explain(NEAREST.format(where="", limit=limit), [self.points[0]])

    def exact(self, near: Any, limit: int, keep: Any = None) -> list[int]:
        scores = self.points @ near
        if keep is not None:
            scores = np.where(keep, scores, -2)
        return [int(at) for at in np.argsort(-scores)[:limit]]


@pytest.fixture
def points(postgres_engine: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Points]:
    from hivemind_cli.storage.postgres import nearest

    monkeypatch.setattr(nearest, "ROWS_MIN", 1000)
    yield Points(postgres_engine, tmp_path / "index")


def test_nearly_all_of_the_nearest_rows_are_found(points: Points) -> None:
    assert "own index" in points.explained()
    alike = sum(
        len(set(points.ids(points.points[at], 10)) & set(points.exact(points.points[at], 10))) for at in range(30)
    )
    assert alike >= 290, "of 300"
    assert points.ids(points.points[7], 1) == [7]


def test_what_a_where_a_write_or_a_branch_hides_is_not_among_them(points: Points) -> None:
    near = points.points[7]
    keep = np.arange(ROWS) % 2 == 0
    assert points.ids(near, 5, " WHERE id % 2 = 0") == points.exact(near, 5, keep)
    keep = np.isin(np.arange(ROWS), [900, 31, 2])  # none of them near: all are looked at
    assert points.ids(near, 3, " WHERE id = 900 OR id = 31 OR id = 2") == points.exact(near, 3, keep)
    shop = points.workspace
    best = points.ids(near, 3)
    shop.execute("DELETE FROM points WHERE id = $1", [best[1]])
    assert points.ids(near, 2) == [best[0], best[2]]
    shop.branches.create("try")
    shop.execute("UPDATE points SET id = 5000 WHERE id = $1", [best[0]], branch="try")
    assert points.ids(near, 1, branch="try") == [5000]
    assert points.ids(near, 1) == [best[0]]
    shop.ingest("points", {"id": [6000], "at": near[None, :]})
    assert set(points.ids(near, 2)) == {best[0], 6000}


def test_rows_of_no_direction_are_not_forgotten(points: Points) -> None:
    """Such an index has neither NULL nor zeros; those count 0, which is more than what points away."""
    near = points.points[7]
    points.workspace.ingest("points", {"id": [7000, 7001], "at": [[0.0] * DIM, None]})
    everything = points.ids(near, ROWS + 1)
    assert len(everything) == ROWS + 1 and 7001 not in everything and 7000 in everything
    assert everything.index(7000) == int((points.points @ near > 0).sum())
