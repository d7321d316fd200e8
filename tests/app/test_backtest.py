"""A call is held only where that would have been right before: two corrected calls for each clean one."""

from dataclasses import replace
from datetime import timedelta

import pytest

from hivemind_cli.app.backtest import Backtest, look_up
from hivemind_cli.core.records import Correction
from hivemind_cli.pipeline.indexing import memo_document
from hivemind_cli.pipeline.recall import Tried
from hivemind_cli.storage.base import Store
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.past import Past
from tests.pipeline.session import START

ACT = "scons archive --fast"


@pytest.fixture
def store() -> Store:
    return InMemoryStore()


def tried(store: Store, correction: Correction) -> Tried:
    document = memo_document(correction)
    return look_up(store, [document])[document.id]


@pytest.mark.parametrize(
    ("clean", "wrong", "arms"),
    [(0, 1, True), (1, 1, False), (1, 2, True), (2, 3, False), (2, 4, True)],
)
def test_two_corrected_for_each_clean_one(store: Store, clean: int, wrong: int, arms: bool) -> None:
    past = Past(store)
    for _ in range(clean):
        past.says("build the archive")
        past.runs(ACT)
    corrections = [past.goes_wrong() for _ in range(wrong)]
    found = tried(store, corrections[-1])
    assert (found.corrected, found.clean, found.arms) == (wrong, clean, arms)


def test_every_call_of_the_corrected_turn_was_one_and_those_of_another_mistake_are_clean(store: Store) -> None:
    past = Past(store)
    past.goes_wrong(recurrence_key="lesson|another")
    past.says("build the archive")
    past.runs(ACT)
    correction = past.goes_wrong(task="")
    assert tried(store, correction) == Tried(corrected=2, clean=1)


def test_only_the_history_of_its_project_until_then_counts_also_where_it_was_imported_later(store: Store) -> None:
    past = Past(store, at=START + timedelta(days=1))
    correction = past.goes_wrong()
    for other in (Past(store, "after", at=START + timedelta(days=2)), Past(store, "else", project="p2")):
        other.says("build the archive")
        other.runs(ACT)
    assert tried(store, correction) == Tried(corrected=1, clean=0)
    imported = Past(store, "imported", at=START - timedelta(days=9))
    imported.says("build the archive")
    imported.runs(ACT)
    assert tried(store, correction) == Tried(corrected=1, clean=1)


def test_what_was_judged_to_be_no_correction_leaves_its_call_clean(store: Store) -> None:
    past = Past(store)
    past.goes_wrong(confidence=0.1)
    assert tried(store, past.goes_wrong()) == Tried(corrected=1, clean=1)


def test_nothing_is_known_before_it_was_looked_up(store: Store) -> None:
    correction = Past(store).goes_wrong()
    document = replace(memo_document(correction), holds=True)
    backtest = Backtest(store)
    assert backtest.tried(document) is None
    backtest.warm([document])
    assert backtest.tried(document) == Tried(corrected=1, clean=0)
