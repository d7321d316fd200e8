"""What the pages' programs stand on: a daemon, a workspace of its own for each test, and something that embeds."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from hivemind_cli.embedding.hashing import Hashing
from tests.postgres_server import PostgresServer

Embed = Callable[[Any], Any]
Address = Callable[[str], str]


@pytest.fixture
def embed() -> Embed:
    """The embedding call: 1536 numbers for a text, a list of such for a list. Knows words, no meaning."""

    def call(said: str | list[str]) -> Any:
        vectors = Hashing(1536).embed([said] if isinstance(said, str) else said).astype(np.float64).tolist()
        return vectors[0] if isinstance(said, str) else vectors

    return call


@pytest.fixture
def at_home(daemon_home: Path, workspace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's environment: where hivemind is, and in whose workspace."""
    monkeypatch.setenv("HIVEMIND_HOME", str(daemon_home))
    monkeypatch.setenv("HIVEMIND_WORKSPACE_ID", workspace)


@pytest.fixture(scope="session")
def postgres_database(request: pytest.FixtureRequest) -> str:
    """Not emptied between tests, as one that a daemon has open."""
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = f"seeds_{os.getpid()}"
    server.run(f"CREATE DATABASE {name}")
    return server.url(name)


@pytest.fixture(params=["hivemind", "postgresql"])
def address(request: pytest.FixtureRequest, at_home: None, workspace: str) -> Address:
    """address(table): what stands where the page has a URL of its own; "" for no table. On each engine."""
    if request.param == "hivemind":
        return lambda table: f"hivemind://{workspace}/{table}".rstrip("/")
    database = request.getfixturevalue("postgres_database")
    return lambda table: f"{database}&workspace={workspace}" + (f"&table={quote(table)}" if table else "")
