"""Decay: what nobody needed for long is proposed for retirement, and only that."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from hivemind_cli.app.decay import keep, unneeded
from hivemind_cli.app.reading import current_skills
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.records import (
    Candidate,
    Moment,
    Notice,
    Outcome,
    Recall,
    Record,
    Scope,
    SkillRevision,
    SkillState,
    Verdict,
)
from hivemind_cli.storage.base import Store
from tests.app.skills import NOW, revision, store_of
from tests.pipeline.codify_loop import correction_

DAYS = 90


def names(store: Store, days: int = DAYS, later: int = 0) -> list[tuple[str, int]]:
    return [(one.skill.name, one.days) for one in unneeded(store, days, NOW + timedelta(days=later))]


def outcome(days: float) -> Outcome:
    return Outcome(
        id="o",
        workspace_id="default",
        project_id="p",
        session_id="s",
        occurred_at=NOW - timedelta(days=days),
        recall_id="r",
        subject_id="sk_deploy",
        verdict=Verdict.UNKNOWN,
    )


def recall(days: float, decision: str = "injected", text: str = "said") -> Recall:
    return Recall(
        id="r",
        workspace_id="default",
        project_id="p",
        machine_id="m",
        author="ada",
        host="claude",
        session_id="s",
        occurred_at=NOW - timedelta(days=days),
        moment=Moment.PROMPT,
        event_id="e",
        query="q",
        candidates=(Candidate(id="sk_deploy", kind="skill", name="deploy", decision=decision),),
        text=text,
    )


def notice(days: float, about: str, subject: str) -> Notice:
    at = NOW - timedelta(days=days)
    return Notice(id="n", workspace_id="default", occurred_at=at, about=about, text="", subject=subject)


def corrected(days: float, project: str = "p") -> Record:
    return correction_(9, id="c9", occurred_at=NOW - timedelta(days=days), project_id=project)


def test_a_live_skill_that_nobody_needed_is_proposed_with_its_days() -> None:
    store = store_of(revision(days=120), revision(name="build", days=200), revision(name="lint", days=80))
    assert names(store) == [("build", 200), ("deploy", 120)]
    assert names(store, 150) == [("build", 200)]
    assert names(store, 0) == []


@pytest.mark.parametrize("state", [one for one in SkillState if one is not SkillState.LIVE])
def test_only_live_skills_are_proposed(state: SkillState) -> None:
    assert names(store_of(revision(days=120, state=state))) == []


@pytest.mark.parametrize(
    ("needed", "days_since"),
    [
        ([outcome(30)], 30),
        ([recall(1)], None),
        ([recall(1, "held")], None),
        ([notice(30, "kept", "sk_deploy")], 30),
        ([notice(30, "published", "deploy")], 30),
        ([corrected(30)], 30),
        ([revision(2, days=30)], 30),
    ],
    ids=["given", "given a moment ago", "held", "kept", "its file written", "corrected again", "edited"],
)
def test_whatever_needs_it_resets_the_clock(needed: Sequence[Record], days_since: int | None) -> None:
    store = store_of(revision(1, "Deploy with make.@c1", days=200))
    store.append([*needed])
    assert names(store) == []
    if days_since is not None:
        assert names(store, later=DAYS) == [("deploy", DAYS + days_since)]


@pytest.mark.parametrize(
    "other",
    [
        outcome(100),
        recall(1, "below threshold"),
        recall(1, text=""),
        notice(1, "kept", "sk_other"),
        corrected(100),
        corrected(1, "q"),
    ],
    ids=["given long ago", "silent", "held back", "another is kept", "corrected long ago", "corrected elsewhere"],
)
def test_what_does_not_need_it_does_not(other: Record) -> None:
    store = store_of(revision(1, "Deploy with make.@c1", days=200))
    store.append([other])
    assert [name for name, _ in names(store)] == ["deploy"]


def test_a_skill_for_every_project_is_needed_in_any_of_them() -> None:
    store = store_of(revision(1, "Deploy with make.@c1", days=200, scope=Scope.USER))
    store.append([corrected(1, "q")])
    assert names(store) == []


def test_a_kept_skill_is_left_alone_for_as_long_again() -> None:
    store = store_of(revision(days=200))
    keep(store, current_skills(store)[0], NOW)
    assert names(store) == names(store, later=DAYS - 1) == []
    assert names(store, later=DAYS + 1) == [("deploy", DAYS + 1)]
    assert store.count(SkillRevision) == 1  # nothing of the skill changed


def test_what_is_not_live_cannot_be_kept() -> None:
    store = store_of(revision(state=SkillState.DRAFT))
    with pytest.raises(HivemindError, match="not live") as caught:
        keep(store, current_skills(store)[0], NOW)
    assert "accept deploy" in caught.value.fix
