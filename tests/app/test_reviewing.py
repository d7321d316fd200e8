"""What waits for a person, and what comes of their decision."""

import pytest

from hivemind_cli.app import reviewing, skillset
from hivemind_cli.app.reading import current_skills, history_of, skill_named
from hivemind_cli.cli.review_screen import body_lines
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import GateSkip, Notice, SkillCheck, SkillRevision, SkillState
from hivemind_cli.skills.format import render
from hivemind_cli.storage.base import Store
from tests.app.skills import NOW, revision, store_of
from tests.pipeline.codify_loop import Loop, correction_

CONTRADICTS = "from 1 correction; it contradicts the skill deploy"
AGAINST = {"contradicts": "sk_deploy"}


def waiting(store: Store, **options: bool) -> list[reviewing.Waiting]:
    return reviewing.waiting(store, 90, NOW, **options)


def decide(store: Store, name: str, verb: str, text: str = "", seen: int = 0) -> list[SkillRevision]:
    return reviewing.decide(store, skill_named(store, name), verb, NOW, text=text, seen=seen)


def states(store: Store) -> dict[str, str]:
    return {one.name: one.state.value for one in current_skills(store)}


def test_what_waits_stands_in_the_order_of_its_weight() -> None:
    store = store_of(
        revision(name="a-draft", state=SkillState.DRAFT),
        revision(name="b-live"),
        revision(name="c-old", days=100),
        revision(name="d-review", state=SkillState.REVIEW),
        revision(name="e-quarantined", state=SkillState.QUARANTINED),
        revision(name="f-retired", state=SkillState.RETIRED),
    )
    assert [one.skill.name for one in waiting(store)] == ["d-review", "e-quarantined", "a-draft", "c-old"]
    assert [one.skill.name for one in waiting(store, retired=True)][-1] == "f-retired"
    assert waiting(store)[-1].why == "nobody needed it for 100 days"


def test_it_is_shown_with_its_change_its_evidence_and_what_would_come_of_it() -> None:
    store = store_of(
        revision(1, "A@c1"),
        revision(2, "A@c1", state=SkillState.RETIRED),
        revision(3, "A@c1", "B@c2", state=SkillState.REVIEW, reason="it was out of use, but the mistake goes on"),
    )
    (one,) = waiting(store)
    assert one.against == 1 and "+- B" in one.diff
    assert [each.corrections[0].id for each in one.lines] == ["c1", "c2"]
    assert one.backtest == reviewing.NO_HISTORY and one.moments == "none"
    assert one.file == render(one.skill)


def test_tests_are_told_in_counts() -> None:
    skill = revision(state=SkillState.DRAFT)
    store = store_of(skill)
    check = SkillCheck(
        id="k",
        workspace_id="default",
        project_id="p",
        occurred_at=NOW,
        skill_id=skill.skill_id,
        version=1,
        kind="moments",
        passed=False,
        figures={"mistakes": 3, "fires": 2, "clean": 12, "silent": 12},
        reason="it does not fire at a moment of its own",
    )
    store.append([check])
    assert waiting(store)[0].moments == "fires 2/3, silent 12/12 (fails): it does not fire at a moment of its own"


def test_accepting_a_contradiction_retires_what_it_contradicts() -> None:
    store = store_of(
        revision(1, "A@c1"),
        revision(1, "B@c2", name="other", state=SkillState.REVIEW, reason=CONTRADICTS, relations=AGAINST),
    )
    (one,) = waiting(store)
    assert one.displaces == "deploy" and one.others[0].text[-1] == "- A"
    made = decide(store, "other", "accept")
    assert [(one.name, one.state.value) for one in made] == [("other", "live"), ("deploy", "retired")]
    assert "other" in made[1].reason
    skillset.undo(store, skill_named(store, "deploy"), NOW)
    assert states(store) == {"deploy": "live", "other": "live"}  # by the person's own hand


