"""Cursors move whole batches, once; a bad record is skipped and nothing else."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.core.errors import ProviderUnavailable, StoreError, VersionTaken
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import (
    Correction,
    CorrectionKind,
    Event,
    EventKind,
    Notice,
    Record,
    SkillRevision,
)
from hivemind_cli.pipeline.runner import run_once
from hivemind_cli.storage.base import Row, Store
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.storage.samples import version

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def event(number: int) -> Event:
    return Event(
        id=derived_id(AT, "event", str(number)),
        workspace_id="default",
        project_id="p",
        machine_id="m",
        author="ann",
        host="claude",
        session_id="s",
        kind=EventKind.PROMPT,
        occurred_at=AT,
        native_key=str(number),
        payload={"text": f"prompt {number}"},
    )


def correction(of: Event) -> Correction:
    return Correction(
        id=derived_id(AT, "correction", of.id),
        workspace_id=of.workspace_id,
        project_id=of.project_id,
        machine_id=of.machine_id,
        author=of.author,
        host=of.host,
        session_id=of.session_id,
        kind=CorrectionKind.SAID,
        occurred_at=AT,
        act_event_id="",
        reaction_event_id=of.id,
        quote=of.native_key,
        task="",
    )


class Echo:
    """A correction for each event, but for those that `fault` does not let pass."""

    reads = Event

    def __init__(
        self, name: str = "echo", batch_size: int = 4, fault: Callable[[str], None] = lambda key: None
    ) -> None:
        self.name = name
        self.batch_size = batch_size
        self.fault = fault
        self.batches: list[list[str]] = []

    def step(self, batch: Sequence[Row[Event]], store: Store) -> list[Record]:
        self.batches.append([row.record.native_key for row in batch])
        for row in batch:
            self.fault(row.record.native_key)
        return [correction(row.record) for row in batch]


class Silent(Echo):
    def step(self, batch: Sequence[Row[Event]], store: Store) -> list[Record]:
        super().step(batch, store)
        return []


def bad(*keys: str) -> Callable[[str], None]:
    def fault(key: str) -> None:
        if key in keys:
            raise ValueError(f"cannot read the private text of {key}")

    return fault


def filled(count: int) -> InMemoryStore:
    store = InMemoryStore()
    store.append([event(number) for number in range(count)])
    return store


def quotes(store: Store) -> list[str]:
    return [row.record.quote for row in store.find(Correction)]


def test_batches_come_in_order_and_once() -> None:
    store, stage = filled(10), Echo()
    assert [run_once(stage, store) for _ in range(4)] == [4, 4, 2, 0]
    assert stage.batches == [["0", "1", "2", "3"], ["4", "5", "6", "7"], ["8", "9"]]
    assert quotes(store) == [str(number) for number in range(10)]


def test_a_batch_without_outputs_still_moves_the_cursor() -> None:
    store, stage = filled(3), Silent()
    assert run_once(stage, store) == 3
    assert run_once(stage, store) == 0
    assert len(stage.batches) == 1


def test_a_run_overtaken_by_another_stores_nothing() -> None:
    store = filled(3)
    stage = Echo(fault=lambda key: None if key != "0" else overtake())
    overtaken: list[int] = []

    def overtake() -> None:
        if not overtaken:
            overtaken.append(1)
            assert run_once(Silent(), store) == 3

    assert run_once(stage, store) == 0
    assert quotes(store) == []
    assert store.cursor("echo") == 3


def test_a_bad_record_is_skipped_with_a_notice_and_stays_stored(caplog: pytest.LogCaptureFixture) -> None:
    store, stage = filled(6), Echo(fault=bad("1", "2"))
    assert run_once(stage, store, clock=lambda: AT) == 4
    assert quotes(store) == ["0", "3"]
    (notice,) = [row.record for row in store.find(Notice)]
    assert notice.about == "stage_failed"
    assert notice.subject == event(1).id
    assert notice.occurred_at == AT
    assert "2 records were skipped by echo: ValueError at test_runner.py" in notice.text
    assert "private" not in notice.text
    assert store.count(Event) == 6
    assert run_once(stage, store) == 2
    assert quotes(store) == ["0", "3", "4", "5"]
    assert any(record.levelno == logging.ERROR for record in caplog.records)


def test_skipping_twice_after_a_crash_tells_it_once() -> None:
    class DiesOnce(InMemoryStore):
        died = False

        def commit(self, stage: str, outputs: Sequence[Record], *, cursor_from: int, cursor_to: int) -> int:
            if not self.died:
                self.died = True
                self.append(outputs)  # as if the outputs had come, and the cursor had not
                raise StoreError("The disk is full.")
            return super().commit(stage, outputs, cursor_from=cursor_from, cursor_to=cursor_to)

    store, stage = DiesOnce(), Echo(fault=bad("0"))
    store.append([event(0), event(1)])
    with pytest.raises(StoreError):
        run_once(stage, store)
    assert run_once(stage, store) == 2
    assert store.count(Notice) == 1
    assert quotes(store) == ["1"]


@pytest.mark.parametrize("error", [StoreError("The disk is full."), ProviderUnavailable("Busy."), MemoryError()])
def test_a_failing_world_is_no_bad_record(error: Exception) -> None:
    def fault(key: str) -> None:
        raise error

    store = filled(2)
    with pytest.raises(type(error)):
        run_once(Echo(fault=fault), store)
    assert store.cursor("echo") == 0
    assert store.count(Notice) == 0


def test_a_world_that_fails_half_way_through_the_single_records_moves_nothing() -> None:
    def fault(key: str) -> None:
        if key == "0":
            raise ValueError
        if key == "1":
            raise ProviderUnavailable("Busy.")

    store = filled(2)
    with pytest.raises(ProviderUnavailable):
        run_once(Echo(fault=fault), store)
    assert store.cursor("echo") == 0
    assert store.count(Notice) == 0


class Revises(Echo):
    """The next version of one skill for each batch, or for each record; `meanwhile` happens before it is stored."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None, *, each: bool = False) -> None:
        super().__init__("revises")
        self.meanwhile = meanwhile
        self.each = each

    def step(self, batch: Sequence[Row[Event]], store: Store) -> list[Record]:
        super().step(batch, store)
        following = store.count(SkillRevision) + 1
        self.meanwhile()
        keys = [row.record.native_key for row in batch] if self.each else [batch[-1].record.native_key]
        return [replace(version(following), id=f"by the stage, of {key}") for key in keys]


