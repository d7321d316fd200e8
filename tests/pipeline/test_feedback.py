"""Feedback claims only what happened: held if the act came up and was done right, recurred, else unknown."""

from dataclasses import replace
from datetime import timedelta

import pytest

from hivemind_cli.core.acts import EDIT, SHELL, Act
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import (
    Candidate,
    Correction,
    CorrectionKind,
    EventKind,
    Moment,
    Outcome,
    Recall,
    SaidKind,
    Scope,
    SkillLine,
    SkillRevision,
    SkillState,
    Verdict,
)
from hivemind_cli.pipeline.feedback import Feedback
from hivemind_cli.pipeline.judged import PASS_MIN
from hivemind_cli.pipeline.runner import run_once
from hivemind_cli.storage.base import Store
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.judging_loop import judgement_
from tests.pipeline.session import START, Session

LESSON = Correction(
    id=new_id(START),
    workspace_id="default",
    project_id="p1",
    machine_id="m",
    author="ada",
    host="claude",
    session_id="s0",
    kind=CorrectionKind.SAID,
    occurred_at=START - timedelta(days=1),
    act_event_id="a0",
    reaction_event_id="r0",
    quote="no, use lift here, never bring",
    task="bring the module up",
    act=Act(SHELL, "Bash", command="bring module").as_json(),
    recurrence_key="lesson|shell:bring module|bring",
)


@pytest.fixture
def store() -> InMemoryStore:
    store = InMemoryStore()
    store.append([LESSON])
    return store


@pytest.fixture
def session(store: Store) -> Session:
    return Session(store)


def recalled(session: Session, subject: str = LESSON.id, decision: str = "injected", text: str = "x") -> Recall:
    session.at += timedelta(milliseconds=10)
    recall = Recall(
        id=new_id(session.at),
        workspace_id="default",
        project_id="p1",
        machine_id="m",
        author="ada",
        host="claude",
        session_id=session.id,
        occurred_at=session.at,
        moment=Moment.PROMPT,
        event_id="e",
        query="q",
        candidates=(Candidate(id=subject, kind="memo", name="n", decision=decision),),
        text=text,
        held=decision == "held",
    )
    session.store.append([recall])
    return recall


def outcomes(store: Store) -> list[Outcome]:
    while run_once(Feedback(), store):
        pass
    return [row.record for row in store.find(Outcome)]


def verdicts(store: Store) -> list[Verdict]:
    return [outcome.verdict for outcome in outcomes(store)]


def test_done_the_corrected_way_is_held_with_the_proof(session: Session) -> None:
    session.says("bring the module up")
    recall = recalled(session)
    proof = session.runs("lift module")
    session.ends()
    (outcome,) = outcomes(session.store)
    assert (outcome.verdict, outcome.evidence) == (Verdict.HELD, (proof.id,))
    assert (outcome.recall_id, outcome.subject_id) == (recall.id, LESSON.id)


def test_the_corrected_act_done_again_is_recurred(session: Session) -> None:
    session.says("bring the module up")
    recalled(session)
    proof = session.runs("bring module --now")
    session.runs("lift module")
    session.ends()
    (outcome,) = outcomes(session.store)
    assert (outcome.verdict, outcome.evidence) == (Verdict.RECURRED, (proof.id,))


def test_a_failed_try_of_the_corrected_act_is_recurred_too(session: Session) -> None:
    recalled(session)
    session.runs("bring module", error="no such module")
    session.ends()
    assert verdicts(session.store) == [Verdict.RECURRED]


def test_corrected_again_is_recurred_whatever_was_done(session: Session) -> None:
    recalled(session)
    session.runs("lift module")
    said = session.says("no, lift, not bring!")
    again = {**{name: getattr(LESSON, name) for name in LESSON.__slots__}, "id": new_id(), "session_id": session.id}
    session.store.append([Correction(**{**again, "occurred_at": said.occurred_at, "reaction_event_id": said.id})])
    session.ends()
    (outcome,) = outcomes(session.store)
    assert (outcome.verdict, outcome.evidence) == (Verdict.RECURRED, (said.id,))


def test_what_only_looked_like_a_correction_is_no_recurrence(session: Session) -> None:
    recalled(session)
    fields = {name: getattr(LESSON, name) for name in LESSON.__slots__} | {"session_id": session.id}
    for number, (confidence, judgement) in enumerate(((PASS_MIN, None), (0.9, SaidKind.APPROVAL))):
        said = session.says("and with lift, now")
        again = {**fields, "id": f"again{number}", "occurred_at": said.occurred_at, "reaction_event_id": said.id}
        noticed = Correction(**{**again, "confidence": confidence})
        session.store.append([noticed, *([judgement_(noticed, judgement)] if judgement else [])])
    session.ends()
    assert verdicts(session.store) == [Verdict.UNKNOWN]


