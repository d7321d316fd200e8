"""An empty database of each kind, for what stands on the Tables port."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hivemind_cli.storage.duckdb import DuckDBStore
from hivemind_cli.storage.tables import Tables


@pytest.fixture
def duckdb_engine(tmp_path: Path) -> Iterator[Tables]:
    """In a file of its own."""
    with DuckDBStore(tmp_path / "db" / "hivemind.duckdb") as store:
        yield store.tables()


@pytest.fixture(params=["duckdb"])
def engine(request: pytest.FixtureRequest) -> Tables:
    """Each engine in turn."""
    found: Tables = request.getfixturevalue(f"{request.param}_engine")
    return found
