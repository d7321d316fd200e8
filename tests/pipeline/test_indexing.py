"""The index follows the store: a memo until a skill carries it, a skill while it is live."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.core.acts import EDIT, SHELL, Act
from hivemind_cli.core.ids import derived_id, new_id
from hivemind_cli.core.records import (
    Correction,
    CorrectionKind,
    EventKind,
    Record,
    SaidKind,
    Scope,
    SkillLine,
    SkillRevision,
    SkillState,
)
from hivemind_cli.index.inmemory import InMemoryIndex
from hivemind_cli.pipeline import indexing
from hivemind_cli.pipeline.indexing import MEMO_SESSIONS_MAX, expire_memos, is_memo, memo_document
from hivemind_cli.pipeline.judged import MODEL_YES, PASS_MIN
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.judging_loop import judgement_
from tests.pipeline.session import START, Session


def correction(n: int = 1, **changes: Any) -> Correction:
    at = START + timedelta(minutes=n)
    fields: dict[str, Any] = {
        "id": derived_id(at, "c", str(n)),
        "workspace_id": "default",
        "project_id": "p1",
        "machine_id": "m",
        "author": "ada",
        "host": "claude",
        "session_id": f"s{n}",
        "kind": CorrectionKind.SAID,
        "occurred_at": at,
        "act_event_id": f"a{n}",
        "reaction_event_id": f"r{n}",
        "quote": "no, use lift here, never bring",
        "task": "bring the module up",
        "act": Act(SHELL, "Bash", command="bring module").as_json(),
        "recurrence_key": f"lesson|{n}",
    }
    return Correction(**{**fields, **changes})


def revision(
    *carried: Correction, version: int = 1, state: SkillState = SkillState.LIVE, **changes: Any
) -> SkillRevision:
    fields: dict[str, Any] = {
        "id": new_id(),
        "workspace_id": "default",
        "project_id": "p1",
        "machine_id": "m",
        "author": "ada",
        "skill_id": "sk_1",
        "name": "use-lift",
        "title": "Use lift",
        "version": version,
        "scope": Scope.PROJECT,
        "state": state,
        "trigger": "Use when bringing a module up.",
        "lines": (
            SkillLine(section="when", text="About to bring it up.", correction_ids=tuple(one.id for one in carried)),
            SkillLine(section="do", text="use lift", correction_ids=tuple(one.id for one in carried)),
        ),
        "drafter": "scripted/x",
        "occurred_at": START + timedelta(days=1),
    }
    return SkillRevision(**{**fields, **changes})


class Loop:
    """A store and the index that follows it."""

    def __init__(self) -> None:
        self.store, self.index = InMemoryStore(), InMemoryIndex()

    def holds(self, *records: Record) -> dict[str, str]:
        """Store `records`; id -> kind of what the index then holds."""
        self.store.append(records)
        while indexing.refresh(self.store, self.index):
            pass
        return {document.id: document.kind for document in self.index.all()}


@pytest.fixture
def loop() -> Loop:
    return Loop()


def test_a_correction_is_a_memo_with_the_persons_words_and_the_act(loop: Loop) -> None:
    one = correction()
    assert loop.holds(one) == {one.id: "memo"}
    (memo,) = loop.index.all()
    assert memo.rule == one.quote and one.quote in memo.text and "bring module" in memo.text
    assert memo.origin == (one.id, one.reaction_event_id)
    assert (memo.trigger, memo.acts, memo.version) == (one.task, (one.act,), 0)


@pytest.mark.parametrize(
    ("changes", "memo"),
    [
        ({}, True),
        ({"durable": True}, True),
        ({"durable": False}, False),
        ({"quote": "  "}, False),
        ({"confidence": 0.3}, False),
        ({"quote": "no, that is the wrong way round", "confidence": 0.8}, False),
        ({"quote": "no, that is the wrong way round", "confidence": 0.8, "durable": True}, True),
        ({"quote": "no, that is the wrong way round", "confidence": MODEL_YES}, True),
        ({"quote": "no, that is the wrong way round", "kind": CorrectionKind.REJECTED}, True),
        ({"kind": CorrectionKind.REJECTED}, True),
        ({"kind": CorrectionKind.TOOL_RETRY}, False),
        ({"kind": CorrectionKind.RED_AFTER_DONE}, False),
        ({"kind": CorrectionKind.REDO}, False),
    ],
)
def test_only_a_persons_words_that_may_last_become_a_memo(loop: Loop, changes: dict[str, Any], memo: bool) -> None:
    one = correction(**changes)
    assert is_memo(one) is memo
    assert bool(loop.holds(one)) is memo


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"quote": "before you delete anything, ask me. always."}, False),
        ({"quote": "before you delete anything, ask me. always.", "act": {}}, False),
        ({"quote": "no, not that one", "kind": CorrectionKind.REJECTED}, True),
        ({"quote": "", "kind": CorrectionKind.HAND_EDIT}, True),
    ],
)
def test_a_call_is_held_for_a_skill_only_if_its_words_are_about_the_act(
    loop: Loop, changes: dict[str, Any], holds: bool
) -> None:
    one = correction(durable=True, **changes)
    loop.holds(one, revision(one))
    (skill,) = loop.index.all()
    assert (skill.kind, skill.holds) == ("skill", holds)
    other = correction(2)
    loop.holds(other, revision(one, other, version=2))
    assert [document.holds for document in loop.index.all()] == [True]


def test_a_skill_takes_the_place_of_the_memos_it_carries(loop: Loop) -> None:
    one, two, three = correction(1), correction(2), correction(3)
    loop.holds(one, two, three)
    assert loop.holds(revision(one, two)) == {"sk_1": "skill", three.id: "memo"}
    (skill,) = [document for document in loop.index.all() if document.kind == "skill"]
    assert skill.rule == "use lift"
    assert set(skill.origin) == {one.id, two.id, "r1", "r2"}
    assert skill.recurrence_keys == ("lesson|1", "lesson|2")
    assert skill.project_id == "p1"


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (Act(SHELL, "Bash", command="bring module"), "after the agent ran `bring module`"),
        (Act(EDIT, "Write", path="src/pear.py", text="x"), "after the agent changed `src/pear.py`"),
        (Act("other", "mcp__db__drop"), "after the agent did `"),
    ],
)
def test_a_memo_says_what_kind_of_act_it_was(act: Act, told: str) -> None:
    assert told in memo_document(correction(act=act.as_json())).text


def test_skill_and_correction_seen_in_one_batch_give_the_skill_alone(loop: Loop) -> None:
    one = correction()
    assert loop.holds(one, revision(one)) == {"sk_1": "skill"}


def test_a_draft_or_one_in_review_leaves_the_memo_in_use(loop: Loop) -> None:
    one, two = correction(1), correction(2)
    loop.holds(one, two)
    assert loop.holds(revision(one, state=SkillState.DRAFT)) == {one.id: "memo", two.id: "memo"}
    assert loop.holds(revision(two, state=SkillState.REVIEW, skill_id="sk_2")) == {one.id: "memo", two.id: "memo"}


def test_a_draft_seen_in_one_batch_with_its_correction_leaves_the_memo_in_use(loop: Loop) -> None:
    one = correction()
    assert loop.holds(one, revision(one, state=SkillState.REVIEW)) == {one.id: "memo"}


def test_a_rebuilt_index_holds_what_one_that_followed_holds(loop: Loop) -> None:
    one, two, three = correction(1), correction(2), correction(3)
    loop.holds(one, two, three)
    loop.holds(revision(one, state=SkillState.REVIEW))
    loop.holds(revision(two, skill_id="sk_2"))
    followed = loop.holds(revision(three, skill_id="sk_3", state=SkillState.RETIRED))
    rebuilt = Loop()
    rebuilt.store = loop.store
    assert rebuilt.holds() == followed == {one.id: "memo", "sk_2": "skill"}


def test_a_retired_skill_is_gone_and_its_memos_do_not_come_back(loop: Loop) -> None:
    one = correction()
    loop.holds(one, revision(one))
    assert loop.holds(revision(one, version=2, state=SkillState.RETIRED)) == {}


def test_the_newest_version_counts_in_whatever_order_they_were_stored(loop: Loop) -> None:
    one = correction()
    newer = revision(one, version=3, title="Newer")
    loop.holds(one, newer)
    loop.holds(revision(one, version=2, title="Older"))
    (skill,) = loop.index.all()
    assert (skill.version, "Newer" in skill.text) == (3, True)


def test_a_skill_for_the_person_is_for_every_project(loop: Loop) -> None:
    loop.holds(revision(correction(), scope=Scope.USER))
    assert [document.project_id for document in loop.index.all()] == [""]


def starts(store: InMemoryStore, count: int, *, project: str = "p1", after: timedelta = timedelta(days=1)) -> None:
    for n in range(count):
        Session(store, f"{project}-later{n}", project=project, at=START + after).event(
            EventKind.SESSION_START, source="startup"
        )


def test_a_memo_expires_after_twenty_sessions_of_its_project(loop: Loop) -> None:
    one = correction()
    loop.holds(one)
    starts(loop.store, MEMO_SESSIONS_MAX, project="p2")
    starts(loop.store, MEMO_SESSIONS_MAX - 1)
    assert expire_memos(loop.store, loop.index) == 0
    Session(loop.store, one.session_id, at=START + timedelta(days=2)).event(EventKind.SESSION_START, source="resume")
    assert expire_memos(loop.store, loop.index) == 0  # its own session, taken up again, is no later one
    Session(loop.store, "the last", at=START + timedelta(days=2)).event(EventKind.SESSION_START, source="startup")
    assert expire_memos(loop.store, loop.index) == 1
    assert loop.index.all() == []
    assert loop.holds() == {}  # it stays away


def test_sessions_before_the_correction_do_not_make_it_old(loop: Loop) -> None:
    loop.holds(correction())
    starts(loop.store, MEMO_SESSIONS_MAX + 5, after=timedelta(days=-1))
    assert expire_memos(loop.store, loop.index) == 0


def test_a_skill_does_not_expire(loop: Loop) -> None:
    one = correction()
    loop.holds(one, revision(one))
    starts(loop.store, MEMO_SESSIONS_MAX + 5)
    assert expire_memos(loop.store, loop.index) == 0


def test_a_memo_whose_correction_was_pruned_goes(loop: Loop) -> None:
    one = correction()
    loop.holds(one)
    loop.store = InMemoryStore()
    assert expire_memos(loop.store, loop.index) == 1


STATES = (SkillState.LIVE, SkillState.REVIEW, SkillState.RETIRED)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from((None, *STATES)), st.booleans()), max_size=12))
def test_however_the_batches_fall_the_index_is_the_same(steps: list[tuple[int, SkillState | None, bool]]) -> None:
    """Each step is a correction, or a new version of the skill that carries it; refreshed then, or only later."""
    loop, versions = Loop(), {1: 0, 2: 0, 3: 0}
    for n, state, refresh in steps:
        one = correction(n)
        records: list[Record] = [one]
        if state:
            versions[n] += 1
            records.append(replace(revision(one, state=state), skill_id=f"sk_{n}", version=versions[n]))
        loop.store.append(records)
        if refresh:
            loop.holds()
    at_once = Loop()
    at_once.store = loop.store
    assert loop.holds() == at_once.holds()


def test_a_no_takes_the_memo_out_for_good_and_a_yes_puts_a_candidate_in() -> None:
    store, index = InMemoryStore(), InMemoryIndex()
    wrong, candidate = correction(1), correction(2, confidence=PASS_MIN)
    store.append([wrong, candidate])
    indexing.refresh(store, index)
    assert [document.id for document in index.all()] == [wrong.id]
    store.append([judgement_(wrong, SaidKind.APPROVAL), judgement_(candidate, durable=True)])
    while indexing.refresh(store, index):
        pass
    assert [document.id for document in index.all()] == [candidate.id]
    anew = InMemoryIndex()
    while indexing.refresh(store, anew):
        pass
    assert anew.all() == index.all()


def test_a_judgement_brings_back_no_memo_that_a_skill_carries() -> None:
    store, index = InMemoryStore(), InMemoryIndex()
    store.append([correction(1), revision(correction(1))])
    indexing.refresh(store, index)
    store.append([judgement_(correction(1))])
    indexing.refresh(store, index)
    assert [document.kind for document in index.all()] == ["skill"]


def test_an_index_that_knows_judgements_the_store_does_not_is_emptied() -> None:
    store, index = InMemoryStore(), InMemoryIndex()
    store.append([correction(1), judgement_(correction(1))])
    indexing.refresh(store, index)
    other = InMemoryStore()
    other.append([correction(1)])
    assert not indexing.begin(store, index)
    assert indexing.begin(other, index)
    assert index.all() == []


def test_a_prompt_that_is_said_every_day_does_not_make_its_own_words_common() -> None:
    store = InMemoryStore()
    session = Session(store)
    for n in range(30):
        session.says(f"repair part {n} of the {'queue' if n % 2 else 'parser'}")
    for _ in range(60):
        session.says("publish the  docs site")
    weights = indexing.weights(store)
    assert weights.of("publis") == weights.of("archiv") == 1.0
    assert weights.of("repair") < 0.5
