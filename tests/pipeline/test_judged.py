"""Who outweighs whom, and what a yes, a no and an unknown change."""

from itertools import permutations

import pytest

from hivemind_cli.core.records import Correction, CorrectionKind, Judgement, SaidKind
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.judged import MODEL_YES, NO, PERSON_YES, counting, effective
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.codify_loop import correction_
from tests.pipeline.judging_loop import judgement_

MODEL = "scripted/script"
CANDIDATE = correction_(1, confidence=judged.PASS_MIN, durable=None)


def now(*judgements: Judgement, of: Correction = CANDIDATE) -> Correction:
    store = InMemoryStore()
    store.append(judgements)
    (found,) = effective(store, [of])
    return found


def test_without_a_judgement_a_correction_is_what_the_detector_says() -> None:
    assert now() == CANDIDATE
    assert now(judgement_(correction_(2))) == CANDIDATE


@pytest.mark.parametrize(("by", "confidence"), [("person", PERSON_YES), (MODEL, MODEL_YES)])
def test_a_yes_makes_a_candidate_sure_and_says_whether_it_lasts(by: str, confidence: float) -> None:
    found = now(judgement_(CANDIDATE, by=by, durable=True))
    assert (found.confidence, found.durable) == (confidence, True)
    assert judged.is_called(found)


def test_a_yes_that_does_not_say_whether_it_lasts_leaves_that_to_the_detector() -> None:
    assert now(judgement_(correction_(1)), of=correction_(1)).durable is True


def test_a_models_yes_makes_nothing_less_sure() -> None:
    sure = correction_(1, confidence=0.97)
    assert now(judgement_(sure, by=MODEL), of=sure).confidence == 0.97


@pytest.mark.parametrize("said", [one for one in SaidKind if one not in (*judged.CORRECTIONS, SaidKind.UNKNOWN)])
def test_anything_else_is_a_no(said: SaidKind) -> None:
    found = now(judgement_(correction_(1), said), of=correction_(1))
    assert judged.refused(found) and not judged.is_called(found)
    assert said.value.replace("_", " ") in found.cause


def test_unknown_changes_nothing() -> None:
    assert (
        now(judgement_(CANDIDATE, SaidKind.UNKNOWN), judgement_(CANDIDATE, SaidKind.UNKNOWN, 2, by=MODEL)) == CANDIDATE
    )


def test_a_person_outweighs_any_model_whoever_came_last() -> None:
    person = judgement_(CANDIDATE, SaidKind.APPROVAL, 1)
    model = judgement_(CANDIDATE, SaidKind.CORRECTION, 2, by=MODEL)
    assert now(person, model).confidence == NO


def test_the_newest_of_a_person_counts_in_whatever_order_they_are_stored() -> None:
    said = [
        judgement_(CANDIDATE, SaidKind.APPROVAL, 1),
        judgement_(CANDIDATE, SaidKind.QUESTION, 2),
        judgement_(CANDIDATE, SaidKind.CORRECTION, 3),
        judgement_(CANDIDATE, SaidKind.APPROVAL, 4, by=MODEL),
    ]
    assert {counting(order) for order in permutations(said)} == {said[2]}


def test_a_person_who_takes_it_back_leaves_it_to_the_model() -> None:
    said = [
        judgement_(CANDIDATE, SaidKind.APPROVAL, 1),
        judgement_(CANDIDATE, SaidKind.CORRECTION, 2, by=MODEL),
        judgement_(CANDIDATE, SaidKind.UNKNOWN, 3, reason=judged.TAKEN_BACK),
    ]
    assert counting(said) == said[1]


def test_what_is_said_of_the_words_says_nothing_of_the_hand() -> None:
    edit = correction_(1, kind=CorrectionKind.HAND_EDIT, quote="", confidence=0.8)
    words = correction_(2, reaction_event_id=edit.reaction_event_id)
    no = judgement_(words, SaidKind.APPROVAL)
    assert now(no, of=edit) == edit
    assert judged.refused(now(judgement_(edit, SaidKind.OTHER), of=edit))


def test_a_turn_judged_before_anything_was_noticed_there_is_judged_all_the_same() -> None:
    later = correction_(1, confidence=judged.SHOWN_MIN)
    assert judged.refused(now(judgement_(later, SaidKind.APPROVAL, correction_id=""), of=later))
