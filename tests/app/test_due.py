"""When corrections become skills: at a session's end, after silence, or after many turns; and not before."""

from dataclasses import replace
from datetime import timedelta

import pytest

from hivemind_cli.app.due import JUDGED_QUIET, Due, codify_due
from hivemind_cli.core.config import CodifyConfig, Config
from hivemind_cli.core.records import Event, EventKind, SkillRevision
from hivemind_cli.pipeline.codify import Codify
from hivemind_cli.pipeline.runner import run_once
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.judging_loop import judgement_
from tests.pipeline.session import START, Session

CONFIG = Config(codify=CodifyConfig(idle_minutes=10, every_n_turns=5))
MINUTE = timedelta(minutes=1)


@pytest.fixture
def session() -> Session:
    return Session(InMemoryStore())


def corrected(session: Session) -> Event:
    """The agent acts, and is corrected; detect has seen it."""
    session.says("bring the module up")
    session.runs("bring module")
    event = session.says("no, never use bring here, always use lift")
    assert session.corrections()
    return event


def due(session: Session, later: timedelta = timedelta(seconds=1)) -> Due:
    return codify_due(session.store, CONFIG, session.at + later)


def test_without_corrections_nothing_is_due(session: Session) -> None:
    assert due(session) == Due()
    session.says("bring the module up")
    session.ends()
    assert due(session, timedelta(days=1)) == Due()


def test_while_the_session_goes_on_it_waits_for_its_silence(session: Session) -> None:
    corrected(session)
    found = due(session, 4 * MINUTE)
    assert (found.now, found.waiting, found.in_seconds) == (False, True, 360.0)


def test_the_end_of_the_session_makes_it_due(session: Session) -> None:
    corrected(session)
    session.ends()
    assert due(session).now


def test_a_session_that_goes_on_after_its_end_waits_again(session: Session) -> None:
    corrected(session)
    session.ends()
    session.event(EventKind.SESSION_START, source="resume")
    assert not due(session).now


def test_silence_makes_it_due(session: Session) -> None:
    corrected(session)
    assert not due(session, 10 * MINUTE - timedelta(seconds=1)).now
    assert due(session, 10 * MINUTE).now


def test_many_turns_make_it_due(session: Session) -> None:
    corrected(session)
    for n in range(4):
        session.says(f"and part {n}")
    assert not due(session).now
    session.says("and the last")
    assert due(session).now


def test_one_session_that_is_over_is_enough(session: Session) -> None:
    corrected(session)
    other = Session(session.store, "s2", at=session.at)
    corrected(other)
    other.ends()
    session.at = other.at
    session.replies()
    assert due(session).now


def test_the_session_that_is_silent_first_is_waited_for(session: Session) -> None:
    corrected(session)
    other = Session(session.store, "s2", at=session.at + 3 * MINUTE)
    corrected(other)
    found = codify_due(session.store, CONFIG, other.at)
    assert found.in_seconds is not None
    assert found.in_seconds == (session.at + 10 * MINUTE - other.at).total_seconds()


def test_what_was_codified_is_not_due_again(session: Session) -> None:
    corrected(session)
    session.ends()
    session.store.commit("codify", [], cursor_from=0, cursor_to=1)
    assert due(session, timedelta(days=1)) == Due()


def told_by_an_import(session: Session) -> InMemoryStore:
    """The same events, as an import finds them; detect has seen them."""
    store = InMemoryStore()
    store.append([replace(row.record, source="import") for row in session.store.find(Event)])
    assert Session(store, at=START).corrections()
    return store


def test_what_an_import_found_waits_for_a_person(session: Session) -> None:
    """It may be years of corrections, and each skill is written into a working tree."""
    corrected(session)
    session.ends()
    store = told_by_an_import(session)
    assert codify_due(store, CONFIG, session.at + timedelta(days=1)) == Due(passing=True)
    assert run_once(Codify(), store)
    assert not store.find(SkillRevision)
    assert codify_due(store, CONFIG, session.at + timedelta(days=1)) == Due()
    assert run_once(Codify(history=True), store)
    assert store.find(SkillRevision)


def test_what_an_import_found_does_not_hide_a_session_of_now(session: Session) -> None:
    corrected(session)
    store = told_by_an_import(session)
    now = Session(store, "s2", at=session.at)
    corrected(now)
    assert not codify_due(store, CONFIG, now.at).now
    now.ends()
    assert codify_due(store, CONFIG, now.at).now
    run_once(Codify(), store)
    (made,) = (row.record for row in store.find(SkillRevision))
    # A mistake that came back is told by both; alone, the past one would have waited.
    assert len({one for line in made.lines for one in line.correction_ids}) == 2


def test_a_pruned_session_is_over(session: Session) -> None:
    """Its corrections go with it, but should one be left, it does not wait forever."""
    corrected(session)
    store = InMemoryStore()
    store.append(session.corrections())
    assert codify_due(store, CONFIG, session.at).now


def test_what_was_judged_since_is_due_once_the_labelling_rests(session: Session) -> None:
    event = corrected(session)
    session.store.commit("codify", [], cursor_from=0, cursor_to=1)
    (correction,) = session.corrections()
    said = judgement_(correction, occurred_at=event.occurred_at)
    session.store.append([said])
    assert codify_due(session.store, CONFIG, said.occurred_at) == Due(waiting=True, in_seconds=30.0)
    assert codify_due(session.store, CONFIG, said.occurred_at + JUDGED_QUIET).now
    session.store.commit("reconsider", [], cursor_from=0, cursor_to=1)
    assert codify_due(session.store, CONFIG, said.occurred_at + JUDGED_QUIET) == Due()