def test_given_without_an_opportunity_is_unknown(session: Session) -> None:
    recalled(session)
    session.runs("ls")
    session.writes("a.py")
    session.ends()
    assert verdicts(session.store) == [Verdict.UNKNOWN]


def test_what_was_done_before_it_was_given_does_not_count(session: Session) -> None:
    session.runs("lift module")
    session.runs("bring module")
    recalled(session)
    session.ends()
    assert verdicts(session.store) == [Verdict.UNKNOWN]


def test_a_call_that_was_held_back_did_not_happen(session: Session) -> None:
    """The denied call has no result: the lesson held if the agent then did it right."""
    call_id = session.calls_tool(Act(SHELL, "Bash", command="bring module"))
    recalled(session, decision="held")
    session.event(EventKind.TOOL_DENIED, call_id=call_id, act=LESSON.act, by="hivemind", words="")
    session.runs("lift module")
    session.ends()
    assert verdicts(session.store) == [Verdict.HELD]


@pytest.mark.parametrize(
    ("words", "text", "verdict"),
    [
        ("names in snake_case please", "def weigh(pear): ...", Verdict.UNKNOWN),  # says nothing of this change
        ("no camelCase, as in getPear", "def getPear(): ...", Verdict.RECURRED),
        ("no camelCase, as in getPear", "def weigh(pear): ...", Verdict.UNKNOWN),
    ],
)
def test_another_change_of_such_a_file_is_no_proof_unless_it_holds_what_was_named(
    words: str, text: str, verdict: Verdict
) -> None:
    corrected = Act(EDIT, "Write", path="src/pear.py", text="def getPear(): ...")
    lesson = replace(LESSON, quote=words, task="write the module", act=corrected.as_json(), recurrence_key="k")
    session = Session(store := InMemoryStore())
    store.append([lesson])
    recalled(session)
    session.writes("src/plum.py", text)
    session.ends()
    assert verdicts(store) == [verdict]


@pytest.mark.parametrize("decision", ["below threshold", "repeated", "over budget", "margin", "timed out"])
def test_what_was_not_said_has_no_outcome(session: Session, decision: str) -> None:
    recalled(session, decision=decision)
    recalled(session, text="")
    session.runs("bring module")
    session.ends()
    assert outcomes(session.store) == []


def test_a_skill_is_judged_by_the_corrections_its_newest_version_carries(session: Session) -> None:
    revision = SkillRevision(
        id=new_id(),
        workspace_id="default",
        project_id="p1",
        machine_id="m",
        author="ada",
        skill_id="sk_1",
        name="use-lift",
        title="Use lift",
        version=1,
        scope=Scope.PROJECT,
        state=SkillState.LIVE,
        trigger="",
        lines=(SkillLine(section="do", text="use lift", correction_ids=(LESSON.id,)),),
        occurred_at=START,
    )
    session.store.append([revision])
    recalled(session, subject="sk_1")
    session.runs("lift module")
    session.ends()
    (outcome,) = outcomes(session.store)
    assert (outcome.verdict, outcome.subject_id) == (Verdict.HELD, "sk_1")


def test_what_is_known_of_no_longer_is_unknown(session: Session) -> None:
    recalled(session, subject="sk_gone")
    session.runs("bring module")
    session.ends()
    assert verdicts(session.store) == [Verdict.UNKNOWN]


def test_it_is_judged_when_the_session_ends_and_again_if_it_goes_on(session: Session) -> None:
    recalled(session)
    assert outcomes(session.store) == []
    session.ends()
    assert verdicts(session.store) == [Verdict.UNKNOWN]
    session.runs("lift module")
    session.ends()
    assert verdicts(session.store) == [Verdict.UNKNOWN, Verdict.HELD]


def test_the_same_events_again_add_nothing(session: Session) -> None:
    recalled(session)
    session.runs("lift module")
    ended = session.ends()
    before = outcomes(session.store)
    rows = [row for row in session.store.find(type(ended)) if row.record.id == ended.id]
    assert session.store.append(Feedback().step(rows, session.store)) == 0
    assert outcomes(session.store) == before


def test_another_sessions_acts_do_not_count(store: Store) -> None:
    mine, other = Session(store, "s1"), Session(store, "s2")
    recalled(mine)
    other.runs("bring module")
    mine.ends()
    assert verdicts(store) == [Verdict.UNKNOWN]