def revisions(store: Store) -> list[tuple[int, str]]:
    return [(row.record.version, row.record.id) for row in store.find(SkillRevision)]


def test_a_skill_that_a_person_changed_meanwhile_is_read_again() -> None:
    store = filled(2)
    accepted = iter([replace(version(1), id="by a person")])
    assert run_once(Revises(lambda: store.append(list(accepted))), store) == 2
    assert revisions(store) == [(1, "by a person"), (2, "by the stage, of 1")]


def test_a_skill_that_changes_at_every_try_waits_for_a_later_turn() -> None:
    store = filled(2)
    people = (replace(version(number), id=f"by a person {number}") for number in range(1, 9))
    stage = Revises(lambda: store.append([next(people)]))
    with pytest.raises(VersionTaken):
        run_once(stage, store)
    assert store.cursor("revises") == 0
    assert stage.batches == [["0", "1"], ["0", "1"], ["0"]]
    stage.meanwhile = lambda: None
    assert run_once(stage, store) == 2
    assert revisions(store)[-1] == (4, "by the stage, of 1")


def test_two_records_of_a_batch_that_make_one_version_come_one_after_the_other() -> None:
    store, stage = filled(2), Revises(each=True)
    assert [run_once(stage, store) for _ in range(3)] == [1, 1, 0]
    assert revisions(store) == [(1, "by the stage, of 0"), (2, "by the stage, of 1")]


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(0, 25),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    faults=st.sets(st.integers(0, 25)),
)
def test_whatever_the_batches_and_faults_every_good_record_counts_once(
    count: int, sizes: list[int], faults: set[int]
) -> None:
    store = filled(count)
    logging.disable(logging.CRITICAL)
    try:
        moved = -1
        turn = 0
        while moved:
            moved = run_once(Echo(batch_size=sizes[turn % len(sizes)], fault=bad(*map(str, faults))), store)
            turn += 1
    finally:
        logging.disable(logging.NOTSET)
    assert quotes(store) == [str(number) for number in range(count) if number not in faults]
    assert store.cursor("echo") == count
