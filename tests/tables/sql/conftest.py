"""A workspace with tables, and another one with a secret, in each engine."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from hivemind_cli.storage.tables import Kind, Result, Tables, Type
from hivemind_cli.tables import sql
from hivemind_cli.tables.catalog import Catalog, ColumnInfo
from hivemind_cli.tables.scene import Scene
from hivemind_cli.tables.writing import insert

TASKS = [
    ColumnInfo("task", Type(Kind.TEXT)),
    ColumnInfo("outcome", Type(Kind.TEXT)),
    ColumnInfo("score", Type(Kind.DOUBLE)),
    ColumnInfo("attempts", Type(Kind.INT)),
    ColumnInfo("metadata", Type(Kind.JSON)),
    ColumnInfo("embedding", Type(Kind.VECTOR, 3)),
    ColumnInfo("made_at", Type(Kind.TIMESTAMP)),
]
REPOS = [ColumnInfo("task", Type(Kind.TEXT)), ColumnInfo("repo", Type(Kind.TEXT))]


@pytest.fixture
def scene(engine: Tables) -> Scene:
    """Tables agent_experience (three rows) and repos (two) in `payments`; secrets in `others`."""
    made = Scene(engine, "payments", Catalog(engine))

    def work(tx: Any) -> None:
        tasks = made.catalog.create(tx, "payments", "agent_experience", TASKS)
        repos = made.catalog.create(tx, "payments", "repos", REPOS)
        secrets = made.catalog.create(tx, "others", "secrets", [ColumnInfo("word", Type(Kind.TEXT))])
        rows: dict[str, Sequence[Any]] = {
            "task": ["fix the pipe", "paint the door", "mend the roof"],
            "outcome": ["success", "failure", "success"],
            "score": [0.9, 0.2, 0.5],
            "attempts": [1, 2, 3],
            "metadata": [{"by": "ann", "files": ["a"]}, {"by": "bob"}, None],
            "embedding": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        }
        insert(tx, engine, tasks, 0, made.lineage, rows)
        insert(tx, engine, repos, 0, made.lineage, {"task": ["fix the pipe", "paint the door"], "repo": ["a", "b"]})
        insert(tx, engine, secrets, 0, made.lineage, {"word": ["sesame"]})

    engine.write(work)
    return made


Ask = Callable[..., Result]


@pytest.fixture
def ask(scene: Scene) -> Ask:
    """Reads as a door does, but without scoring."""

    def asked(text: str, params: Sequence[Any] | Mapping[str, Any] | None = None, *, scene: Scene = scene) -> Result:
        read = sql.reading(sql.parse(text, params), scene)
        tree, values = sql.bind(read.tree, read.values)
        return scene.engine.read(sql.render(tree, scene.engine.dialect), values)

    return asked
