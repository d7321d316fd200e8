"""A whole workspace over the loop's own store: its tables beside the loop's views, and what the store's life does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hivemind_cli.core.errors import Forbidden, StoreError, TablesError, UnknownTable, WrongValue
from hivemind_cli.embedding.hashing import Hashing
from hivemind_cli.storage.duckdb import DuckDBStore
from hivemind_cli.storage.tables import Tables
from hivemind_cli.tables.sidecar import Sidecars
from hivemind_cli.tables.workspace import Workspace
from tests.storage.samples import event


class Hashed:
    """Texts as vectors without a model."""

    model, dim = "hashing-64", 64

    def __call__(self, texts: list[str]) -> object:
        return Hashing(64).embed(texts)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBStore]:
    with DuckDBStore(tmp_path / "db" / "hivemind.duckdb") as opened:
        yield opened


def workspace(store: DuckDBStore, name: str) -> Workspace:
    engine = store.tables()
    return Workspace(name, engine, Sidecars(engine, store.path.parent / "index"), Hashed())  # type: ignore[arg-type]


def test_a_workspaces_tables_join_the_loops_views_and_see_no_other_workspaces_rows(store: DuckDBStore) -> None:
    store.append([event(1, "mine", workspace_id="shop"), event(2, "theirs", workspace_id="bank")])
    shop = workspace(store, "shop")
    shop.ingest("notes", {"session": ["mine", "theirs"], "note": ["ours", "not ours"]})
    joined = "SELECT note FROM notes JOIN sessions ON sessions.session_id = notes.session"
    assert shop.query(joined).rows == [("ours",)]
    assert shop.query("SELECT count(*) AS n FROM sessions").rows == [(1,)]
    with pytest.raises(Forbidden):
        shop.execute("DELETE FROM sessions")


def test_a_table_is_as_it_was_after_the_store_is_opened_again(store: DuckDBStore, tmp_path: Path) -> None:
    shop = workspace(store, "shop")
    shop.ingest("notes", {"note": ["kept"], "at": [[0.5, 0.25]]})
    shop.branches.create("try")
    shop.execute("UPDATE notes SET note = 'tried'", branch="try")
    store.close()
    with DuckDBStore(tmp_path / "db" / "hivemind.duckdb") as again:
        found = workspace(again, "shop")
        assert found.query("SELECT note FROM notes").rows == [("kept",)]
        assert found.query("SELECT note FROM notes", branch="try").rows == [("tried",)]
        nearest = found.query("SELECT note FROM notes ORDER BY cosine_similarity(at, $1) LIMIT 1", [[1.0, 0.0]])
        assert nearest.rows == [("kept",)]


def test_a_closed_store_has_no_tables(store: DuckDBStore) -> None:
    shop = workspace(store, "shop")
    shop.ingest("notes", {"note": ["kept"]})
    store.close()
    with pytest.raises(StoreError, match="closed"):
        shop.query("SELECT note FROM notes")


def test_nothing_but_the_databases_own_files_can_be_reached(store: DuckDBStore, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(StoreError):
        store.tables().read(f"SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')")
    with pytest.raises(StoreError):
        store.tables().write(lambda tx: tx.run(f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'"))
    assert not (tmp_path / "out.csv").exists()


def test_another_database_has_no_views_of_the_loop_and_says_where_they_are(
    postgres_engine: Tables, tmp_path: Path
) -> None:
    sidecars = Sidecars(postgres_engine, tmp_path / "index")
    shop = Workspace("shop", postgres_engine, sidecars, Hashed())  # type: ignore[arg-type]
    shop.ingest("notes", {"note": ["ours"]})
    with pytest.raises(UnknownTable, match="hivemind://<workspace>"):
        shop.query("SELECT * FROM sessions")
    assert shop.query("SELECT note FROM notes").rows == [("ours",)]


def test_an_answer_too_large_for_memory_is_refused_and_can_be_streamed(
    store: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hivemind_cli.storage.duckdb.tables.ANSWER_BYTES_MAX", 100_000)
    shop = workspace(store, "shop")
    shop.ingest("notes", {"note": ["x" * 60_000] * 3})
    with pytest.raises(TablesError, match="Stream it"):
        shop.query("SELECT note FROM notes")
    with shop.stream("SELECT note FROM notes") as batches:
        assert sum(len(batch.rows) for batch in batches) == 3


def test_names_in_capitals_or_with_hyphens_are_taken_as_sql_takes_them(store: DuckDBStore) -> None:
    shop = workspace(store, "shop")
    shop.ingest("My-Notes", {"Task": ["fix"], "Run-Id": [7]}, key=["Run-Id"])
    shop.ingest("My-Notes", {"Task": ["test"], "Run-Id": [8]})
    assert shop.query('SELECT Task, run_id FROM my_notes WHERE "Run-Id" > 7').rows == [("test", 8)]


def test_whole_numbers_beside_fractions_are_vectors_alone_they_are_json(store: DuckDBStore) -> None:
    shop = workspace(store, "shop")
    shop.ingest("notes", {"at": [[1, 0], [0.6, 0.8], None], "ids": [[1, 2], [3, 4], [5]]})
    assert [str(one.type) for one in shop.tables()[0].columns] == ["vector(2)", "json"]
    shop.ingest("odd", {"lists": [[1, 0], [0.5], [0.5, "x"]]})
    assert [str(one.type) for one in shop.tables()[1].columns] == ["json"]


@pytest.mark.parametrize("said", [{"key": ["missing"]}, {"embed": {"e": "missing"}}, {"embed": {"task": "task"}}])
def test_a_key_or_an_embedding_of_no_such_column_makes_no_table(store: DuckDBStore, said: dict[str, object]) -> None:
    shop = workspace(store, "shop")
    with pytest.raises(TablesError):
        shop.ingest("notes", {"task": ["fix"]}, **said)  # type: ignore[arg-type]
    assert shop.tables() == []
    shop.ingest("notes", {"task": ["fix"]})
    with pytest.raises(WrongValue):
        shop.ingest("notes", {"task": ["fix"]}, embed={"e": "missing"})
    assert shop.tables()[0].names == ["task"]
