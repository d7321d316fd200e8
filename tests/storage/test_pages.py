"""Pages of many rows are found by their numbers first: they must be the rows that the reference gives."""

from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.records import Event
from hivemind_cli.storage.duckdb import DuckDBStore
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.storage.samples import event, tombstone


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": 60},
        {"limit": 60, "newest_first": True},
        {"limit": 60, "after": 70},
        {"limit": 60, "until": 90, "newest_first": True},
        {"limit": 60, "session_id": "s2"},
        {"limit": 60, "session_id": "s2", "newest_first": True, "until": 201},
        {"limit": 1000, "session_id": "s1"},
        {"limit": 60, "session_id": "nobody"},
    ],
)
def test_a_page_is_what_the_reference_gives(tmp_path: Path, asked: dict[str, Any]) -> None:
    reference = InMemoryStore()
    with DuckDBStore(tmp_path / "store.duckdb") as store:
        for engine in (reference, store):
            engine.append([event(n, f"s{n % 3}") for n in range(240)])
            engine.prune("claude", "s0", tombstone("s0"))
        assert store.find(Event, **asked) == reference.find(Event, **asked)
