"""Text columns that embed themselves, whoever writes them and on whatever branch."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hivemind_cli.core.errors import ModelError
from hivemind_cli.embedding.hashing import Hashing
from hivemind_cli.storage.tables import Tables
from hivemind_cli.tables.sidecar import Sidecars
from hivemind_cli.tables.workspace import Workspace

NEAREST = "SELECT task FROM notes ORDER BY cosine_similarity(meaning, $1) LIMIT 1"


class Hashed:
    """Texts as vectors without a model, which may be away."""

    model, dim = "hashing-64", 64
    away = False

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.away:
            raise ModelError("It is away.")
        return Hashing(64).embed(texts)


@pytest.fixture
def embedding() -> Hashed:
    return Hashed()


@pytest.fixture
def notes(engine: Tables, embedding: Hashed, tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with a table whose `meaning` is made of its `task`."""
    sidecars = Sidecars(engine, tmp_path / "index")
    made = Workspace("ws", engine, sidecars, embedding)
    made.ingest("notes", {"task": ["paint the fence"], "n": [1]}, embed={"meaning": "task"})
    yield made
    sidecars.close()


def test_rows_that_sql_writes_are_found_by_meaning(notes: Workspace) -> None:
    notes.execute("INSERT INTO notes (task, n) VALUES ('repair the roof', 2), (NULL, 3)")
    assert notes.query(NEAREST, ["roof repair"]).rows == [("repair the roof",)]
    assert notes.query("SELECT count(*) AS c FROM notes WHERE meaning IS NULL").rows == [(1,)]


def test_a_text_that_changes_is_found_by_what_it_says_then(notes: Workspace) -> None:
    notes.ingest("notes", {"task": ["water the plants"], "n": [2]})
    notes.execute("UPDATE notes SET task = 'sharpen the saw' WHERE n = 1")
    assert notes.query(NEAREST, ["fence paint sharpen saw"]).rows == [("sharpen the saw",)]
    assert notes.query("SELECT count(*) AS c FROM notes").rows == [(2,)]


def test_a_branch_has_its_own_vectors(notes: Workspace) -> None:
    notes.branches.create("try")
    notes.execute("UPDATE notes SET task = 'sharpen the saw'", branch="try")
    assert notes.query(NEAREST, ["saw"], branch="try").rows == [("sharpen the saw",)]
    assert notes.query(NEAREST, ["saw"]).rows == [("paint the fence",)]


def test_without_the_model_rows_wait_for_the_next_write(notes: Workspace, embedding: Hashed) -> None:
    embedding.away = True
    notes.execute("INSERT INTO notes (task, n) VALUES ('repair the roof', 2)")
    assert notes.query("SELECT count(*) AS c FROM notes WHERE meaning IS NULL").rows == [(1,)]
    embedding.away = False
    notes.execute("UPDATE notes SET n = 5 WHERE n = 1")
    assert notes.query("SELECT count(*) AS c FROM notes WHERE meaning IS NULL").rows == [(0,)]
