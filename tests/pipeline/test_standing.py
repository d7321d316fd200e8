"""What came of a skill moves its probability within bounds; what is not known changes nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import Outcome, Verdict
from hivemind_cli.index.base import Document
from hivemind_cli.index.ranking import Ranked
from hivemind_cli.pipeline.recall.abstain import spoken
from hivemind_cli.pipeline.recall.standing import NOTHING_TOLD, Standing, Told, weighed
from hivemind_cli.storage.inmemory import InMemoryStore

NOW = datetime(2026, 11, 1, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


def document(**changes: Any) -> Document:
    fields: dict[str, Any] = {
        "id": "sk1",
        "kind": "skill",
        "version": 1,
        "name": "use-lift",
        "workspace_id": "default",
        "project_id": "p1",
        "trigger": "",
        "text": "Use lift.",
        "origin": ("c1", "e1"),
    }
    return Document(**{**fields, **changes})


def outcome(recall: str, verdict: Verdict, *, subject: str = "sk1", days_ago: float = 0) -> Outcome:
    return Outcome(
        id=new_id(NOW),
        workspace_id="default",
        project_id="p1",
        session_id="s1",
        occurred_at=NOW - timedelta(days=days_ago),
        recall_id=recall,
        subject_id=subject,
        verdict=verdict,
    )


def standing(*outcomes: Outcome) -> Standing:
    store = InMemoryStore()
    store.append(outcomes)
    found = Standing(store)
    assert found.refresh() == len(outcomes)
    return found


def score(one: Document, told: Told = NOTHING_TOLD, probability: float = 0.5, now: datetime | None = None) -> float:
    (moved,) = weighed([Ranked(one, probability)], lambda document: told, now)
    return moved.score


def test_held_counts_for_it_recurred_against_and_unknown_not_at_all() -> None:
    assert score(document(), Told(held=2)) > score(document()) == 0.5 > score(document(), Told(recurred=2))
    assert standing(outcome("r1", Verdict.UNKNOWN)).of(document(), NOW_MS) == NOTHING_TOLD


@given(st.floats(0, 1), st.floats(0, 1e6), st.floats(0, 1e6))
def test_no_history_moves_a_probability_far(probability: float, held: float, recurred: float) -> None:
    moved = score(document(), Told(held, recurred), probability)
    odds = probability / (1 - probability) if probability < 1 else float("inf")
    low, high = (odds * factor / (1 + odds * factor) if odds != float("inf") else 1.0 for factor in (0.67, 1.493))
    assert low - 1e-9 <= moved <= high + 1e-9


def test_the_newest_verdict_of_a_recall_counts_with_those_of_the_memo_it_was() -> None:
    found = standing(
        outcome("r1", Verdict.UNKNOWN),
        outcome("r1", Verdict.HELD),
        outcome("r2", Verdict.RECURRED, subject="c1"),
        outcome("r3", Verdict.RECURRED, subject="another"),
    )
    assert found.of(document(), NOW_MS) == Told(held=1, recurred=1)


def test_what_came_of_it_long_ago_fades_so_that_nothing_is_silenced_for_good() -> None:
    bad = [outcome(f"r{n}", Verdict.RECURRED, days_ago=600) for n in range(50)]
    assert score(document(), standing(*bad).of(document(), NOW_MS)) == pytest.approx(0.5, abs=0.01)


def test_of_two_that_fit_alike_the_projects_own_and_the_newer_come_first() -> None:
    old = document(id="old", occurred_at_ms=NOW_MS - 90 * 86_400_000)
    new = replace(old, id="new", occurred_at_ms=NOW_MS)
    wide = replace(new, id="wide", project_id="")
    ranked = weighed([Ranked(one, 0.5) for one in (old, wide, new)], now=NOW)
    assert [one.document.id for one in ranked] == ["new", "wide", "old"]
    assert ranked[1].figures["scope"] < 0 < ranked[1].figures["fresh"] and ranked[1].figures["fused"] == 0.5


@pytest.mark.parametrize(
    ("scores", "count"),
    [
        ([], 0),
        ([0.29], 0),
        ([0.9], 1),
        ([0.9, 0.3, 0.2], 2),
        ([0.9, 0.5, 0.48], 1),
        ([0.5, 0.49, 0.48], 0),
        ([0.9, 0.8, 0.31], 2),
        ([0.9998, 0.996, 0.996], 1),
    ],
)
def test_silence_by_score_and_by_margin_to_the_first_left_out(scores: list[float], count: int) -> None:
    assert spoken(scores, applies_min=0.3, margin_min=0.05, limit=2) == count
