"""What a person turned down is remembered, and comes back only when its evidence has doubled."""

from dataclasses import replace
from typing import Any

import pytest

from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import GateSkip, SkillRevision, SkillState
from hivemind_cli.llm.base import Request
from hivemind_cli.llm.scripted import Answer
from hivemind_cli.pipeline.hand import REJECTED, by_hand, commanded
from tests.pipeline.codify_loop import DAY, Asked, Loop, correction_, reasons_
from tests.pipeline.test_codify_model import drafted

DECISIONS: list[dict[str, Any]] = [
    {"reason": REJECTED},
    {"reason": "retired by a person"},
    {"reason": "a person deleted the file"},
    {"reason": "a person deleted the file", "lines": (), "body": "# theirs, without a trace of ours\n"},
]


def decided(loop: Loop, revision: SkillRevision, **changes: Any) -> SkillRevision:
    """What a person made of `revision` is stored."""
    fields: dict[str, Any] = {"state": SkillState.RETIRED, "version": revision.version + 1, **changes}
    following = replace(revision, id=derived_id(DAY, revision.id, str(fields["version"])), **fields)
    loop.store.append([following])
    return following


@pytest.mark.parametrize("changes", DECISIONS)
class TestRetired:
    def test_nothing_comes_of_it_until_there_is_twice_the_evidence(self, changes: dict[str, Any]) -> None:
        loop = Loop()
        first = loop.skill(correction_(1), correction_(2))
        decided(loop, first, **changes)
        (reason,) = reasons_(loop.give(correction_(3)))
        assert first.name in reason
        back = loop.skill(correction_(4))
        assert (back.skill_id, back.state, back.version) == (first.skill_id, SkillState.REVIEW, 3)

    def test_twice_rejected_needs_twice_as_much_again(self, changes: dict[str, Any]) -> None:
        loop = Loop()
        decided(loop, loop.skill(correction_(1)), **changes)
        decided(loop, loop.skill(correction_(2)), **changes)
        assert reasons_(loop.give(correction_(3)))
        assert loop.skill(correction_(4)).state is SkillState.REVIEW

    def test_one_turn_that_corrects_twice_is_not_twice_the_evidence(self, changes: dict[str, Any]) -> None:
        loop = Loop()
        decided(loop, loop.skill(correction_(1)), **changes)
        assert reasons_(loop.give(correction_(2, reaction_event_id="r1", act_event_id="other")))


def test_a_rejected_version_of_a_live_skill_is_not_proposed_again_at_once() -> None:
    loop = Loop()
    first = loop.skill(correction_(1))
    more = {"quote": "and pass -j4 to make so that it uses all cores"}
    second = loop.skill(correction_(2, **more))
    why = f"{REJECTED}: version 2; version 1 stays"
    decided(loop, second, lines=first.lines, state=SkillState.LIVE, reason=why)
    (reason,) = reasons_(loop.give(correction_(3)))
    assert first.name in reason
    assert loop.skill(correction_(4)).version == 4


@pytest.mark.parametrize(
    "why", ["undone by a person: version 2 back to", "rolled back by a person: version 2 to version 1"]
)
def test_an_undone_version_does_not_come_back_with_the_next_correction(why: str) -> None:
    loop = Loop()
    first = loop.skill(correction_(1))
    second = loop.skill(correction_(2, quote="and pass -j4 to make so that it uses all cores"))
    decided(loop, second, lines=first.lines, state=SkillState.LIVE, reason=why)
    (reason,) = reasons_(loop.give(correction_(3)))
    assert first.name in reason
    assert loop.skill(correction_(4)).version == 4


def test_what_was_rejected_beside_a_live_skill_is_not_proposed_again_at_once() -> None:
    loop = Loop(publish="review")
    first = loop.skill(correction_(1))
    decided(loop, first, state=SkillState.LIVE, reason="accepted by a person")
    beside = loop.skill(correction_(2), correction_(3))
    assert beside.skill_id != first.skill_id
    decided(loop, beside, reason=REJECTED)
    (reason,) = reasons_(loop.give(correction_(4)))
    assert first.name in reason
    assert loop.give(correction_(5)) == []
    again = loop.skill(correction_(6))
    assert again.state is SkillState.REVIEW and again.relations == {"adds_to": first.skill_id}