def test_what_a_drafter_says_of_other_skills_puts_none_out_of_use() -> None:
    store = store_of(
        revision(1, "A@c1"), revision(1, "B@c2", name="other", state=SkillState.REVIEW, reason=CONTRADICTS)
    )
    (one,) = waiting(store)
    assert (one.displaces, one.others) == ("", ())
    assert len(decide(store, "other", "accept")) == 1


def test_what_was_retired_meanwhile_is_contradicted_no_more() -> None:
    store = store_of(
        revision(1, state=SkillState.RETIRED),
        revision(1, name="other", state=SkillState.REVIEW, reason=CONTRADICTS, relations=AGAINST),
    )
    assert waiting(store)[0].others == ()
    assert len(decide(store, "other", "accept")) == 1


def test_rejecting_retires_what_waits_and_what_is_live_on_request() -> None:
    store = store_of(revision(1, name="a", state=SkillState.DRAFT), revision(1, name="b", days=100))
    assert decide(store, "a", "reject")[0].reason == "rejected by a person"
    assert decide(store, "b", "reject")[0].reason == "retired by a person"
    assert states(store) == {"a": "retired", "b": "retired"}
    with pytest.raises(HivemindError, match="does not wait"):
        decide(store, "a", "reject")


def test_rejecting_what_follows_a_live_version_leaves_that_one_live() -> None:
    store = store_of(revision(1, "A"), revision(2, "A", "B", state=SkillState.REVIEW))
    (made,) = decide(store, "deploy", "reject")
    assert (made.version, made.state, [one.text for one in made.lines]) == (3, SkillState.LIVE, ["A"])


def test_a_rejected_skill_comes_back_only_once_its_evidence_has_doubled() -> None:
    loop = Loop(publish="review")
    skill = loop.skill(correction_(1), correction_(2))
    decide(loop.store, skill.name, "reject")
    assert all(isinstance(one, GateSkip) for one in loop.give(correction_(3)))
    assert states(loop.store) == {skill.name: "retired"}
    again = loop.skill(correction_(4))
    assert (again.skill_id, again.state) == (skill.skill_id, SkillState.REVIEW)


def test_keeping_and_skipping_change_no_version() -> None:
    store = store_of(revision(1, days=100))
    assert decide(store, "deploy", "keep") == [] and decide(store, "deploy", "skip") == []
    assert waiting(store) == [] and len(history_of(store, "sk_deploy")) == 1


def test_an_edit_goes_live_as_the_persons_words_and_forges_no_evidence() -> None:
    store = store_of(revision(1, "A@c1", state=SkillState.REVIEW))
    text = render(skill_named(store, "deploy")).replace("- A", "- B") + "- mine <!-- hm:c_forged -->\n"
    (made,) = decide(store, "deploy", "edit", text)
    assert (made.state, made.drafter, made.version) == (SkillState.LIVE, "person", 2)
    assert [(one.text, one.correction_ids) for one in made.lines] == [("B", ("c1",)), ("mine", ())]


def test_what_was_changed_meanwhile_is_not_decided_about_unseen() -> None:
    store = store_of(revision(1, state=SkillState.REVIEW), revision(2, state=SkillState.REVIEW))
    with pytest.raises(HivemindError, match="version 2 now, not 1"):
        decide(store, "deploy", "accept", seen=1)
    assert states(store) == {"deploy": "review"}


def test_what_a_rules_file_says_against_it_is_shown() -> None:
    skill = revision(1, "A", state=SkillState.REVIEW, reason="CLAUDE.md:3 says the opposite")
    store = store_of(skill)
    id = derived_id(skill.occurred_at, "notice", "conflict", skill.id)
    text = 'deploy says "A"; CLAUDE.md:3 says "never A".'
    store.append(
        [Notice(id=id, workspace_id="default", occurred_at=NOW, about="conflict", text=text, subject="deploy")]
    )
    (one,) = waiting(store)
    assert one.against_rules == text
    assert ("Against", text) in [(line[:7], line[10:]) for line, _ in body_lines(one, 120)]
