"""What keeps coming back, where, and whether a skill ended it."""

from datetime import timedelta
from typing import Any

import pytest

from hivemind_cli.app.recurring import Recurring, recurring
from hivemind_cli.core.records import (
    Correction,
    CorrectionKind,
    Judgement,
    Outcome,
    Project,
    SaidKind,
    SkillState,
    Verdict,
)
from hivemind_cli.pipeline import judged
from hivemind_cli.storage.base import Store
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.storage.samples import START
from tests.storage.told import correction, project, revision

NOW = START + timedelta(days=60)


def at(days_ago: float, number: int, key: str = "tabs", **changes: Any) -> Correction:
    """A correction so long ago, in a session of its own."""
    return correction(number, f"s{number}", NOW - timedelta(days=days_ago), recurrence_key=key, **changes)


def found(*records: Any, store: Store | None = None, **filters: Any) -> list[Recurring]:
    store = store or InMemoryStore()
    store.append(records)
    return recurring(store, now=NOW, **filters)


def test_how_often_where_and_since_when() -> None:
    names: list[Project] = [project(1), project(2)]
    same_turn = at(3, 4, reaction_event_id="e3", kind=CorrectionKind.HAND_EDIT, quote="")
    [one] = found(*names, at(50, 1), at(10, 2, project_id="p2"), at(3, 3, host="codex"), same_turn)
    assert (one.count, one.since, one.last_at) == (3, NOW - timedelta(days=50), NOW - timedelta(days=3))
    assert (one.projects, one.hosts) == (("project 1", "project 2"), ("claude", "codex"))
    assert one.weeks == (1, 0, 0, 0, 0, 0, 1, 1) and one.trend == "rising"
    assert (one.skill, one.live_since, one.after_live, one.retry) == ("", None, 0, False)


@pytest.mark.parametrize(
    ("days", "trend"),
    [((1, 2, 40), "rising"), ((1, 40), "steady"), ((1, 40, 41), "falling"), ((40, 41), "quiet"), ((400, 500), "quiet")],
)
def test_the_trend_is_told_from_the_last_eight_weeks(days: tuple[int, ...], trend: str) -> None:
    [one] = found(*(at(day, n) for n, day in enumerate(days)))
    assert one.trend == trend


def test_once_is_not_recurring_nor_are_two_pieces_of_evidence_of_one_turn() -> None:
    assert (
        found(at(1, 1), at(1, 2, reaction_event_id="e1"), at(1, 3, key="other"), at(1, 4, key=""), at(1, 5, key=""))
        == []
    )


def test_recent_and_frequent_comes_first_and_errors_last() -> None:
    often_long_ago = [at(200 + n, n, "old") for n in range(6)]
    now_and_then = [at(n, 10 + n, "new") for n in range(3)]
    errors = [at(n, 20 + n, "retry|x", kind=CorrectionKind.TOOL_RETRY, quote="", after="fixed") for n in range(9)]
    ordered = found(*errors, *often_long_ago, *now_and_then)
    assert [(one.key, one.retry) for one in ordered] == [("new", False), ("old", False), ("retry|x", True)]
    assert ordered[2].quote.endswith("→ fixed")


def test_a_skill_is_named_with_what_came_back_after_it_went_live() -> None:
    went_live = NOW - timedelta(days=9)
    held = [
        Outcome(
            id=f"o{n}",
            workspace_id="default",
            project_id="p1",
            session_id="s",
            occurred_at=NOW + timedelta(minutes=n),
            recall_id=recall_id,
            subject_id="sk_1",
            verdict=verdict,
        )
        for n, (recall_id, verdict) in enumerate(
            [("r1", Verdict.UNKNOWN), ("r1", Verdict.HELD), ("r2", Verdict.HELD), ("r2", Verdict.RECURRED)]
        )
    ]
    revisions = [
        revision(1, SkillState.DRAFT, NOW - timedelta(days=15), "c1"),
        revision(2, SkillState.LIVE, went_live, "c1", "c2"),
        revision(3, SkillState.RETIRED, NOW - timedelta(days=1), "c1"),
    ]
    [one] = found(at(20, 1), at(16, 2), at(5, 3), at(2, 4), *revisions, *held)
    assert (one.skill, one.skill_state, one.live_since) == ("use-tabs", "retired", went_live)
    assert (one.after_live, one.held) == (2, 1)


def test_a_skill_that_never_went_live_ended_nothing() -> None:
    [one] = found(at(5, 1), at(2, 2), revision(1, SkillState.REVIEW, NOW - timedelta(days=4), "c1"))
    assert (one.skill, one.skill_state, one.live_since, one.after_live) == ("use-tabs", "review", None, 0)


def test_what_is_unsure_or_judged_to_be_none_does_not_count() -> None:
    unsure = [at(n, n, confidence=judged.CORRECTION_MIN) for n in range(1, 3)]
    assert found(*unsure) == [], "no turn of them is sure"
    assert found(*unsure, candidates=True)[0].count == 2
    assert found(*unsure, at(3, 3))[0].count == 3
    no = Judgement(
        id="j1",
        workspace_id="default",
        project_id="p1",
        host="claude",
        session_id="s1",
        occurred_at=NOW,
        event_id="e1",
        by="person",
        said=SaidKind.NEW_REQUEST,
    )
    assert found(at(1, 1), at(2, 2), no) == []
    assert found(at(1, 1), at(2, 2), no, candidates=True) == []


def test_filters_narrow_it() -> None:
    some = [at(40, 1), at(20, 2, project_id="p2"), at(10, 3, host="codex"), at(5, 4, project_id="p2", host="codex")]
    assert [one.count for one in found(*some, project_ids={"p2"})] == [2]
    assert [one.count for one in found(*some, hosts=["codex"], since=NOW - timedelta(days=30))] == [2]
    assert found(*some, hosts=["codex"], project_ids={"p1"}) == []
    assert found(*some, kinds=[CorrectionKind.REDO]) == []


def test_the_words_that_say_it_best_stand_for_it() -> None:
    [one] = found(
        at(1, 1, quote="no!", durable=True),
        at(2, 2, quote="as I said, " + "and on, " * 20 + "tabs", durable=True),
        at(3, 3, quote="indent with tabs, please", durable=True),
        at(4, 4, quote="tabs in here", durable=None),
    )
    assert one.quote == "indent with tabs, please"
    silent: dict[str, Any] = {
        "kind": CorrectionKind.REVERTED,
        "quote": "",
        "cause": "took it back",
        "act": {"kind": "edit", "path": "a.py"},
    }
    assert found(at(1, 1, **silent), at(2, 2, **silent))[0].quote == "took it back: a.py"
