"""What a judgement changes in the skills: nothing rests on what was none, and what was passed over is taken up."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from hivemind_cli.core.errors import ProviderError
from hivemind_cli.core.records import Correction, GateSkip, Judgement, Record, SaidKind, SkillRevision, SkillState
from hivemind_cli.llm.base import Request
from hivemind_cli.llm.scripted import Scripted
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.codify import Codify
from hivemind_cli.pipeline.codify.reconsider import JUDGED_AWAY, RESTORED, Reconsider, Withdraw
from hivemind_cli.pipeline.runner import run_once
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.codify_loop import correction_
from tests.pipeline.judging_loop import judgement_

YES, NO = SaidKind.CORRECTION, SaidKind.APPROVAL
CANDIDATE = correction_(1, confidence=judged.PASS_MIN, durable=None)


class Codified:
    """A store in which every stage that makes skills has read all."""

    def __init__(self, *records: Record) -> None:
        self.store = InMemoryStore()
        self.give(*records)

    def give(self, *records: Record) -> "Codified":
        self.store.append(records)
        self.run()
        made = self.store.count(SkillRevision)
        self.run()
        assert self.store.count(SkillRevision) == made
        return self

    def run(self) -> None:
        codify = Codify()
        while run_once(Withdraw(), self.store):
            pass
        while run_once(codify, self.store) or run_once(Reconsider(codify), self.store):
            pass

    def skills(self) -> list[SkillRevision]:
        """Every version, oldest first."""
        return [row.record for row in self.store.find(SkillRevision)]


def ids(revision: SkillRevision) -> set[str]:
    return {one for line in revision.lines for one in line.correction_ids}


def test_a_candidate_is_no_skill_until_somebody_says_yes() -> None:
    told = Codified(CANDIDATE)
    assert told.skills() == []
    assert told.store.count(GateSkip) == 0  # nor is anything remembered against it
    (skill,) = told.give(judgement_(CANDIDATE, YES, durable=True)).skills()
    assert (skill.state, ids(skill)) == (SkillState.LIVE, {CANDIDATE.id})


def test_a_model_may_say_it_too() -> None:
    assert len(Codified(CANDIDATE, judgement_(CANDIDATE, YES, by="a/b", durable=True)).skills()) == 1


def test_a_yes_to_what_does_not_last_makes_no_skill() -> None:
    assert Codified(CANDIDATE).give(judgement_(CANDIDATE, YES, durable=False)).skills() == []


@pytest.mark.parametrize("others", [0, 1, 2])
def test_a_no_that_comes_while_the_model_thinks_counts(others: int) -> None:
    """Withdraw reads it before there is a skill: codify itself must not make one of it."""
    wrong, *right = (correction_(n, durable=None) for n in range(1, 2 + others))
    store = InMemoryStore()
    said = judgement_(wrong, NO)

    def thinking(request: Request) -> ProviderError:
        store.append([said])
        run_once(Withdraw(), store)
        return ProviderError("no answer")

    store.append([replace(wrong, durable=True), *right])
    codify = Codify(Scripted([thinking]))
    while run_once(codify, store) or run_once(Withdraw(), store) or run_once(Reconsider(codify), store):
        pass
    made = [row.record for row in store.find(SkillRevision)]
    assert [ids(one) for one in made] == ([{one.id for one in right}] if others == 2 else [])


def test_what_came_after_it_counts_as_evidence_too() -> None:
    """Seen once each, neither was enough; the judged one was read long before the other."""
    later = correction_(2, durable=None)
    told = Codified(CANDIDATE, later)
    assert told.skills() == []
    (skill,) = told.give(judgement_(CANDIDATE, YES)).skills()
    assert ids(skill) == {CANDIDATE.id, later.id}


def test_a_no_before_codify_is_refused_by_the_gate() -> None:
    assert Codified(correction_(1), judgement_(correction_(1), NO)).skills() == []


def test_a_no_retires_the_skill_that_rests_on_it_alone() -> None:
    told = Codified(correction_(1)).give(judgement_(correction_(1), NO))
    assert [(one.version, one.state) for one in told.skills()] == [(1, SkillState.LIVE), (2, SkillState.RETIRED)]
    assert told.skills()[-1].reason == JUDGED_AWAY


def test_a_no_takes_the_lines_that_rest_on_it_alone_and_leaves_the_others() -> None:
    other = correction_(2, quote="never scons here, make it is, with -j 4")
    told = Codified(correction_(1), other)
    assert ids(told.skills()[-1]) == {correction_(1).id, other.id}
    newest = told.give(judgement_(correction_(1), NO)).skills()[-1]
    assert (newest.state, ids(newest)) == (SkillState.LIVE, {other.id})
    assert all(line.correction_ids for line in newest.lines)
    assert "we build with make here" not in " ".join(
        (newest.title, newest.trigger, *(one.text for one in newest.lines))
    )


def test_a_no_that_is_taken_back_brings_the_skill_back() -> None:
    told = Codified(correction_(1)).give(judgement_(correction_(1), NO))
    newest = told.give(judgement_(correction_(1), SaidKind.UNKNOWN, 2, reason=judged.TAKEN_BACK)).skills()[-1]
    assert (newest.version, newest.state, newest.reason) == (3, SkillState.LIVE, RESTORED)
    assert newest.lines == told.skills()[0].lines


def test_a_file_that_a_person_wrote_stays_theirs() -> None:
    told = Codified(correction_(1))
    (skill,) = told.skills()
    told.store.append([replace(skill, id="mine", version=2, body="# Make\n\nAlways make.\n")])
    assert told.give(judgement_(correction_(1), NO)).skills()[-1].id == "mine"


def test_the_same_batch_again_names_the_same_records() -> None:
    told = Codified(correction_(1))
    no = judgement_(correction_(1), NO)
    told.store.append([no])
    batch = told.store.find(Judgement)
    once: Sequence[Record] = Withdraw().step(batch, told.store)
    assert once and once == Withdraw().step(batch, told.store)


def test_a_person_may_still_say_yes_to_what_a_model_refused() -> None:
    told = Codified(CANDIDATE, judgement_(CANDIDATE, NO, by="a/b"))
    assert told.skills() == []
    assert len(told.give(judgement_(CANDIDATE, YES, 2, durable=True)).skills()) == 1
    assert told.store.count(Correction) == 1
