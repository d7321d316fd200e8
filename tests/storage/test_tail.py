"""What is answered from memory is what a query would give."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.records import Event, EventKind
from hivemind_cli.storage import tail
from hivemind_cli.storage.duckdb import DuckDBStore
from tests.storage.samples import event, tombstone

ASKED: tuple[dict[str, Any], ...] = (
    {},
    {"after": 3},
    {"after": 7, "limit": 2},
    {"after": 3, "until": 8, "newest_first": True},
    {"newest_first": True, "limit": 1},
    {"host": "claude", "session_id": "young"},
    {"host": "claude", "session_id": "young", "limit": 1},
    {"host": "claude", "session_id": "old", "newest_first": True, "limit": 2},
    {"host": "claude", "session_id": "nobody"},
    {"host": "claude", "session_id": "old", "kind": (EventKind.REPLY,)},
    {"since": event(6).occurred_at},
)
"""Of Store.find."""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DuckDBStore]:
    """Twelve events: three before it was opened, and more than are kept in memory."""
    monkeypatch.setattr(tail, "ROWS_MAX", 6)
    with DuckDBStore(tmp_path / "s.duckdb") as before:
        before.append([event(n, "old") for n in range(3)])
    with DuckDBStore(tmp_path / "s.duckdb") as store:
        store.append([event(3, "old")])
        store.append([event(4, "old"), event(5, "young")])
        store.append([event(n, "old" if n % 2 else "young") for n in range(6, 10)])
        yield store


def queried(store: DuckDBStore, monkeypatch: pytest.MonkeyPatch, **asked: Any) -> Any:
    """What the engine says, and nothing else."""
    with monkeypatch.context() as patched:
        patched.setattr(tail.Tail, "rows", lambda *_, **__: None)
        return store.find(Event, **asked)


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_memory_says_what_a_query_says(
    store: DuckDBStore, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    assert store.find(Event, **asked) == queried(store, monkeypatch, **asked)


def test_a_young_session_and_the_newest_rows_need_no_query(store: DuckDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DuckDBStore, "_read", None)
    assert [row.seq for row in store.find(Event, host="claude", session_id="young")] == [6, 7, 9]
    assert store.count(Event, host="claude", session_id="young") == 3
    assert [row.seq for row in store.find(Event, after=8)] == [9, 10]
    assert store.find(Event, host="claude", session_id="nobody") == []


def test_a_session_whose_first_events_are_kept_no_more_is_asked_for(store: DuckDBStore) -> None:
    store.append([event(n, "young") for n in range(10, 17)])
    found = store.find(Event, host="claude", session_id="young")
    assert [row.seq for row in found] == [6, 7, 9, *range(11, 18)]


def test_what_is_pruned_is_gone_from_memory(store: DuckDBStore) -> None:
    store.prune("claude", "young", tombstone("young"))
    assert [row.seq for row in store.find(Event, after=5)] == [8, 10]
    assert store.find(Event, host="claude", session_id="young") == []