def test_a_lesson_that_a_person_rewrote_in_the_file_waits_beside_their_words() -> None:
    loop = Loop()
    first = loop.skill(correction_(1))
    mine = {"drafter": "person", "reason": "a person edited the file", "body": "# Mine\n- as I like it\n", "lines": ()}
    decided(loop, first, state=SkillState.LIVE, **mine)
    beside = loop.skill(correction_(2))
    assert (beside.state, beside.relations) == (SkillState.REVIEW, {"adds_to": first.skill_id})


def test_what_a_person_accepted_may_grow() -> None:
    loop = Loop()
    first = loop.skill(correction_(1))
    decided(loop, first, state=SkillState.LIVE, reason="accepted by a person")
    assert loop.skill(correction_(2)).version == 3


def test_a_models_reason_is_no_persons_decision() -> None:
    said = drafted(reason="accepted by a person, who said it outright")
    loop = Loop(Asked(said))
    revision = loop.skill(correction_(1))
    assert revision.reason.startswith("accepted by a person")
    assert not by_hand(revision) and not commanded(revision)


def test_a_lesson_that_a_model_refused_is_known_under_another_key_of_the_same_corrections() -> None:
    loop = Loop(Asked(drafted(decision="skip", lines=[])))
    loop.give(correction_(1), correction_(2))
    silent = Asked(drafted())
    loop.use(silent)
    assert not [one for one in loop.give(correction_(3, recurrence_key="k9")) if isinstance(one, SkillRevision)]
    assert silent.requests == []


def test_a_skip_without_a_key_says_nothing_of_other_lessons() -> None:
    loop = Loop(Asked(drafted(decision="skip", lines=[])))
    loop.give(correction_(1, recurrence_key=""))
    loop.use(None)
    other = correction_(2, recurrence_key="", quote="always log in UTC, never in local time", act={}, task="log it")
    assert loop.skill(other)


def test_a_persons_no_to_a_group_counts_as_a_models_does() -> None:
    loop = Loop()
    loop.store.append(
        [
            GateSkip(
                id="no",
                workspace_id="default",
                project_id="p",
                occurred_at=DAY,
                recurrence_key=correction_().recurrence_key,
                correction_ids=(correction_(1).id,),
                reason=f"{REJECTED}: not worth it",
            )
        ]
    )
    assert loop.give(correction_(1)) == []
    assert loop.skill(correction_(2))


def test_a_skill_retired_while_the_model_thinks_is_not_brought_back() -> None:
    loop = Loop(Asked(drafted()))
    first = loop.skill(correction_(1))

    def thinking(_request: Request) -> Answer:
        if loop.store.count(SkillRevision) == 1:
            decided(loop, first, reason="retired by a person")
        return drafted(decision="merge", target=first.name)

    loop.use(Asked(thinking))
    loop.store.append([correction_(2)])
    batch = loop.store.find(type(correction_()), after=1)
    outputs = loop.stage.step(batch, loop.store)
    assert [type(one) for one in outputs] == [GateSkip]


def test_a_version_that_came_while_the_model_thinks_is_built_upon() -> None:
    loop = Loop(Asked(drafted()))
    first = loop.skill(correction_(1))

    def thinking(_request: Request) -> Answer:
        if loop.store.count(SkillRevision) == 1:
            decided(loop, first, state=SkillState.LIVE, title="Theirs")
        return drafted(decision="merge", target=first.name)

    loop.use(Asked(thinking))
    loop.store.append([correction_(2)])
    outputs = loop.stage.step(loop.store.find(type(correction_()), after=1), loop.store)
    (revision,) = [one for one in outputs if isinstance(one, SkillRevision)]
    assert (revision.version, revision.title) == (3, "Theirs")
