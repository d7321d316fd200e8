"""Fixtures: an empty database of each kind, for what stands on the Tables port. A conftest imports them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hivemind_cli.storage.duckdb import DuckDBStore
from hivemind_cli.storage.tables import Tables
from tests import databases

__all__ = ["duckdb_engine", "engine", "postgres_engine"]


@pytest.fixture
def duckdb_engine(tmp_path: Path) -> Iterator[Tables]:
    """In a file of its own."""
    with DuckDBStore(databases.place(tmp_path / "db" / "hivemind.duckdb")) as store:
        yield store.tables()


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator[Tables]:
    """In a database of its own."""
    from hivemind_cli.storage.postgres import PostgresTables

    with PostgresTables(postgres_url) as tables:
        yield tables


@pytest.fixture(params=["duckdb", "postgres"])
def engine(request: pytest.FixtureRequest) -> Tables:
    """Each engine in turn."""
    found: Tables = request.getfixturevalue(f"{request.param}_engine")
    return found
