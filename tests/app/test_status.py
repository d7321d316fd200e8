"""What `status` and `doctor` ask a person to look at, and when they stop asking."""

from datetime import timedelta
from typing import Any

import pytest

from hivemind_cli.app.status import recall_tier, trouble
from hivemind_cli.core.config import Config, RecallConfig
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import Notice, SkillState
from tests.app.skills import NOW, revision, store_of


def notice_(about: str, *, days: float = 0, subject: str = "deploy") -> Notice:
    at = NOW - timedelta(days=days)
    return Notice(
        id=new_id(at), workspace_id="default", occurred_at=at, about=about, text=f"about {subject}", subject=subject
    )


@pytest.mark.parametrize("about", ["conflict", "review", "draft", "skill_unreadable", "skill_test_failed"])
def test_what_a_person_decided_is_not_asked_again(about: str) -> None:
    store = store_of(revision(1, state=SkillState.REVIEW, days=2))
    store.append([notice_(about, days=2), notice_(about, days=2, subject="other")])
    assert {one.subject for one in trouble(store, NOW)} == {"deploy", "other"}
    store.append([revision(2, days=1)])
    assert [one.subject for one in trouble(store, NOW)] == ["other"]
    store.append([notice_(about)])
    assert {one.subject for one in trouble(store, NOW)} == {"deploy", "other"}


def test_what_no_version_answers_stays() -> None:
    store = store_of(revision(2))
    store.append([notice_("publish_failed", days=3), notice_("published")])
    assert [one.about for one in trouble(store, NOW)] == ["publish_failed"]


WHOLE: dict[str, Any] = {"tier": "hybrid", "ready": True, "documents": 3, "embedded": 3}


@pytest.mark.parametrize(
    ("index", "line"),
    [
        (WHOLE, "hybrid: by words and by meaning"),
        ({**WHOLE, "embedded": 1}, "hybrid: by words and by meaning; 2 more being embedded"),
        ({**WHOLE, "ready": False, "embedded": 0}, "hybrid: by words and by meaning; the model is being loaded"),
        ({"tier": "lexical", "why": "m is not exported"}, "lexical: by words alone (m is not exported)"),
    ],
)
def test_one_line_says_what_recall_goes_by(index: dict[str, Any], line: str) -> None:
    assert recall_tier(Config(), index) == line
    assert recall_tier(Config(recall=RecallConfig(enabled=False)), index).startswith("off")
