from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from hivemind_cli.core.records import Event, EventKind
from hivemind_cli.pipeline.detect import windows
from hivemind_cli.pipeline.detect.windows import Windows
from hivemind_cli.storage.base import Row
from hivemind_cli.storage.inmemory import InMemoryStore


def event(n: int, *, session: str = "s", text: str = "") -> Event:
    return Event(
        id=f"{n:026}",
        workspace_id="default",
        project_id="",
        machine_id="m",
        author="dev",
        host="claude",
        session_id=session,
        kind=EventKind.REPLY,
        occurred_at=datetime.fromtimestamp(n, UTC),
        native_key=str(n),
        payload={"text": text},
    )


class Counting(InMemoryStore):
    """Counts what is read."""

    reads = 0

    def find(self, *args: Any, **how: Any) -> Any:
        self.reads += 1
        return super().find(*args, **how)


def batches(store: InMemoryStore, size: int) -> list[list[Row[Event]]]:
    rows = store.find(Event)
    return [rows[n : n + size] for n in range(0, len(rows), size)]


def seen(kept: Windows, batch: list[Row[Event]], store: InMemoryStore, session: str) -> list[str]:
    rows = [row for row in batch if row.record.session_id == session]
    return [one.id for one in kept.of("claude", session, rows, store)]


def test_batches_that_follow_each_other_see_what_the_store_would_show_and_read_it_once() -> None:
    store = Counting()
    store.append([event(n, session="ab"[n % 2]) for n in range(1, 61)])
    kept, cold = Windows(5), Windows(5)
    parts = batches(store, 10)
    store.reads = 0
    for batch in parts:
        kept.follow(batch)
        for session in "ab":
            cold.forget()
            shown = seen(cold, batch, store, session)
            assert seen(kept, batch, store, session)[-len(shown) :] == shown
    assert store.reads == 2 + 2 * len(parts)


def test_after_a_gap_or_the_same_batch_again_the_store_is_read_anew() -> None:
    store = Counting()
    store.append([event(n) for n in range(1, 41)])
    first, second, _, fourth = batches(store, 10)
    kept = Windows(5)
    reads = []
    for batch in (first, second, second, fourth):
        kept.follow(batch)
        store.reads = 0
        assert seen(kept, batch, store, "s")[-10:] == [row.record.id for row in batch]
        reads.append(store.reads)
    assert reads == [1, 0, 1, 1]


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "CHARS_MAX", 1000)
    store = Counting()
    store.append([event(1, session="long", text="x" * 2000), replace(event(2), payload={"text": "y"})])
    kept = Windows(5)
    rows = store.find(Event)
    kept.follow(rows)
    seen(kept, rows, store, "long")
    seen(kept, rows, store, "s")
    store.append([event(3, session="long"), event(4)])
    after = store.find(Event, after=2)
    kept.follow(after)
    store.reads = 0
    assert seen(kept, after, store, "s") == [f"{2:026}", f"{4:026}"]
    assert store.reads == 0
    assert len(seen(kept, after, store, "long")) == 2
    assert store.reads == 1
